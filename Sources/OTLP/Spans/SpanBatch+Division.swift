import Basics

extension SpanBatch {
    /// Divides groups that have more than `itemsMax` spans, so that whole traces stay together; removed spans are not counted.
    ///
    /// A trace of more spans than that is alone. Each part repeats its resources and scopes: there are only so many parts that
    /// this at most doubles the bytes, and a request that has other fields between its spans is left as it is, because every part
    /// would have to look at all of them. The last part takes the rest.
    ///
    /// - Returns: For each new group, numbered on from `groups`, the group that it was taken from.
    package mutating func divide(itemsMax: Int, groups: Int) -> [UInt16] {
        guard spans.count > itemsMax else { return [] }
        let isOver = (0..<groups).map { count(of: UInt16($0)) > itemsMax }
        guard isOver.contains(true), isDenseThroughout else { return [] }
        var parts = isOver.indices.map { Part(group: UInt16($0)) }
        var origins: [UInt16] = []
        var counts = [Int](repeating: 0, count: groups)
        let originsMax = min(divisionsMax, Int(UInt16.max) + 1 - groups)
        let traces = keptTraces()
        for trace in 0..<traces.starts.count - 1 {
            let kept = traces.spans[traces.starts[trace]..<traces.starts[trace + 1]]
            for span in kept { counts[Int(group(of: Int(span)))] += 1 }
            for span in kept {
                let group = Int(group(of: Int(span)))
                // Only the first span of a trace in a group still finds its count.
                let count = counts[group]
                counts[group] = 0
                guard isOver[group] else { continue }
                if count > 0, parts[group].items > 0, parts[group].items + count > itemsMax, origins.count < originsMax
                {
                    parts[group] = Part(group: UInt16(groups + origins.count))
                    origins.append(UInt16(group))
                }
                parts[group].items += count
                if parts[group].group != UInt16(group) { assign(Int(span), to: parts[group].group) }
            }
        }
        return origins
    }

    /// The part of a group that is being filled.
    private struct Part {
        let group: UInt16
        var items = 0
    }

    /// How often what stands around the spans may be repeated.
    private var divisionsMax: Int {
        let inside = spans.reduce(0) { $0 + $1.size }
        return inside / max(1, bytes.count - inside)
    }

    private var isDenseThroughout: Bool {
        isDense && scopes.allSatisfy(\.isDense) && resources.allSatisfy(\.isDense)
    }
}
