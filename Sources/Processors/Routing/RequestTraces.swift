import Basics
import OTLP

/// The traces of one request.
struct RequestTraces {
    struct Trace {
        let id: TraceID
        let first: Int
        var root: Int?
    }

    private(set) var traces: [Trace] = []
    /// By span: its trace, -1 for a removed one.
    private var indices: [Int32]

    init(_ batch: SpanBatch) {
        indices = [Int32](filledWith: -1, count: batch.spans.count)
        var known: [TraceID: Int] = [:]
        var latest = -1
        for (span, entry) in batch.spans.enumerated() where batch.removal(of: span) == nil {
            if latest < 0 || traces[latest].id != entry.traceID {
                latest = known[entry.traceID] ?? traces.count
                if latest == traces.count {
                    known[entry.traceID] = latest
                    traces.append(Trace(id: entry.traceID, first: span))
                }
            }
            if traces[latest].root == nil, entry.parentID == nil { traces[latest].root = span }
            indices[span] = Int32(truncatingIfNeeded: latest)
        }
    }

    /// The trace of a span, as an index; nil for a removed span.
    func trace(of span: Int) -> Int? { indices[span] < 0 ? nil : Int(indices[span]) }
}
