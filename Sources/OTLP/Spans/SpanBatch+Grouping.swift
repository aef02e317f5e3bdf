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
        for trace in keptTraces() {
            let size = trace.reduce(0) { $0 + spans[Int($1)].size }
            let isDivided = dividesTraces && (trace.count > itemsMax || size > bytesMax)
            if !isDivided { filling.take(items: trace.count, bytes: size) }
            for span in trace {
                if isDivided { filling.take(items: 1, bytes: spans[Int(span)].size) }
                assign(Int(span), to: filling.group)
            }
        }
        return filling.items > 0 ? Int(filling.group) + 1 : 0
    }

    /// The spans of each trace, in the order in which the traces appear.
    private func keptTraces() -> [[Int32]] {
        var indices: [TraceID: Int] = [:]
        var traces: [[Int32]] = []
        for index in spans.indices where removal(of: index) == nil {
            let trace = indices[spans[index].traceID, default: traces.count]
            if trace == traces.count {
                indices[spans[index].traceID] = trace
                traces.append([])
            }
            traces[trace].append(Int32(truncatingIfNeeded: index))
        }
        return traces
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
