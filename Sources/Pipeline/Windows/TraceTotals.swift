import Basics
import Synchronization

/// What was spent in a trace, before anything is sampled out.
package struct TraceTotals: Sendable {
    /// For one model.
    package struct Entry: Sendable, Equatable {
        package var traces = 0
        package var errors = 0
        package var tokens: Int64 = 0
        /// In the currency of the emitter.
        package var cost = 0.0

        package init() {}
    }

    package let route: Route
    /// By model; empty where none is named.
    package var entries: [String: Entry]

    package init(route: Route, entries: [String: Entry]) {
        (self.route, self.entries) = (route, entries)
    }
}

/// What was spent by experiment and model, counted for `/metrics`; any thread.
final class SpentMeters: Sendable {
    private struct Row: Hashable {
        let experiment: ExactText
        let model: ExactText
    }

    /// Bytes of a label, at most.
    private static let labelMax = 120

    private let meters: Meters
    private let labels: [String: String]
    private let rows = Mutex<[Row: TraceTotals.Entry]>([:])

    init(_ meters: Meters, _ labels: [String: String]) {
        (self.meters, self.labels) = (meters, labels)
    }

    func add(_ totals: TraceTotals) {
        for (model, entry) in totals.entries {
            add(entry, totals.route.label.excerpt(max: Self.labelMax), model.excerpt(max: Self.labelMax))
        }
    }

    private func add(_ entry: TraceTotals.Entry, _ experiment: String, _ model: String) {
        var row = Row(experiment: ExactText(experiment), model: ExactText(model))
        let isNew = rows.withLock { rows in
            // The meters have one series for all others.
            if rows[row] == nil, rows.count >= Meters.seriesMax { row = Self.others }
            let isNew = rows[row] == nil
            var sum = rows[row] ?? TraceTotals.Entry()
            sum.traces += entry.traces
            sum.errors += entry.errors
            let (tokens, overflow) = sum.tokens.addingReportingOverflow(entry.tokens)
            sum.tokens = overflow ? .max : tokens
            sum.cost += entry.cost
            rows[row] = sum
            return isNew
        }
        guard isNew else { return }
        let shown = row
        let labels = labels.merging(
            row == Self.others ? ["overflow": "true"] : ["experiment": experiment, "model": model]
        ) { $1 }
        let read = { @Sendable [weak self] in self?.rows.withLock { $0[shown] } ?? TraceTotals.Entry() }
        meters.counter("millrace_window_seen_traces_total", labels) { Double(read().traces) }
        meters.counter("millrace_window_seen_error_traces_total", labels) { Double(read().errors) }
        meters.counter("millrace_window_seen_tokens_total", labels) { Double(read().tokens) }
        meters.counter("millrace_window_seen_cost_total", labels) { read().cost }
    }

    private static let others = Row(experiment: ExactText("\u{0}"), model: ExactText("\u{0}"))
}

extension Route {
    /// The experiment as a label.
    fileprivate var label: String {
        switch self {
        case .none: ""
        case .experimentName(let text), .experimentID(let text): text
        }
    }
}
