import OTLP
import Testing

@testable import MLflow

/// Which spans of a trace its question, its answer and its name come from.
struct TraceSearchTests {
    private func span(
        _ id: UInt64,
        below parent: UInt64?,
        _ kind: TraceSpan.Kind = .other,
        _ times: ClosedRange<UInt64> = 10...20,
        says: Sides = []
    ) -> TraceSpan {
        TraceSpan(
            id: SpanID(id),
            parent: parent.map { SpanID($0) },
            start: times.lowerBound,
            end: times.upperBound,
            kind: kind,
            says: says
        )
    }

    private func conversation(
        _ question: String?,
        _ answer: String?,
        call: String? = nil,
        after: [UInt64] = []
    ) -> Conversation {
        var conversation = Conversation()
        conversation.question = question.map { Array($0.utf8) }
        conversation.answer = answer.map { Array($0.utf8) }
        conversation.call = call.map { Array($0.utf8) }
        conversation.messages = after
        return conversation
    }

    /// The question and the answer, each with the position of its span.
    private func search(_ spans: [TraceSpan], _ conversations: [Int: Conversation]) -> [String?] {
        var search = TraceSearch(TraceOutline(spans, root: 0))
        while let span = search.next() { search.take(conversations[span]) }
        return [search.summary.question, search.summary.answer].map { found in
            found.map { "\(String(decoding: $0.text, as: UTF8.self)) of \($0.span)" }
        }
    }

    private let both: Sides = [.question, .answer]

    @Test func `an outermost conversation hides those below it`() {
        let spans = [
            span(1, below: nil), span(2, below: 1, .agent, says: both), span(3, below: 2, .model, says: both),
        ]
        let found = search(spans, [1: conversation("q", "a"), 2: conversation("inner q", "inner a")])
        #expect(found == ["q of 1", "a of 1"])
    }

    @Test func `what an outer span says only in a form that nobody said is looked for below it`() {
        let spans = [
            span(1, below: nil), span(2, below: 1, .agent, says: both), span(3, below: 2, .model, says: both),
        ]
        let found = search(spans, [1: conversation(nil, "a"), 2: conversation("inner q", "inner a")])
        #expect(found == ["inner q of 2", "a of 1"])
    }

    @Test func `the question is the first's by start and the answer the last's by end`() {
        let spans = [
            span(1, below: nil), span(2, below: 1, .model, 20...30, says: both),
            span(3, below: 1, .model, 10...15, says: both),
        ]
        let found = search(
            spans,
            [1: conversation("q", "a", after: [1, 2]), 2: conversation("q", nil, call: "{}", after: [1])]
        )
        #expect(found == ["q of 1", "a of 1"])
    }

    @Test func `a conversation that goes on shows what was asked last`() {
        let spans = [
            span(1, below: nil), span(2, below: 1, .model, 10...15, says: both),
            span(3, below: 1, .model, 20...30, says: both),
        ]
        let first = conversation("My name is Ada.", "Hello.", after: [1])
        #expect(
            search(spans, [1: first, 2: conversation("Who am I?", "Ada.", after: [1, 2, 3])]) == [
                "Who am I? of 2", "Ada. of 2",
            ]
        )
        let joined = conversation("My name is Ada.\nHello.\nWho am I?", "Ada.", after: [9])
        #expect(search(spans, [1: first, 2: joined]) == ["Who am I? of 1", "Ada. of 2"])
        let informed = conversation("My name is Ada.\nNames: Ada, Bob.", "Ada.", after: [9])
        #expect(search(spans, [1: first, 2: informed]) == ["My name is Ada. of 1", "Ada. of 2"])
        let called = conversation("My name is Ada.\nnull\n\n", "Hello.", after: [9])
        #expect(
            search(spans, [1: conversation("My name is Ada.", nil), 2: called]) == [
                "My name is Ada. of 1", "Hello. of 2",
            ]
        )
    }

    @Test func `both sides of independent conversations are those of one`() {
        let spans = [
            span(1, below: nil), span(2, below: 1, .model, 10...15, says: both),
            span(3, below: 1, .model, 20...30, says: both),
        ]
        let first = conversation("one", "1", after: [1])
        #expect(search(spans, [1: first, 2: conversation("two", "2", after: [2])]) == ["two of 2", "2 of 2"])
        #expect(search(spans, [1: first, 2: conversation(nil, "2")]) == ["one of 1", "1 of 1"])
        #expect(search(spans, [1: conversation("one", nil), 2: conversation(nil, "2")]) == ["one of 1", "2 of 2"])
    }

    @Test(arguments: [TraceSpan.Kind.tool, .aside])
    func `tools and what stands beside a conversation are none, nor is what they call`(kind: TraceSpan.Kind) {
        let spans = [span(1, below: nil), span(2, below: 1, kind, says: both), span(3, below: 2, .model, says: both)]
        #expect(search(spans, [1: conversation("q", "a"), 2: conversation("q", "a")]) == [nil, nil])
    }

    @Test func `a call alone is no answer, unless nothing follows it`() {
        let model = span(2, below: 1, .model, 10...20, says: both)
        let call = conversation("q", nil, call: #"{"city":"Paris"}"#)
        #expect(search([span(1, below: nil), model], [1: call]) == ["q of 1", #"{"city":"Paris"} of 1"#])
        for follower in [TraceSpan.Kind.tool, .model] {
            let spans = [span(1, below: nil), model, span(3, below: 1, follower, 25...30)]
            #expect(search(spans, [1: call]) == ["q of 1", nil])
        }
    }

    @Test func `titles and memories are no conversation`() {
        var title = conversation("Name this.", "Weather")
        title.isHelper = true
        let spans = [
            span(1, below: nil), span(2, below: 1, .model, 10...15, says: both),
            span(3, below: 1, .model, 20...30, says: both),
        ]
        #expect(search(spans, [1: conversation("q", "a"), 2: title]) == ["q of 1", "a of 1"])
    }

    @Test func `a span whose parent is missing is below the root of its trace, where there is but one`() {
        let stray = span(3, below: 99, .model, says: both)
        #expect(search([span(1, below: nil), stray], [1: conversation("q", "a")]) == ["q of 1", "a of 1"])
        let roots = [span(1, below: nil), stray, span(4, below: nil)]
        #expect(search(roots, [1: conversation("q", "a")]) == [nil, nil])
    }

    @Test func `spans in a circle and spans of one id are looked at once`() {
        let spans = [
            span(1, below: nil), span(2, below: 3, says: both), span(3, below: 2, says: both),
            span(4, below: 4, says: both),
            span(5, below: 1, .agent, says: both), span(5, below: 1, .agent, says: both),
        ]
        let found = search(
            spans,
            [1: conversation("x", "x"), 4: conversation("q", "a", after: [1]), 5: conversation("q", "a", after: [1])]
        )
        #expect(found == ["q of 5", "a of 5"])
    }

    @Test func `a trace is named after the first outermost agent, workflow or conversation`() {
        var steps = 0
        let spans = [
            span(1, below: nil), span(2, below: 1, .tool, 1...2, says: both), span(3, below: 1, .other, 3...9),
            span(4, below: 3, .agent, 4...8), span(5, below: 1, .model, 5...6, says: both),
        ]
        #expect(TraceOutline(spans, root: 0).namingSpan(steps: &steps) == 3)
        #expect(TraceOutline(Array(spans[..<3]), root: 0).namingSpan(steps: &steps) == nil)
        #expect(steps > 0)
    }

    @Test func `a deep trace and a wide one cost their size`() {
        func steps(_ count: Int, _ parent: (Int) -> UInt64) -> Int {
            let spans = (0..<count).map { index in
                span(UInt64(index + 1), below: index == 0 ? nil : parent(index), .model, 10...20, says: both)
            }
            var search = TraceSearch(TraceOutline(spans, root: 0))
            while let span = search.next() { search.take(span == count - 1 ? conversation("q", "a") : nil) }
            #expect(search.summary.answer?.span == count - 1)
            return search.steps
        }
        #expect(steps(20_000) { UInt64($0) } <= 2 * steps(10_000) { UInt64($0) } + 100)
        #expect(steps(20_000) { _ in 1 } <= 5 * steps(10_000) { _ in 1 } / 2)
    }
}
