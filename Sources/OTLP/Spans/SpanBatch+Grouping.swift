import Basics

extension SpanBatch {
    /// Assigns groups so that each holds whole traces and stays within limits; removed spans are not counted.
    ///
    /// A trace that is over the limits by itself gets a group of its own, or several where `dividesTraces`. Beyond 65,536
    /// groups the last one takes the rest.
    ///
    /// - Parameters:
    ///   - itemsMax: Spans in one group.
    ///   - bytesMax: Bytes of the spans in one group; resources and scopes, which each group repeats, come on top.
    ///   - dividesTraces: Whether a trace may be spread where it does not fit into one group.
    /// - Returns: How many groups there are, numbered from 0.
    package mutating func groupByTrace(itemsMax: Int, bytesMax: Int, dividesTraces: Bool = false) -> Int {
        var filling = Filling(itemsMax: itemsMax, bytesMax: bytesMax)
        let traces = keptTraces()
        for trace in 0..<traces.starts.count - 1 {
            let kept = traces.spans[traces.starts[trace]..<traces.starts[trace + 1]]
            let size = kept.reduce(0) { $0 + spans[Int($1)].size }
            let isDivided = dividesTraces && (kept.count > itemsMax || size > bytesMax)
            if !isDivided { filling.take(items: kept.count, bytes: size) }
            for span in kept {
                if isDivided { filling.take(items: 1, bytes: spans[Int(span)].size) }
                assign(Int(span), to: filling.group)
            }
        }
        return filling.items > 0 ? Int(filling.group) + 1 : 0
    }

    /// The spans trace by trace, in the order in which the traces appear, and where each trace starts.
    func keptTraces() -> (spans: [Int32], starts: [Int]) {
        var numbers = TraceNumbers()
        var traces = [Int](repeating: -1, count: spans.count)
        var starts = [0]
        for index in spans.indices where removal(of: index) == nil {
            let trace = numbers.number(of: spans[index].traceID)
            if trace + 1 == starts.count { starts.append(0) }
            starts[trace + 1] += 1
            traces[index] = trace
        }
        for trace in 1..<starts.count { starts[trace] += starts[trace - 1] }
        var next = starts
        var ordered = [Int32](repeating: 0, count: starts.last ?? 0)
        for (index, trace) in traces.enumerated() where trace >= 0 {
            ordered[next[trace]] = Int32(truncatingIfNeeded: index)
            next[trace] += 1
        }
        return (ordered, starts)
    }
}

/// The group that is being filled.
private struct Filling {
    let itemsMax: Int
    let bytesMax: Int
    private(set) var group: UInt16 = 0
    private(set) var items = 0
    private var bytes = 0

    init(itemsMax: Int, bytesMax: Int) {
        self.itemsMax = itemsMax
        self.bytesMax = bytesMax
    }

    /// Makes room: opens the next group where this one would go over its limits.
    mutating func take(items more: Int, bytes size: Int) {
        if items > 0, group < .max, items + more > itemsMax || bytes + size > bytesMax {
            group += 1
            (items, bytes) = (0, 0)
        }
        items += more
        bytes += size
    }
}
