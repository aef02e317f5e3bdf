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
        /// Tags and prompts, those of the root first.
        var notes: [Note] = []
        /// The root that is a plain call and has no name of its own, and the earliest span that may name the trace.
        var plainRoot: Int?
        var earliest: Int?
    }

    /// A tag or a prompt that some span names, by attributes.
    enum Note {
        /// Of a tag by prefix, the rest of the key is its name.
        case tag(rank: Int, attribute: Int, prefix: Int?)
        case prompt(rank: Int, name: Int, version: Int)
    }

    private(set) var traces: [Trace] = []
    /// Roots, each with its trace.
    private(set) var roots: [(span: Int, trace: Int)] = []
    /// Spans that carry usage and are no model calls.
    private(set) var wrappers: [Int] = []
    /// Model calls with usage.
    private(set) var modelCalls: [Int] = []
    /// Spans that end before they start, or never ended.
    private(set) var untimely: [Int] = []
    /// Spans that are nothing but a call of HTTP or RPC.
    private(set) var plainCalls: Set<Int> = []
    /// Traces whose root is such a call.
    private(set) var plainTraces: [Int] = []
    private var numbers = TraceNumbers()

    mutating func clear() {
        traces.removeAll(keepingCapacity: true)
        roots.removeAll(keepingCapacity: true)
        wrappers.removeAll(keepingCapacity: true)
        modelCalls.removeAll(keepingCapacity: true)
        untimely.removeAll(keepingCapacity: true)
        plainTraces.removeAll(keepingCapacity: true)
        if !plainCalls.isEmpty { plainCalls.removeAll(keepingCapacity: true) }
        numbers.clear()
    }

    /// Changes what is known of one trace.
    mutating func update(_ id: TraceID, _ change: (inout Trace) -> Void) {
        change(&traces[index(of: id)])
    }

    mutating func noteRoot(_ span: Int, of id: TraceID) {
        roots.append((span, index(of: id)))
    }

    mutating func noteUntimely(_ span: Int) { untimely.append(span) }
    mutating func notePlainCall(_ span: Int) { plainCalls.insert(span) }

    /// Notes a root that names its trace only where no better span does.
    mutating func notePlainRoot(_ span: Int, of id: TraceID) {
        let index = index(of: id)
        traces[index].plainRoot = traces[index].plainRoot ?? span
        plainTraces.append(index)
    }

    mutating func noteWrapper(_ span: Int) { wrappers.append(span) }
    mutating func noteModelCall(_ span: Int) { modelCalls.append(span) }

    private mutating func index(of id: TraceID) -> Int {
        let index = numbers.number(of: id)
        if index == traces.count { traces.append(Trace()) }
        return index
    }
}
