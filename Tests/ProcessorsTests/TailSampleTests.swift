import Basics
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

/// What is decided about whole traces, and what is written into those that are kept.
struct TailSampleTests {
    private static let map = Result { try MLflowMap(name: "map", settings: MLflowMapSettings()) }

    /// A window with these policies, in JSON.
    static func window(_ policies: String, sessions: Bool = false, mapped: Bool = true) throws -> Assemble {
        let text = #"{"policies": \#(policies), "sessions": \#(sessions)}"#
        let node = try JSONNode(parsing: Array(text.utf8))
        var context = DecodeContext()
        let settings = try #require(TailSampleSettings.shape.read(node, &context))
        #expect(context.problems.isEmpty, "\(context.problems)")
        let sampler = try TailSampler(name: "tail", settings: settings)
        return Assemble(settings: settings.assemble, processors: mapped ? [try map.get()] : [], sampler: sampler)
    }

    static func trace(
        _ spans: [TestSpan],
        at moment: UInt64 = 1_000_000_000,
        reason: WindowDecision.Reason = .complete,
        decided: DecidedOutcome? = nil
    ) -> WholeTrace {
        let part = WholeTrace.Part(
            receivedAt: UnixTime(nanoseconds: moment),
            metadata: RecordMetadata(signal: .traces, route: .experimentName("one")),
            payload: tracesRequest(spans)
        )
        let key = TraceKey(TraceID(high: 0, low: spans[0].trace))
        return WholeTrace(key: key, parts: [part], reason: reason, decided: decided)
    }

    /// A call of a model below a root, and a tool.
    private static func agent(_ change: (inout [TestSpan]) -> Void = { _ in }) -> [TestSpan] {
        var spans = [
            TestSpan("ask", id: 1, trace: 0x40_0000_0000_0000),
            TestSpan(
                "chat",
                id: 2,
                parent: 1,
                trace: 0x40_0000_0000_0000,
                [
                    "gen_ai.operation.name": "chat", "gen_ai.request.model": "large", "gen_ai.usage.input_tokens": 900,
                    "gen_ai.usage.output_tokens": 100,
                ]
            ),
            TestSpan(
                "execute_tool search",
                id: 3,
                parent: 1,
                trace: 0x40_0000_0000_0000,
                ["gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"]
            ),
        ]
        for index in spans.indices { (spans[index].start, spans[index].end) = (1_000_000_000, 2_000_000_000) }
        change(&spans)
        return spans
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let policies: String
        /// The policy that decides, with a plus where it keeps.
        let verdict: String
        var change: @Sendable (inout [TestSpan]) -> Void = { _ in }
        var testDescription: String { "\(policies) \(verdict)" }
    }

    private static let tenth = #"{"name": "rest", "ratio": 0.1}"#
    private static let error = #"{"name": "e", "keep": {"status": "error"}}"#
    private static let toolError = #"{"name": "t", "keep": {"all": [{"span_type": "TOOL"}, {"status": "error"}]}}"#

    @Test(arguments: [
        Row(policies: "[\(error)]", verdict: "-no_policy"),
        Row(policies: "[\(error)]", verdict: "+e") { $0[1].status = 2 },
        // All of it of the same span.
        Row(policies: "[\(toolError)]", verdict: "-no_policy") { $0[1].status = 2 },
        Row(policies: "[\(toolError)]", verdict: "+t") { $0[2].status = 2 },
        Row(policies: #"[{"name": "d", "keep": {"duration": {"over": "1s"}}}]"#, verdict: "-no_policy"),
        Row(policies: #"[{"name": "d", "keep": {"duration": {"over": "1s"}}}]"#, verdict: "+d") { $0[2].end += 1 },
        Row(policies: #"[{"name": "k", "keep": {"tokens": {"over": 999}}}]"#, verdict: "+k"),
        Row(policies: #"[{"name": "k", "keep": {"tokens": {"over": 1000}}}]"#, verdict: "-no_policy"),
        Row(policies: #"[{"name": "c", "keep": {"cost": {"over": 0.5}}}]"#, verdict: "-no_policy"),
        Row(policies: #"[{"name": "c", "keep": {"cost": {"over": 0.5}}}]"#, verdict: "+c") { spans in
            spans[1].attributes.append(
                ("mlflow.llm.cost", .members([("input_cost", 0.4), ("output_cost", 0.2), ("total_cost", 0.6)]))
            )
        },
        Row(
            policies: #"[{"name": "m", "keep": {"attribute": "gen_ai.request.model", "in": ["large"]}}]"#,
            verdict: "+m"
        ),
        Row(policies: #"[{"name": "s", "keep": {"spans": {"over": 2}}}]"#, verdict: "+s"),
        Row(policies: #"[{"name": "s", "keep": {"spans": {"over": 3}}}]"#, verdict: "-no_policy"),
        Row(
            policies: #"[\#(error), {"name": "h", "drop": {"all": [{"root": true}, {"name": "ask"}]}}]"#,
            verdict: "-h"
        ) { $0[1].status = 2 },
        Row(policies: #"[{"name": "h", "drop": {"name": "health"}}]"#, verdict: "+no_policy"),
        Row(policies: #"[{"name": "n", "keep": {"not": {"status": "error"}}}]"#, verdict: "+n"),
        Row(policies: #"[{"name": "n", "keep": {"not": {"status": "error"}}}]"#, verdict: "-no_policy") { spans in
            spans[2].status = 2
        },
        Row(
            policies: #"[{"name": "b", "keep": {"all": [{"span_type": "TOOL"}, {"duration": {"over": "1s"}}]}}]"#,
            verdict: "+b"
        ) { $0[0].end += 1 },
        // A randomness of a quarter.
        Row(policies: #"[{"name": "half", "ratio": 0.5}, {"name": "most", "ratio": 0.8}]"#, verdict: "+most"),
        Row(policies: #"[{"name": "half", "ratio": 0.5}]"#, verdict: "-half"),
        Row(policies: #"[{"name": "none", "ratio": 0}]"#, verdict: "-none"),
        Row(
            policies: #"[{"name": "big", "when": {"tokens": {"over": 5000}}, "ratio": 1}, \#(tenth)]"#,
            verdict: "-rest"
        ),
        Row(
            policies: #"[{"name": "big", "when": {"tokens": {"over": 500}}, "ratio": 1}, \#(tenth)]"#,
            verdict: "+big"
        ),
        Row(policies: #"[\#(error), {"name": "all", "ratio": 1}]"#, verdict: "+e") { $0[1].status = 2 },
    ])
    func `the first policy of the strongest kind that holds decides`(row: Row) throws {
        let spans = Self.agent(row.change)
        let window = try Self.window(row.policies)
        for order in [spans.map { [$0] }, spans.reversed().map { [$0] }] {
            var parts: [WholeTrace.Part] = []
            for spans in order { parts += Self.trace(spans).parts }
            let key = TraceKey(TraceID(high: 0, low: spans[0].trace))
            let made = window.assemble(WholeTrace(key: key, parts: parts, reason: .complete))
            let verdict = try #require(made.verdict)
            #expect((verdict.isKept ? "+" : "-") + verdict.policy == row.verdict)
            #expect(made.items == (verdict.isKept ? 3 : 0))
            #expect(made.sampledOut == (verdict.isKept ? 0 : 3))
            #expect(made.payload.isEmpty != verdict.isKept)
            guard verdict.isKept else { continue }
            let root = try #require(try readSpans(made.payload).first)
            #expect(root["millrace.sampling.policy"] == "\"\(verdict.policy)\"")
            #expect(root["mlflow.traceTag.millrace.sampling.policy"] == "\"\(verdict.policy)\"")
        }
    }

    static func states(_ payload: [UInt8]) throws -> [String] {
        let batch = try SpanBatch(payload)
        return batch.spans.map { batch.text($0.traceState) }
    }

    /// Randomness, `tracestate`, ratio, and what leaves: `tracestate` and how many the trace stands for; nil where it is dropped.
    @Test(arguments: [
        (0x80_0000_0000_0000 as UInt64, "", 0.5, "ot=th:8", "2"), (0x7F_FFFF_FFFF_FFFF, "", 0.5, nil, ""),
        (0xFE_0000_0000_0000, "", 0.01, "ot=th:fd70a", "100"),
        (0xFF_FFFF_FFFF_FFFF, "a=1,ot=th:8;x:y", 0.25, "ot=th:c;x:y,a=1", "4"),
        (0xFF_FFFF_FFFF_FFFF, "ot=th:c", 0.5, "ot=th:c", "4"),
        (0, "ot=rv:c0000000000000", 0.25, "ot=rv:c0000000000000;th:c", "4"),
        (0xFF_FFFF_FFFF_FFFF, "ot=rv:00000000000001", 0.5, nil, ""),
        // What contradicts itself is erased.
        (0xA0_0000_0000_0000, "ot=th:c", 0.5, "ot=th:8", "2"),
    ])
    func `a share keeps by the trace's random number and never lowers the threshold`(
        randomness: UInt64,
        before: String,
        ratio: Double,
        after: String?,
        count: String
    ) throws {
        let window = try Self.window(#"[{"name": "r", "ratio": \#(ratio)}]"#)
        var spans = (1...3).map { TestSpan("s", id: $0, parent: $0 - 1, trace: randomness | 0xAB << 56) }
        for index in spans.indices { spans[index].traceState = before }
        let made = window.assemble(Self.trace(spans))
        guard let after else {
            #expect(made.items == 0 && made.verdict == TraceVerdict(policy: "r", isKept: false))
            return
        }
        #expect(try Self.states(made.payload) == [after, after, after])
        let root = try #require(try readSpans(made.payload).first)
        #expect(root["mlflow.traceTag.millrace.sampling.adjusted_count"] == "\"\(count)\"")
        // Late spans get the same, whatever they are like.
        var late = TestSpan("late", id: 9, parent: 1, trace: spans[0].trace)
        late.status = 2
        let decided = DecidedOutcome(route: made.route, verdict: made.verdict)
        for parent in [1, 0] as [UInt64] {
            late.parent = parent
            let again = window.assemble(Self.trace([late], reason: .late, decided: decided))
            #expect(again.items == 1)
            // The trace was signed before, whether this is its root or not.
            #expect(try readSpans(again.payload)[0]["millrace.sampling.policy"] == nil)
        }
        // Another request of it, which was divided.
        var more = Self.trace([late], reason: .tooLarge, decided: decided)
        more.isContinued = true
        let other = window.assemble(more)
        #expect(try readSpans(other.payload)[0]["millrace.sampling.policy"] == nil)
        let counted = try #require(other.totals).entries.values.reduce(0) { $0 + $1.traces }
        #expect(counted == 0)
        let dropped = DecidedOutcome(verdict: TraceVerdict(policy: "gone", isKept: false))
        let gone = window.assemble(Self.trace([late], reason: .late, decided: dropped))
        #expect((gone.items, gone.sampledOut) == (0, 1))
    }

    @Test func `what a condition keeps has the tracestate it came with`() throws {
        let window = try Self.window(#"[{"name": "e", "keep": {"status": "error"}}, {"name": "r", "ratio": 0.1}]"#)
        var span = TestSpan("s", trace: 0xFF_FFFF_FFFF_FFFF)
        (span.status, span.traceState) = (2, "ot=th:8")
        let made = window.assemble(Self.trace([span]))
        #expect(try Self.states(made.payload) == ["ot=th:8"])
        #expect(try readSpans(made.payload)[0]["millrace.sampling.adjusted_count"] == "2.0")
    }

    /// Two gateways, the second behind the first: the same traces, and the count of the smaller share.
    @Test func `two gateways keep the same traces, and a chain of two knows what each stands for`() throws {
        let tenth = try (0..<2).map { _ in try Self.window(#"[{"name": "r", "ratio": 0.1}]"#, mapped: false) }
        let hundredth = try Self.window(#"[{"name": "s", "ratio": 0.01}]"#, mapped: false)
        var generator = SeededGenerator(seed: 11)
        var (kept, both, sum, chained) = (0, 0, 0.0, 0)
        let count = 100_000
        for number in 0..<count {
            let id = UInt64.random(in: 1 ... .max, using: &generator)
            let trace = Self.trace([TestSpan("s", id: UInt64(number + 1), trace: id)])
            let made = tenth[0].assemble(trace)
            #expect(made.items == tenth[1].assemble(trace).items)
            guard made.items == 1 else { continue }
            kept += 1
            let next = Self.trace([], of: made.payload, trace.key)
            let more = tenth[1].assemble(next)
            both += more.items
            let last = hundredth.assemble(next)
            guard last.items == 1 else { continue }
            chained += 1
            sum += Double(try readSpans(last.payload)[0]["millrace.sampling.adjusted_count"] ?? "") ?? 0
        }
        #expect(abs(kept - count / 10) <= count * 4 / 1000)
        #expect(both == kept)
        #expect(abs(sum - Double(count)) < Double(count) * 0.1, "\(chained) stand for \(sum)")
    }

    private static func trace(_: [TestSpan], of payload: [UInt8], _ key: TraceKey) -> WholeTrace {
        let metadata = RecordMetadata(signal: .traces)
        let part = WholeTrace.Part(receivedAt: UnixTime(nanoseconds: 1), metadata: metadata, payload: payload)
        return WholeTrace(key: key, parts: [part], reason: .complete)
    }

    @Test func `sessions are kept whole, and say by which number`() throws {
        let window = try Self.window(#"[{"name": "r", "ratio": 0.5}]"#, sessions: true)
        var kept: [Int: Set<Bool>] = [:]
        for number in 0..<2000 {
            let id = UInt64(number + 1) &* 0x9E37_79B9_7F4A_7C15
            var spans = [TestSpan("turn", id: 1, trace: id), TestSpan("s", id: 2, parent: 1, trace: id)]
            spans[0].attributes = [("session.id", .string("session-\(number / 10)"))]
            let made = window.assemble(Self.trace(spans))
            kept[number / 10, default: []].insert(made.items > 0)
            guard made.items > 0 else { continue }
            let states = try Self.states(made.payload)
            #expect(states[0].hasPrefix("ot=rv:") && states[0].hasSuffix(";th:8") && states[0] == states[1])
        }
        #expect(kept.values.allSatisfy { $0.count == 1 })
        #expect((70...130).contains(kept.values.count { $0 == [true] }))
    }

    @Test func `a rate keeps so many a second, each with what it stands for`() throws {
        let window = try Self.window(#"[{"name": "r", "rate": 50}]"#, mapped: false)
        var generator = SeededGenerator(seed: 5)
        var (kept, stands) = (0, 0.0)
        for number in 0..<20_000 {
            let trace = UInt64.random(in: 1 ... .max, using: &generator)
            // A thousand a second.
            let moment = 1_000_000_000 + UInt64(number) * 1_000_000
            let made = window.assemble(Self.trace([TestSpan("s", trace: trace)], at: moment))
            guard made.items == 1, number >= 5000 else { continue }
            kept += 1
            stands += Double(try readSpans(made.payload)[0]["millrace.sampling.adjusted_count"] ?? "") ?? 0
        }
        #expect((600...900).contains(kept), "\(kept) of 750")
        #expect(abs(stands - 15_000) < 2000, "\(stands) of 15,000")
    }

    @Test func `the first of each kind are kept in each window`() throws {
        let rare = #"[{"name": "rare", "rare": {"first": 3, "window": "10s"}}, {"name": "rest", "ratio": 0}]"#
        let window = try Self.window(rare)
        var kept: [String: Int] = [:]
        for second in 0..<20 {
            for name in ["a", "b", "c\(second)"] {
                let trace = Self.trace([TestSpan(name)], at: UInt64(second + 100) * 1_000_000_000)
                kept[name, default: 0] += window.assemble(trace).items
            }
        }
        #expect(kept["a"] == 6 && kept["b"] == 6 && kept["c19"] == 1)
    }

    @Test(arguments: [true, false])
    func `an agent of 40 minutes with pauses of five is one decision about all of it`(fails: Bool) throws {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<20 {
            let window = try Self.window(#"[{"name": "e", "keep": {"status": "error"}}, {"name": "none", "ratio": 0}]"#)
            var rehearsal = WindowRehearsal(window)
            var spans = (1...8).map { TestSpan("step", id: UInt64($0 + 1), parent: UInt64($0)) }
            if fails { spans[Int.random(in: 0..<8, using: &generator)].status = 2 }
            spans.shuffle(using: &generator)
            spans.append(TestSpan("agent", id: 1))
            for (number, span) in spans.enumerated() {
                let work = SpanWork(
                    batch: try SpanBatch(tracesRequest([span])),
                    source: RequestSource(receiver: "otlp"),
                    receivedAt: UnixTime(nanoseconds: UInt64(number) * 300_000_000_000)
                )
                rehearsal.take(work, at: .seconds(300 * number))
            }
            let decided = rehearsal.finish().map(\.trace)
            #expect(decided.map(\.items) == [fails ? 9 : 0])
            #expect(decided.map(\.sampledOut) == [fails ? 0 : 9])
        }
    }

    @Test func `what was spent is known of kept and of dropped traces`() throws {
        let window = try Self.window(#"[{"name": "none", "ratio": 0}]"#)
        let totals = try #require(window.assemble(Self.trace(Self.agent { $0[2].status = 2 })).totals)
        var entry = TraceTotals.Entry()
        (entry.traces, entry.errors, entry.tokens) = (1, 1, 1000)
        #expect(totals.route == .experimentName("one") && totals.entries == ["large": entry])
    }

    @Test(arguments: [
        (#"[]"#, "0 policies; allowed: from 1 to 64"),
        (#"[{"name": "a"}]"#, "a policy says nothing; allowed: one of keep, drop, ratio, rate, rare"),
        (#"[{"name": "a", "ratio": 1, "keep": {"root": true}}]"#, "a policy has one of them, not keep and ratio"),
        (#"[{"name": "a", "ratio": 1}, {"name": "a", "ratio": 1}]"#, "two policies have the name \"a\""),
        (#"[{"name": "no_policy", "ratio": 1}]"#, "cannot be the name of a policy"),
        (#"[{"name": "a", "slim": {"root": true}}]"#, "\"slim\" is not available in this version"),
        (#"[{"name": "a", "keep": {"cost": {"over": 1}}}]"#, ""),
        (#"[{"name": "a", "keep": {"cost": "much"}}]"#, "a number is expected"),
        (#"[{"name": "a", "keep": {"all": [{"tokens": {"over": 1}, "root": true}]}}]"#, "\"root\" is not known here"),
        (#"[{"name": "a", "rare": {"window": "1h"}}]"#, "\"first\" is missing"),
    ])
    func `what a policy cannot be is said`(policies: String, problem: String) throws {
        let node = try JSONNode(parsing: Array(#"{"policies": \#(policies)}"#.utf8))
        var context = DecodeContext()
        _ = TailSampleSettings.shape.read(node, &context)
        let problems = context.problems.map(\.message)
        guard !problem.isEmpty else { return #expect(problems.isEmpty) }
        #expect(problems.contains { $0.contains(problem) }, "\(problems)")
    }
}
