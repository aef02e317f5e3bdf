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
        /// Tags and prompts that roots name, and those that other spans name.
        var rootNotes: [Note] = []
        var notes: [Note] = []
        /// The first root, which gets what belongs to the whole trace.
        var root: Int?
        /// The first root that is a plain call and has no name of its own, and the earliest span that may name the trace.
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
    /// The first root of each trace that has one, with its trace.
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

    /// Traces and spans for which memory stays for the next batch, at most.
    private static let keptMax = 1024

    /// Forgets everything, and gives back the memory that few batches need.
    mutating func clear() {
        if traces.count > Self.keptMax { numbers = TraceNumbers() } else { numbers.clear() }
        Self.clear(&traces)
        Self.clear(&roots)
        Self.clear(&wrappers)
        Self.clear(&modelCalls)
        Self.clear(&untimely)
        Self.clear(&plainTraces)
        if !plainCalls.isEmpty { plainCalls = [] }
    }

    private static func clear<Element>(_ list: inout [Element]) {
        if list.capacity > keptMax { list = [] } else { list.removeAll(keepingCapacity: true) }
    }

    /// Forgets that a span, the last one that was mapped, carries usage.
    mutating func forgetUsage(of span: Int) {
        if wrappers.last == span { wrappers.removeLast() }
        if modelCalls.last == span { modelCalls.removeLast() }
    }

    /// Notes a tag or a prompt, in its place.
    mutating func note(_ note: Note, of id: TraceID, isRoot: Bool) {
        let index = index(of: id)
        if isRoot { traces[index].rootNotes.append(note) } else { traces[index].notes.append(note) }
    }

    /// Changes what is known of one trace.
    mutating func update(_ id: TraceID, _ change: (inout Trace) -> Void) {
        change(&traces[index(of: id)])
    }

    mutating func noteRoot(_ span: Int, of id: TraceID) {
        let index = index(of: id)
        guard traces[index].root == nil else { return }
        traces[index].root = span
        roots.append((span, index))
    }

    mutating func noteUntimely(_ span: Int) { untimely.append(span) }
    mutating func notePlainCall(_ span: Int) { plainCalls.insert(span) }

    /// Notes a root that names its trace only where no better span does.
    mutating func notePlainRoot(_ span: Int, of id: TraceID) {
        let index = index(of: id)
        guard traces[index].plainRoot == nil else { return }
        traces[index].plainRoot = span
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
