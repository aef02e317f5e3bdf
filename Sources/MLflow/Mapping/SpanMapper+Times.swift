import Basics
import OTLP

extension SpanMapper {
    /// Calls traces whose root is a plain call of HTTP or RPC after their earliest other span, else after the root.
    mutating func namePlainTraces(_ batch: inout SpanBatch, _ bytes: RawSpan) {
        for index in spans.indices where batch.removal(of: index) == nil && !traces.plainCalls.contains(index) {
            let span = spans[index]
            guard !span.name.isEmpty else { continue }
            traces.update(span.traceID) { trace in
                guard trace.plainRoot != nil else { return }
                if let earliest = trace.earliest, spans[earliest].start <= span.start { return }
                trace.earliest = index
            }
        }
        for trace in traces.plainTraces {
            guard let root = traces.traces[trace].plainRoot else { continue }
            guard let earliest = traces.traces[trace].earliest else {
                if !spans[root].name.isEmpty { setName(spans[root].name, root, .engine("root"), &batch, bytes) }
                continue
            }
            nameAfter(earliest, root, &batch, bytes)
        }
    }

    /// By what the span says of its agent or workflow, else by its name.
    private mutating func nameAfter(_ span: Int, _ root: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        for (rank, rule) in rules.names.enumerated() where !rule.rootOnly && holds(.name, rank, span, &batch) {
            let found = spans[span].attributes.last { rules.keys.find(bytes, attributes[$0].key) == rule.key }
            guard let found, let range = attributes.text(of: found, bytes) else { continue }
            return setName(range, root, .rule(.name, rank), &batch, bytes)
        }
        setName(spans[span].name, root, .engine("first"), &batch, bytes)
    }

    /// Gives spans that never ended, or end before they start, an end: MLflow would show a negative duration.
    ///
    /// A span that never ended ends with the last that is known of itself and its descendants.
    mutating func mendTimes(_ batch: inout SpanBatch) {
        var ends: [Int: UInt64] = [:]
        for index in traces.untimely {
            let events = events[spans[index].events].map(\.time).max() ?? 0
            ends[index] = spans[index].end == 0 ? max(spans[index].start, events) : spans[index].start
        }
        if traces.untimely.contains(where: { spans[$0].end == 0 }) { extend(&ends) }
        for (index, end) in ends.sorted(by: { $0.key < $1.key }) {
            batch.setEnd(end, of: index)
            batch.addAttribute("millrace.end", to: .span(index)) {
                $0.string(spans[index].end == 0 ? "never ended" : "before start")
            }
            didSet("millrace.end", index, by: .engine("times"), of: 0..<0)
            outcome.repairedSpans += 1
        }
    }

    /// Moves ends of spans that never ended to the last of their descendants.
    private func extend(_ ends: inout [Int: UInt64]) {
        let positions = SpanPositions(spans)
        for index in spans.indices {
            let last = max(spans[index].end, events[spans[index].events].map(\.time).max() ?? 0, spans[index].start)
            var current = index
            for _ in 0..<Self.ancestorsMax {
                guard let parent = spans[current].parentID.flatMap({ positions.find($0, spans) }),
                    spans[parent].traceID == spans[index].traceID, parent != current
                else { break }
                if spans[parent].end == 0, let known = ends[parent], known < last { ends[parent] = last }
                current = parent
            }
        }
    }
}
