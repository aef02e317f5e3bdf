import Admin
import Basics
import Journal
import OTLP
import Pipeline
import Settings
import Synchronization

/// Looks for traces, one at a time, on a thread of its own: the journal's readers must not wait for it.
final class ConsoleTraces: Sendable {
    private let search: TraceSearch
    private let isBusy = Mutex(false)

    init(_ search: TraceSearch) {
        self.search = search
    }

    func answer(_ text: String) async -> DeadLetterOffice.Answer {
        guard let id = TraceID(hexadecimal: text) else {
            return .unknown("a trace id has 32 hexadecimal digits; \"\(text.excerpt(max: 40))\" has not")
        }
        let isFree = isBusy.withLock { isBusy in
            defer { isBusy = true }
            return !isBusy
        }
        guard isFree else { return .incomplete("another search is under way: ask again in a moment") }
        defer { isBusy.withLock { $0 = false } }
        let thread = SerialThread(name: "millrace-find")
        defer { thread.stop() }
        let findings = await thread.run { [search] in search.findings(of: id) }
        let json: JSON = [
            "trace_id": .text("\(id)"), "looked_through_bytes": .integer(TraceSearch.bytesMax.bytes),
            "records": .array(findings.map { $0.json(of: id) }),
        ]
        return .done(Array(json.lineText.utf8))
    }
}

extension TraceSearch.Finding {
    fileprivate func json(of id: TraceID) -> JSON {
        let outcome = { (isDone: Bool) in isDone ? "settled" : isLetter ? "dead letter" : "queued" }
        let ends = destinations.map { name, isDone -> JSON in ["name": .text(name), "state": .text(outcome(isDone))] }
        return [
            "pipeline": .text(log.pipeline), "signal": .text(log.signal.name), "window": .bool(log.isWindow),
            "in_window": .bool(isInWindow),
            "received_at": .text(receivedAt.text),
            "experiment": route.experiment.map(JSON.text) ?? .null, "destinations": .array(ends),
            "spans": .array(log.signal == .traces ? spans(of: id) : []),
        ]
    }

    private func spans(of id: TraceID) -> [JSON] {
        guard let batch = try? SpanBatch(payload) else { return [] }
        return batch.spans.indices.filter { batch.spans[$0].traceID == id }.map { index in
            let span = DryRunSpan(batch, index)
            let json: JSON = [
                "name": .text(span.name), "span_id": .text("\(span.spanID)"), "trace_id": .text("\(id)"),
                "service": span.service.map(JSON.text) ?? .null,
                "parent_id": span.head.parentID.map { .text("\($0)") } ?? .null,
                "start_ns": .text("\(span.head.start)"), "end_ns": .text("\(span.head.end)"),
                "error": .bool(span.head.isError), "attributes": .object(span.view.finalAttributes),
            ]
            return json.shortened(to: ConsoleTail.textMax)
        }
    }
}

extension TraceID {
    /// Reads 32 hexadecimal digits; nil for anything else, and for the id of no trace.
    init?(hexadecimal text: String) {
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16), high | low != 0, !text.hasPrefix("+")
        else { return nil }
        self.init(high: high, low: low)
    }
}
