extension SpanBatch {
    /// Assigns groups so that each holds whole traces and stays within limits; removed spans are not counted.
    ///
    /// A trace that is over the limits by itself gets a group of its own; beyond 65,536 groups the last one takes the rest.
    ///
    /// - Parameters:
    ///   - itemsMax: Spans in one group.
    ///   - bytesMax: Bytes of the spans in one group; resources and scopes, which each group repeats, come on top.
    /// - Returns: How many groups there are, numbered from 0.
    package mutating func groupByTrace(itemsMax: Int, bytesMax: Int) -> Int {
        var indices: [TraceID: Int] = [:]
        var traces: [(items: Int, bytes: Int, group: Int)] = []
        for index in spans.indices where removal(of: index) == nil {
            let trace = indices[spans[index].traceID, default: traces.count]
            if trace == traces.count {
                indices[spans[index].traceID] = trace
                traces.append((0, 0, 0))
            }
            traces[trace].items += 1
            traces[trace].bytes += spans[index].size
        }
        guard !traces.isEmpty else { return 0 }
        var group = 0
        var (items, bytes) = (0, 0)
        for trace in traces.indices {
            let isOver = items + traces[trace].items > itemsMax || bytes + traces[trace].bytes > bytesMax
            if isOver, items > 0, group < Int(UInt16.max) {
                group += 1
                (items, bytes) = (0, 0)
            }
            traces[trace].group = group
            items += traces[trace].items
            bytes += traces[trace].bytes
        }
        for index in spans.indices where removal(of: index) == nil {
            guard let trace = indices[spans[index].traceID] else { continue }
            assign(index, to: UInt16(truncatingIfNeeded: traces[trace].group))
        }
        return group + 1
    }
}
