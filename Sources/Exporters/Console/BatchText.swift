import Basics
import OTLP
import Pipeline

/// Writes batches as text for people: spans by `style`, log records and metrics a line each.
struct BatchText {
    /// Spans of one batch that are shown, at most.
    static let spansMax = 2000

    let style: ConsoleSettings.Style
    let hasColours: Bool

    /// The text of a batch, each line ended; control characters that apps sent are left out.
    func render(_ batch: Batch) -> String {
        guard batch.signal == .traces else {
            return ItemLines(batch.payload, signal: batch.signal)?.text ?? unreadable(batch)
        }
        guard let spans = try? SpanBatch(batch.payload) else { return unreadable(batch) }
        let shown = spans.spans.indices.prefix(Self.spansMax)
        let facts = shown.map { SpanFacts($0, in: spans) }
        var text = ""
        switch style {
        case .tree: appendTrees(of: facts, to: &text)
        case .line: for span in facts { text += line(of: span) }
        }
        if spans.spans.count > shown.count { text += "and \(spans.spans.count - shown.count) spans more\n" }
        return text
    }

    private func unreadable(_ batch: Batch) -> String { "\(batch.items) items of \(batch.signal.name)\n" }

    private func line(of span: SpanFacts) -> String {
        let moment = UnixTime(nanoseconds: span.start).text
        return "\(moment)  \(painted(span.service, .bold))  \(summary(of: span))  \(span.traceID)\n"
    }

    private func appendTrees(of spans: [SpanFacts], to text: inout String) {
        var order: [TraceID] = []
        var traces: [TraceID: [SpanFacts]] = [:]
        for span in spans {
            if traces[span.traceID] == nil { order.append(span.traceID) }
            traces[span.traceID, default: []].append(span)
        }
        for id in order {
            let trace = traces[id] ?? []
            let services = Set(trace.map(\.service)).sorted().joined(separator: ", ")
            let count = trace.count == 1 ? "1 span" : "\(trace.count) spans"
            text += "\(painted("trace \(id)", .bold))  \(services)  \(count)\n"
            for (prefix, span) in SpanTree(trace).lines {
                text += "\(painted(prefix, .dim))\(summary(of: span))\n"
            }
        }
    }

    /// The parts of a span's line that there are.
    private func summary(of span: SpanFacts) -> String {
        var parts = [painted(span.name, .bold), span.duration?.forPeople ?? "not ended"]
        if !span.kind.isEmpty { parts.append(painted(span.kind, .dim)) }
        if let model = span.model { parts.append(painted(model, .cyan)) }
        if let tokens = span.tokens {
            parts.append(painted("\(tokens.input ?? 0) in, \(tokens.output ?? 0) out", .cyan))
        }
        if let error = span.error { parts.append(painted(error.isEmpty ? "error" : "error: \(error)", .red)) }
        return parts.joined(separator: "  ")
    }

    /// Escape codes of a terminal.
    private enum Paint: String {
        case bold = "1"
        case dim = "2"
        case red = "31"
        case cyan = "36"
    }

    private func painted(_ text: String, _ paint: Paint) -> String {
        hasColours ? "\u{1B}[\(paint.rawValue)m\(text)\u{1B}[0m" : text
    }
}

extension Duration {
    /// Three digits with the unit that fits, such as `1.24s` or `840ms`.
    fileprivate var forPeople: String {
        let nanoseconds = Double(wholeNanoseconds)
        let units: [(name: String, size: Double)] = [("s", 1e9), ("ms", 1e6), ("us", 1e3)]
        guard let unit = units.first(where: { nanoseconds >= $0.size }) else { return "\(Int(nanoseconds))ns" }
        let value = nanoseconds / unit.size
        let digits = value < 10 ? 100.0 : value < 100 ? 10.0 : 1.0
        let rounded = (value * digits).rounded() / digits
        return rounded == rounded.rounded() ? "\(Int(rounded))\(unit.name)" : "\(rounded)\(unit.name)"
    }
}
