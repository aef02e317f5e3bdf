import OTLP

/// What the spans of one request say about their traces.
struct TraceFacts {
    /// A session or user that some span names.
    struct Candidate {
        let attribute: Int
        /// Of the rule; `SpanPlan.Text.lastWordsRank` for none.
        let rank: Int
        /// The text inside the attribute; nil where it is all of it.
        var text: Range<Int>?

        /// Whether a rule names the key.
        var isNamed: Bool { rank != SpanPlan.Text.lastWordsRank }
    }

    struct Trace {
        var sessionOfRoot: Candidate?
        var session = Outermost()
        var userOfRoot: Candidate?
        var user = Outermost()
        /// The first span in the request that MLflow takes a session from: the attribute, and whether it is the
        /// conversation's id, which `session.id` beats.
        var visible: (span: Int, attribute: Int, isConversation: Bool)?
        /// The first root, which gets what belongs to the whole trace.
        var root: Int?
        /// What that root has content for.
        var rootSays: Sides = []
        /// The first root that says nothing by its name.
        var plainRoot: Int?

        /// Whether the other spans may have what the root lacks.
        var isWanting: Bool { plainRoot != nil || !rootSays.isSuperset(of: [.question, .answer]) }
    }

    /// What the outermost span says, the one that starts first; a key that a rule names comes before others.
    struct Outermost {
        private(set) var candidate: Candidate?
        private var start = UInt64.max

        mutating func note(_ other: Candidate, at time: UInt64) {
            guard let known = candidate else { return (candidate, start) = (other, time) }
            guard other.isNamed == known.isNamed else {
                if other.isNamed { (candidate, start) = (other, time) }
                return
            }
            if (time, other.rank) < (start, known.rank) { (candidate, start) = (other, time) }
        }
    }

    /// A tag or a prompt that some span names, by attributes; small, because a span may name many.
    struct Note: BitwiseCopyable {
        private let traceNumber: Int32
        private let attributeNumber: Int32
        private let moreNumber: Int32
        private let rankNumber: Int16
        let isPrompt: Bool
        let isRoot: Bool

        /// - Parameters:
        ///   - trace: Index of the trace.
        ///   - rank: Rank of the rule.
        ///   - attribute: Of a prompt its name.
        ///   - more: Of a prompt the attribute that is its version; of a tag by prefix, how long that is.
        ///   - isPrompt: Whether it is no tag.
        ///   - isRoot: Whether a root names it.
        init(trace: Int, rank: Int, attribute: Int, more: Int?, isPrompt: Bool, isRoot: Bool) {
            traceNumber = Int32(truncatingIfNeeded: trace)
            rankNumber = Int16(truncatingIfNeeded: rank)
            attributeNumber = Int32(truncatingIfNeeded: attribute)
            moreNumber = Int32(truncatingIfNeeded: more ?? -1)
            self.isPrompt = isPrompt
            self.isRoot = isRoot
        }

        var trace: Int { Int(traceNumber) }
        var rank: Int { Int(rankNumber) }
        var attribute: Int { Int(attributeNumber) }
        var more: Int? { moreNumber < 0 ? nil : Int(moreNumber) }
    }

    /// A span that carries usage and is no model call.
    struct Wrapper {
        let span: Int
        /// Nil where only a cost is known.
        let spent: SpentTokens?
        /// Whether it has no content.
        let isBare: Bool
    }

    /// A span that carries what a call of a model used, or what it cost.
    struct ModelCall {
        let span: Int
        var hasUsage: Bool
        /// As the rule found it; nil for what the app wrote itself.
        var spent: SpentTokens?
        /// How many bytes had been added when its usage and its cost were; nil for what the app wrote itself.
        var usage: Int?
        var cost: Int?
    }

    /// A span without a status of whose failure something else tells.
    struct Failure {
        let span: Int
        let message: Range<Int>
        let decider: SpanMapper.Decider
    }

    private(set) var traces: [Trace] = []
    /// Tags and prompts, in the order in which spans name them.
    private(set) var notes: [Note] = []
    /// The first root of each trace that has one, with its trace.
    private(set) var roots: [(span: Int, trace: Int)] = []
    /// Spans that carry usage and are no model calls, in their order.
    private(set) var wrappers: [Wrapper] = []
    /// Model calls with usage.
    private(set) var modelCalls: [ModelCall] = []
    /// Spans without a status that failed as it seems, in their order.
    private(set) var failures: [Failure] = []
    /// Those of them, and of the roots above, that got that status.
    private(set) var failed: Set<Int> = []
    /// Spans that end before they start, or never ended.
    private(set) var untimely: [Int] = []
    /// Roots whose output is the print of an object.
    private(set) var silent: Set<Int> = []
    /// What spans say themselves, in their order; a span may stand there twice.
    private var said: [(span: Int32, sides: Sides)] = []
    /// Whether the root of any trace lacks something.
    private(set) var hasWanting = false
    private var numbers = TraceNumbers()

    /// Traces and spans for which memory stays for the next batch, at most.
    private static let keptMax = 1024

    /// Forgets everything, and gives back the memory that few batches need.
    mutating func clear() {
        if traces.count > Self.keptMax { numbers = TraceNumbers() } else { numbers.clear() }
        Self.clear(&traces)
        Self.clear(&notes)
        Self.clear(&roots)
        Self.clear(&wrappers)
        Self.clear(&modelCalls)
        Self.clear(&untimely)
        Self.clear(&said)
        Self.clear(&failures)
        failed = []
        silent = []
        hasWanting = false
    }

    private static func clear<Element>(_ list: inout [Element]) {
        if list.capacity > keptMax { list = [] } else { list.removeAll(keepingCapacity: true) }
    }

    /// Forgets what a span, the last one that was mapped, carries and says.
    mutating func forget(_ span: Int) {
        while let last = said.last, Int(last.span) == span { said.removeLast() }
        if wrappers.last?.span == span { wrappers.removeLast() }
        if modelCalls.last?.span == span { modelCalls.removeLast() }
        if failures.last?.span == span { failures.removeLast() }
        silent.remove(span)
    }

    /// Notes a tag or a prompt of the span at hand.
    mutating func note(_ extra: SpanPlan.Extra, first: Int, isPrompt: Bool, of span: SpanEntry) {
        notes.append(
            Note(
                trace: index(of: span.traceID),
                rank: extra.rank,
                attribute: first &+ extra.attribute,
                more: isPrompt ? extra.more.map { first &+ $0 } : extra.more,
                isPrompt: isPrompt,
                isRoot: span.parentID == nil
            )
        )
    }

    /// The notes of each trace that has some, as positions in `notes`, those of its roots first.
    func notesByTrace() -> [Int: [Int32]] {
        var lists: [Int: [Int32]] = [:]
        for isRoot in [true, false] {
            for index in notes.indices where notes[index].isRoot == isRoot {
                lists[notes[index].trace, default: []].append(Int32(truncatingIfNeeded: index))
            }
        }
        return lists
    }

    /// Changes what is known of one trace.
    mutating func update(_ id: TraceID, _ change: (inout Trace) -> Void) {
        change(&traces[index(of: id)])
    }

    mutating func noteRoot(_ span: Int, of id: TraceID) {
        let index = index(of: id)
        guard traces[index].root == nil else { return }
        traces[index].root = span
        for last in said.reversed() {
            guard Int(last.span) == span else { break }
            traces[index].rootSays.formUnion(last.sides)
        }
        if traces[index].isWanting { hasWanting = true }
        roots.append((span, index))
    }

    /// Notes what a span has content for.
    mutating func noteContent(_ span: Int, _ hasInputs: Bool, _ hasOutputs: Bool) {
        let sides = Sides(rawValue: (hasInputs ? 1 : 0) | (hasOutputs ? 2 : 0))
        said.append((Int32(truncatingIfNeeded: span), sides))
    }

    /// Notes a root whose output says nothing.
    mutating func noteSilent(_ span: Int) { silent.insert(span) }

    /// Notes that a span got an answer from below.
    mutating func noteAnswered(_ span: Int) { silent.remove(span) }

    /// Notes that a span may be named after an agent or a workflow.
    mutating func noteNames(_ span: Int) { said.append((Int32(truncatingIfNeeded: span), .name)) }

    /// What each span says, of so many.
    func sides(of count: Int) -> [UInt8] {
        var sides = [UInt8](repeating: 0, count: count)
        for (span, said) in said { sides[Int(span)] |= said.rawValue }
        return sides
    }

    /// The number of a trace, a new one where it is not known.
    mutating func number(of id: TraceID) -> Int { index(of: id) }

    mutating func noteUntimely(_ span: Int) { untimely.append(span) }

    /// Notes a root that names its trace only where no better span does.
    mutating func notePlainRoot(_ span: Int, of id: TraceID) {
        let index = index(of: id)
        guard traces[index].plainRoot == nil else { return }
        traces[index].plainRoot = span
        hasWanting = true
    }

    mutating func noteWrapper(_ wrapper: Wrapper) { wrappers.append(wrapper) }
    mutating func noteModelCall(_ call: ModelCall) { modelCalls.append(call) }

    mutating func noteFailure(_ span: Int, _ message: Range<Int>, _ decider: SpanMapper.Decider) {
        failures.append(Failure(span: span, message: message, decider: decider))
    }

    /// What was noted of a span's failure; they stand in the order of spans.
    func failure(of span: Int) -> Failure? {
        var (low, high) = (0, failures.count)
        while low < high {
            let middle = (low + high) / 2
            if failures[middle].span < span { low = middle + 1 } else { high = middle }
        }
        return low < failures.count && failures[low].span == span ? failures[low] : nil
    }

    mutating func noteFailed(_ span: Int) { failed.insert(span) }

    /// Whether the span at hand has an output.
    func hasAnswer(_ span: Int) -> Bool { says(span, [.answer]) }

    /// Whether the span at hand has inputs or outputs.
    func hasContent(_ span: Int) -> Bool { says(span, [.question, .answer]) }

    private func says(_ span: Int, _ sides: Sides) -> Bool {
        for last in said.reversed() {
            guard Int(last.span) == span else { return false }
            if !last.sides.isDisjoint(with: sides) { return true }
        }
        return false
    }

    private mutating func index(of id: TraceID) -> Int {
        let index = numbers.number(of: id)
        if index == traces.count { traces.append(Trace()) }
        return index
    }
}
