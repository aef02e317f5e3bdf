import Basics
import OTLP

extension SpanMapper {
    /// By what the span says of its agent or workflow, else by its name.
    mutating func nameAfter(_ span: Int, _ root: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        for (rank, rule) in rules.names.enumerated() where !rule.rootOnly && holds(.name, rank, span, &batch) {
            let found = spans[span].attributes.last { rules.keys.find(bytes, attributes[$0].key) == rule.key }
            guard let found, let range = attributes.text(of: found, bytes) else { continue }
            return setTraceName(range, root, .rule(.name, rank), &batch, bytes)
        }
        let name = spans[span].name.isEmpty ? spans[root].name : spans[span].name
        setTraceName(name, root, .engine("first"), &batch, bytes)
    }

    mutating func setTraceName(
        _ range: Range<Int>,
        _ root: Int,
        _ rule: Decider,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        guard hasRoom(for: min(range.count, 4 * TextLimit.traceName), on: root, &batch) else { return }
        setName(range, root, rule, &batch, bytes)
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
            guard hasRoom(for: 0, on: index, &batch) else { continue }
            batch.setEnd(end, of: index)
            batch.addAttribute("millrace.end", to: .span(index)) {
                $0.string(spans[index].end == 0 ? "never ended" : "before start")
            }
            didSet("millrace.end", index, by: .engine("times"), of: 0..<0)
            outcome.repairedSpans += 1
        }
    }

    /// Moves ends of spans that never ended to the last of their descendants.
    ///
    /// Every span is handed up once, after all below it; those in a circle never are.
    private mutating func extend(_ ends: inout [Int: UInt64]) {
        let positions = SpanPositions(spans)
        let parents = spans.indices.map { Int32(truncatingIfNeeded: positions.parent(of: $0, spans) ?? -1) }
        var children = [Int32](repeating: 0, count: spans.count)
        for parent in parents where parent >= 0 { children[Int(parent)] += 1 }
        var last = spans.map { max($0.end, events[$0.events].lazy.map(\.time).max() ?? 0, $0.start) }
        content.tape.account.steps &+= spans.count + events.count
        for leaf in spans.indices where children[leaf] == 0 {
            var current = leaf
            while case let parent = Int(parents[current]), parent >= 0 {
                last[parent] = max(last[parent], last[current])
                children[parent] -= 1
                guard children[parent] == 0 else { break }
                current = parent
            }
        }
        for index in ends.keys where spans[index].end == 0 { ends[index] = last[index] }
    }
}
