import Basics

/// What became of a trace at one destination, as far as the process tells.
enum DemoFate: Equatable {
    case delivered
    /// In the journal, with the destination's last error, or why it is sent nothing.
    case waits(because: String?)
    /// In the journal, until the processor of that name has waited for so long for more of it.
    case isInWindow(String, for: Duration)
    /// Taken out on purpose: by what, in the ledger's words.
    case removed(String)
    case deadLetter(because: String?)
    /// The journal does not wait for the destination any more, and counters do not tell more than that.
    case left(String)

    /// Whether nothing changes any more by waiting.
    var isSettled: Bool {
        switch self {
        case .waits, .isInWindow: false
        case .delivered, .removed, .deadLetter, .left: true
        }
    }

    /// For a person.
    var text: String {
        switch self {
        case .delivered: "delivered"
        case .waits(let reason): reason.map { "waits: \($0)" } ?? "waits still"
        case .isInWindow(let window, let wait):
            "waits in the window \(window), which closes \(wait.text) after the last span"
        case .removed(let cause): cause
        case .deadLetter(let reason): "a dead letter" + (reason.map { ": \($0)" } ?? "")
        case .left(let outcomes): outcomes
        }
    }
}

/// Tells the fate of a trace from records of the journal, and from counters before and after it was sent.
struct DemoFates {
    /// Ways out of the journal beside delivery, as the ledger calls them.
    private static let losses = ["rejected", "dead_lettered", "expired", "lost"]

    let before: ProcessLook
    let after: ProcessLook
    /// Records that hold spans of the trace (`/api/traces`).
    let records: [JSONNode]

    /// Whether the pipeline has taken the trace: its journal holds spans of it, or, where that is enough, its counters have risen.
    func isTaken(by pipeline: String, asCounted isEnough: Bool) -> Bool {
        guard own(records, pipeline).isEmpty, isEnough else { return !own(records, pipeline).isEmpty }
        let removed = removals(in: pipeline).reduce(0) { $0 + $1.count }
        return after.accepted(by: pipeline) - before.accepted(by: pipeline) + removed >= DemoTrace.spanCount
    }

    func fate(at destination: ProcessLook.Destination) -> DemoFate {
        let own = own(records, destination.pipeline)
        let states = own.flatMap { $0["destinations"]?.elements ?? [] }
            .filter { $0["name"]?.string == destination.exporter }.compactMap { $0["state"]?.string }
        if states.contains("queued") { return .waits(because: trouble(at: destination)) }
        if states.contains("dead letter") { return .deadLetter(because: error(at: destination)) }
        let removed = removedText(in: destination.pipeline)
        if states.isEmpty, let window = after.window(of: destination.pipeline) {
            let isGathered = own.contains { $0["in_window"]?.bool == true }
            // A record that has left the window is seen in it, or among those behind it.
            if isGathered || removed == nil, !own.isEmpty { return .isInWindow(window.name, for: window.wait) }
        }
        if states.isEmpty, let removed { return .removed(removed) }
        return left(for: destination, removed: removed, spans: spans(own))
    }

    /// How a trace ended for which nothing waits.
    private func left(for destination: ProcessLook.Destination, removed: String?, spans: Int?) -> DemoFate {
        let lost = Self.losses.map { (word: $0, count: growth(of: $0, at: destination)) }.filter { $0.count > 0 }
        let delivered = growth(of: "delivered", at: destination)
        let spans = spans ?? DemoTrace.spanCount
        guard lost.isEmpty, delivered >= spans else {
            let counts = (delivered > 0 ? [(word: "delivered", count: delivered)] : []) + lost
            let words = counts.map { "\($0.count) \($0.word.replacing("_", with: " "))" }.joined(separator: ", ")
            return .left(words.isEmpty ? "the journal holds it no more" : "since it was sent: \(words)")
        }
        guard spans < DemoTrace.spanCount else { return .delivered }
        return .left("\(spans) of \(DemoTrace.spanCount) spans delivered" + (removed.map { "; \($0)" } ?? ""))
    }

    /// Spans of the demo that records behind all processors have; nil where there are none.
    private func spans(_ records: [JSONNode]) -> Int? {
        let last = records.filter { $0["destinations"]?.elements?.isEmpty == false }
        let ids = last.flatMap { $0["spans"]?.elements ?? [] }.compactMap { $0["span_id"]?.string }
        return last.isEmpty ? nil : min(Set(ids).count, DemoTrace.spanCount)
    }

    private func own(_ records: [JSONNode], _ pipeline: String) -> [JSONNode] {
        records.filter { $0["pipeline"]?.string == pipeline && $0["signal"]?.string == "traces" }
    }

    /// What processors of a pipeline took out since the trace was sent.
    private func removals(in pipeline: String) -> [(word: String, processor: String, count: Int)] {
        let earlier = before.removals(in: pipeline)
        return after.removals(in: pipeline).map { ($0.key[0], $0.key[1], $0.value - (earlier[$0.key] ?? 0)) }
            .filter { $0.2 > 0 }.sorted { $0.1 < $1.1 }
    }

    private func removedText(in pipeline: String) -> String? {
        let removals = removals(in: pipeline).map { "\($0.word.replacing("_", with: " ")) by \($0.processor)" }
        return removals.isEmpty ? nil : removals.joined(separator: " or ")
    }

    private func growth(of word: String, at destination: ProcessLook.Destination) -> Int {
        after.count(word, of: destination) - before.count(word, of: destination)
    }

    /// Why a destination is sent nothing, or what it last said against what it was sent where it has taken nothing since.
    private func trouble(at destination: ProcessLook.Destination) -> String? {
        let delivery = after.row(of: destination)?["delivery"]
        if delivery?["paused"]?.bool == true { return "it is paused" }
        return delivery?["failures_in_a_row"]?.integer ?? 0 > 0 ? error(at: destination) : nil
    }

    private func error(at destination: ProcessLook.Destination) -> String? {
        after.row(of: destination)?["delivery"]?["error"]?["reason"]?.string
    }
}
