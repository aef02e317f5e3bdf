import Basics

extension SpanBatch {
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
