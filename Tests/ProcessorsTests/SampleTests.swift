import Basics
import MLflow
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

struct SampleTests {
    private func sample(_ ratio: Double, keep: String? = nil) throws -> Sample {
        var settings = SampleSettings()
        settings.ratio = ratio
        settings.keep = try keep.map { try JSONNode(parsing: Array($0.utf8)) }
        return try Sample(name: "sample", settings: settings)
    }

    /// A span whose trace id ends in these 56 bits.
    private func span(_ randomness: UInt64, state: String = "") -> TestSpan {
        var span = TestSpan(trace: randomness | 0xAB << 56)
        span.traceState = state
        return span
    }

    @Test(
        arguments: [
            (0.25, 0xBF_FFFF_FFFF_FFFF as UInt64, false), (0.25, 0xC0_0000_0000_0000, true),
            (0.5, 0x7F_FFFF_FFFF_FFFF, false), (0.5, 0x80_0000_0000_0000, true), (1, 0, true),
            (0, 0xFF_FFFF_FFFF_FFFF, false),
        ]
    )
    func `the last 56 bits of the trace id decide`(ratio: Double, randomness: UInt64, kept: Bool) throws {
        var work = try work(span(randomness))
        try sample(ratio).process(&work)
        #expect((work.batch.removal(of: 0) == nil) == kept)
        #expect(work.batch.removedCount(.sampledOut) == (kept ? 0 : 1))
        #expect(work.tally.count(.removed(.sampledOut), by: "sample") == (kept ? 0 : 1))
    }

    @Test(
        arguments: [
            // ratio, tracestate in, tracestate out; nil where the span is dropped. The id's randomness is 0.75.
            (0.25, "", "ot=th:c"), (0.5, "", "ot=th:8"), (0.9, "", "ot=th:19999999999998"),
            (0.5, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "ot=th:8,congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
            (0.5, "a=1,ot=rv:ffffffffffffff;x:y,b=2", "ot=th:8;rv:ffffffffffffff;x:y,a=1,b=2"),
            (0.5, "ot=rv:70000000000000", nil),
            (0.5, "ot=rv:bad", "ot=th:8;rv:bad"),
            // Sampled before: the higher threshold stays.
            (0.5, "ot=th:c", "ot=th:c"), (0.5, "ot=th:4", "ot=th:8"), (0.5, "ot=th:0", "ot=th:8"),
            // Said to be sampled at a threshold that it does not reach: not true.
            (0.5, "ot=th:f", "ot=th:8"), (0.5, "ot=th:zz", "ot=th:8"), (0.5, "ot=th:123456789abcdef", "ot=th:8"),
            (0.5, " a=1 ,, ot=th:4 ", "ot=th:8,a=1"),
        ] as [(Double, String, String?)]
    )
    func `the threshold is written into what tracestate holds`(ratio: Double, before: String, after: String?) throws {
        var work = try work(span(0xC0_0000_0000_0000, state: before))
        try sample(ratio).process(&work)
        #expect(try work.traceStates() == (after.map { [$0] } ?? []))
    }

    @Test func `without a share to drop nothing is touched`() throws {
        var work = try work(span(0, state: "a=1"))
        let before = work.batch.bytes
        try sample(1).process(&work)
        #expect(work.batch.encoded()?.payload == before)
    }

    @Test func `a span kept by the condition keeps its tracestate`() throws {
        var failed = span(1, state: "a=1")
        failed.status = 2
        var work = try work(failed, span(2))
        try sample(0.5, keep: #"{"status":"error"}"#).process(&work)
        #expect(work.batch.removal(of: 0) == nil)
        #expect(work.batch.removal(of: 1) == .sampledOut)
        #expect(try work.traceStates() == ["a=1"])
    }

    @Test func `a tracestate longer than any list may be is not taken apart`() throws {
        let long = String(repeating: ",a", count: TraceState.lengthMax / 2) + ",ot=rv:00000000000000"
        var work = try work(span(0xC0_0000_0000_0000, state: long), span(1, state: long))
        try sample(0.5).process(&work)
        #expect(work.batch.removal(of: 0) == nil)
        #expect(work.batch.removal(of: 1) == .sampledOut)
        #expect(try work.traceStates() == [long])
    }

    @Test func `a span that is out keeps its first reason`() throws {
        var work = try work(span(1))
        work.batch.remove(0, as: .filtered)
        try sample(0.5).process(&work)
        #expect(work.batch.removal(of: 0) == .filtered)
        #expect(work.tally.entries.isEmpty)
    }

    @Test func `a list at its limit loses its last member, not ours`() throws {
        let members = (0..<32).map { "k\($0)=v" }
        var work = try work(span(0xFF_FFFF_FFFF_FFFF, state: members.joined(separator: ",")))
        try sample(0.5).process(&work)
        #expect(try work.traceStates() == [(["ot=th:8"] + members.dropLast()).joined(separator: ",")])
    }

    @Test func `about the share asked for is kept`() throws {
        var generator = SystemRandomNumberGenerator()
        let seed = generator.next()
        var state = seed
        let processor = try sample(0.3)
        var kept = 0
        for _ in 0..<4000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var work = try work(span(state >> 8))
            processor.process(&work)
            if work.batch.removal(of: 0) == nil { kept += 1 }
        }
        #expect((1050...1350).contains(kept), "seed \(seed)")
    }

    @Test func `a wrong condition is refused`() {
        #expect(throws: DocumentProblems.self) { try sample(0.5, keep: #"{"x":1}"#) }
    }
}
