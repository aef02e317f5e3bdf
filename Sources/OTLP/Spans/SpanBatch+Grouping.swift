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
        var filling = Filling(itemsMax: itemsMax, bytesMax: bytesMax, partsMax: Int(UInt16.max) + 1)
        let traces = keptTraces()
        for trace in 0..<traces.starts.count - 1 {
            let kept = traces.spans[traces.starts[trace]..<traces.starts[trace + 1]]
            let size = kept.reduce(0) { $0 + spans[Int($1)].size }
            let isDivided = dividesTraces && (kept.count > itemsMax || size > bytesMax)
            if !isDivided { filling.take(items: kept.count, bytes: size) }
            for span in kept {
                if isDivided { filling.take(items: 1, bytes: spans[Int(span)].size) }
                assign(Int(span), to: UInt16(filling.part))
            }
        }
        return filling.items > 0 ? filling.part + 1 : 0
    }

    /// Divides a group that has more than `itemsMax` spans, removed ones not counted, so that whole traces stay together.
    ///
    /// The first part keeps the number of the group, the others get numbers from `next` on. A trace of more spans than that is a
    /// part by itself, and where numbers end the last part takes the rest.
    ///
    /// - Returns: How many parts have a new number.
    package mutating func divide(group: UInt16, itemsMax: Int, from next: UInt16) -> Int {
        guard count(of: group) > itemsMax else { return 0 }
        var filling = Filling(itemsMax: itemsMax, bytesMax: .max, partsMax: Int(UInt16.max) - Int(next) + 2)
        let traces = keptTraces(of: group)
        for trace in 0..<traces.starts.count - 1 {
            let kept = traces.spans[traces.starts[trace]..<traces.starts[trace + 1]]
            filling.take(items: kept.count, bytes: 0)
            guard filling.part > 0 else { continue }
            for span in kept { assign(Int(span), to: next + UInt16(filling.part - 1)) }
        }
        return filling.part
    }

    /// The spans trace by trace, in the order in which the traces appear, and where each trace starts.
    ///
    /// Those of one group, where one is named.
    private func keptTraces(of group: UInt16? = nil) -> (spans: [Int32], starts: [Int]) {
        var numbers = TraceNumbers()
        var traces = [Int](repeating: -1, count: spans.count)
        var starts = [0]
        for index in spans.indices where removal(of: index) == nil && (group == nil || self.group(of: index) == group) {
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

/// The part that is being filled.
private struct Filling {
    let itemsMax: Int
    let bytesMax: Int
    let partsMax: Int
    private(set) var part = 0
    private(set) var items = 0
    private var bytes = 0

    init(itemsMax: Int, bytesMax: Int, partsMax: Int) {
        self.itemsMax = itemsMax
        self.bytesMax = bytesMax
        self.partsMax = partsMax
    }

    /// Makes room: opens the next part where this one would go over its limits.
    mutating func take(items more: Int, bytes size: Int) {
        if items > 0, part < partsMax - 1, items + more > itemsMax || bytes + size > bytesMax {
            part += 1
            (items, bytes) = (0, 0)
        }
        items += more
        bytes += size
    }
}
