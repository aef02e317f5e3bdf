import Basics
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Processors

/// What one client, or a clock that is set, cannot do to the traces of others.
struct TailSampleBoundsTests {
    @Test func `a late span that does not name its session says nothing of its number`() throws {
        let window = try TailSampleTests.window(#"[{"name": "r", "ratio": 0.5}]"#, sessions: true)
        let verdict = TraceVerdict(policy: "r", isKept: true, threshold: 1 << 55)
        let decided = DecidedOutcome(route: .experimentName("one"), verdict: verdict)
        var late = TestSpan("late", id: 9, parent: 1, trace: 5)
        let made = window.assemble(TailSampleTests.trace([late], reason: .late, decided: decided))
        #expect(try TailSampleTests.states(made.payload) == [""])
        late.attributes = [("session.id", .string("session"))]
        let named = window.assemble(TailSampleTests.trace([late], reason: .late, decided: decided))
        #expect(try TailSampleTests.states(named.payload)[0].hasSuffix(";th:8"))
    }

    /// Traces every 50 ms; the fourth second begins with a span of which its client says that it stands for any number.
    @Test func `one client makes a rate drop nothing of others for longer than a second`() throws {
        let window = try TailSampleTests.window(#"[{"name": "r", "rate": 100}]"#, mapped: false)
        var generator = SeededGenerator(seed: 8)
        var kept = 0
        for number in 0..<400 {
            var span = TestSpan("s", trace: UInt64.random(in: 1 ... .max, using: &generator))
            let moment = 1_000_000_000 + UInt64(number) * 50_000_000
            if number == 80 {
                span.traceState = "ot=th:ffffffffffffff;rv:ffffffffffffff"
                _ = window.assemble(TailSampleTests.trace([span], at: moment))
            } else {
                kept += window.assemble(TailSampleTests.trace([span], at: moment)).items
            }
        }
        #expect(kept >= 379, "\(kept) of 399")
    }

    /// Twenty traces a second, and a clock that shows another hour for one of them.
    @Test func `a clock that is set changes neither a rate nor what is rare`() throws {
        let rare = #"{"name": "rare", "when": {"name": "k"}, "rare": {"first": 1, "window": "2s"}}"#
        let window = try TailSampleTests.window(
            #"[\#(rare), {"name": "r", "when": {"name": "s"}, "rate": 100}]"#,
            mapped: false
        )
        var kept = (0, 0)
        for number in 0..<400 {
            let shown = UInt64(number) * 50_000_000 + ((100..<120).contains(number) ? 3600 : 0) * 1_000_000_000
            for name in ["s", "k"] {
                var trace = TailSampleTests.trace([TestSpan(name, trace: UInt64(number + 1))], at: shown)
                trace.decidedAt = .milliseconds(number * 50)
                let items = window.assemble(trace).items
                if name == "s" { kept.0 += items } else { kept.1 += items }
            }
        }
        #expect(kept == (400, 10))
    }

    @Test func `many kinds make none of the others less rare, and what comes often stays known`() throws {
        let rare = #"[{"name": "rare", "rare": {"first": 2, "window": "1h"}}, {"name": "rest", "ratio": 0}]"#
        let window = try TailSampleTests.window(rare, mapped: false)
        var often = 0
        for number in 0..<12_000 {
            _ = window.assemble(TailSampleTests.trace([TestSpan("GET /users/\(number)")]))
            if number % 1000 == 0 { often += window.assemble(TailSampleTests.trace([TestSpan("often")])).items }
        }
        #expect(often == 2)
        #expect(window.assemble(TailSampleTests.trace([TestSpan("new")])).items == 1)
    }

    @Test func `what one client writes of its costs makes no sum useless`() throws {
        let window = try TailSampleTests.window(#"[{"name": "all", "ratio": 1}]"#, mapped: false)
        let spans = (1...3).map { number in
            TestSpan(
                "chat",
                id: UInt64(number),
                parent: UInt64(number - 1),
                ["gen_ai.usage.cost": .double(1.7e308), "gen_ai.usage.input_tokens": .int(1 << 62)]
            )
        }
        let totals = try #require(window.assemble(TailSampleTests.trace(spans)).totals)
        let entry = try #require(totals.entries[""])
        #expect(entry.cost == 3e9 && entry.tokens == 3_000_000_000_000)
    }
}
