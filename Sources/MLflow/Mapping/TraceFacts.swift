import OTLP

/// What the spans of one request say about their traces.
struct TraceFacts {
    /// A session or user that some span names.
    struct Candidate {
        let attribute: Int
        let rank: Int
    }

    struct Trace {
        var sessionOfRoot: Candidate?
        var session: Candidate?
        var userOfRoot: Candidate?
        var user: Candidate?
        /// The first span in the request that MLflow takes a session from: the attribute, and whether it is the
        /// conversation's id, which `session.id` beats.
        var visible: (span: Int, attribute: Int, isConversation: Bool)?
    }

    private(set) var traces: [Trace] = []
    /// Roots, each with its trace.
    private(set) var roots: [(span: Int, trace: Int)] = []
    /// Spans that carry usage and are no model calls.
    private(set) var wrappers: [Int] = []
    /// Model calls with usage.
    private(set) var modelCalls: [Int] = []
    private var indices: [TraceID: Int] = [:]
    private var latest: (id: TraceID, index: Int)?

    mutating func clear() {
        traces.removeAll(keepingCapacity: true)
        roots.removeAll(keepingCapacity: true)
        wrappers.removeAll(keepingCapacity: true)
        modelCalls.removeAll(keepingCapacity: true)
        indices.removeAll(keepingCapacity: true)
        latest = nil
    }

    /// Changes what is known of one trace.
    mutating func update(_ id: TraceID, _ change: (inout Trace) -> Void) {
        change(&traces[index(of: id)])
    }

    mutating func noteRoot(_ span: Int, of id: TraceID) {
        roots.append((span, index(of: id)))
    }

    mutating func noteWrapper(_ span: Int) { wrappers.append(span) }
    mutating func noteModelCall(_ span: Int) { modelCalls.append(span) }

    /// The spans of one trace mostly stand together, so the latest is tried first.
    private mutating func index(of id: TraceID) -> Int {
        if let latest, latest.id == id { return latest.index }
        let index = indices[id] ?? traces.count
        if index == traces.count {
            traces.append(Trace())
            indices[id] = index
        }
        latest = (id, index)
        return index
    }
}
