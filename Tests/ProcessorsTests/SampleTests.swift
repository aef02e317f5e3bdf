import Basics
import MLflow
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

struct SampleTests {
    private func sample(
        _ ratio: Double,
        keep: String? = nil,
        _ mode: SamplingRatio.Mode = .equalizing,
        precision: Int = 4,
        failClosed: Bool = true
    ) throws -> Sample {
        var settings = SampleSettings()
        settings.ratio = ratio
        settings.keep = try keep.map { try JSONNode(parsing: Array($0.utf8)) }
        (settings.mode, settings.precision, settings.failClosed) = (mode, precision, failClosed)
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

    /// One row: the trace's randomness, `tracestate` as it came, the ratio, the precision, and what leaves in each mode.
    struct Row: Sendable {
        let randomness: UInt64
        let before: String
        let ratio: Double
        var precision = 4
        var failClosed = true
        let equalizing: String?
        let proportional: String?

        init(_ randomness: UInt64, _ before: String, _ ratio: Double, failClosed: Bool = true, same after: String) {
            self.init(randomness, before, ratio, failClosed: failClosed, after, after)
        }

        init(
            _ randomness: UInt64,
            _ before: String,
            _ ratio: Double,
            precision: Int = 4,
            failClosed: Bool = true,
            _ equalizing: String?,
            _ proportional: String?
        ) {
            (self.randomness, self.before, self.ratio, self.precision) = (randomness, before, ratio, precision)
            (self.failClosed, self.equalizing, self.proportional) = (failClosed, equalizing, proportional)
        }
    }

    private static let any: UInt64 = 0x55_5555_5555_5555

    @Test(
        arguments: [
            Row(0x80_0000_0000_0000, "", 1, same: "ot=th:0"),
            Row(0x80_0000_0000_0000, "", 0.5, "ot=th:8", "ot=th:8"), Row(0x80_0000_0000_0000, "", 0.49, nil, nil),
            Row(0xC0_0000_0000_0000, "", 0.25, "ot=th:c", "ot=th:c"), Row(0xB0_0000_0000_0000, "", 0.25, nil, nil),
            Row(0xFE_0000_0000_0000, "", 0.01, "ot=th:fd70a", "ot=th:fd70a"),
            Row(any, "ot=rv:FD70A3D70A3D71", 0.01, same: "ot=rv:FD70A3D70A3D71;th:fd70a"),
            Row(any, "ot=rv:FD70A3D70A3D71", 0.01, precision: 3, nil, nil),
            Row(any, "ot=rv:FD70A3D70A3D70", 0.01, precision: 14, nil, nil),
            Row(any, "ot=rv:FD70A3D70A3D70", 0.01, same: "ot=rv:FD70A3D70A3D70;th:fd70a"),
            Row(any, "ot=rv:90000000000000;th:80000000000000", 0.5, "ot=rv:90000000000000;th:8", nil),
            Row(any, "ot=rv:c0000000000000;th:8", 0.5, "ot=rv:c0000000000000;th:8", "ot=rv:c0000000000000;th:c"),
            Row(0x80_0000_0000_0000, "ot=th:8", 0.25, nil, nil),
            Row(0xFF_FFFF_FFFF_FFFF, "ot=th:8", 0.25, "ot=th:c", "ot=th:e"),
            Row(0xD0_0000_0000_0000, "ot=th:8", 0.4, precision: 6, "ot=th:99999a", "ot=th:cccccd"),
            Row(0xB0_0000_0000_0000, "ot=th:8", 0.4, precision: 3, "ot=th:99a", nil),
            Row(0xFF_FFFF_FFFF_FFFF, "ot=th:fffc", 0x1p-14, "ot=th:fffc", "ot=th:fffffff"),
            Row(0xFF_FFFF_FFFF_FFFF, "ot=th:ffffffffffffff", 0.1, "ot=th:ffffffffffffff", nil),
            // What cannot be right.
            Row(any, "ot=rv:40000000000000;th:8", 1, nil, nil),
            Row(any, "ot=rv:40000000000000;th:8", 1, failClosed: false, same: "ot=rv:40000000000000;th:0"),
            Row(any, "ot=rv:4000000000000000", 1, nil, nil), Row(any, "ot=th:8000000000000000", 1, nil, nil),
            Row(any, "ot=th:-1", 1, nil, nil), Row(any, "ot=th:", 1, nil, nil), Row(any, "ot=rv:", 1, nil, nil),
            Row(any, "ot=rv:bad;th:zz", 0.75, failClosed: false, same: "ot=rv:bad;th:4"),
            // What others say stays.
            Row(0xC0_0000_0000_0000, "congo=t6,rojo=00f0", 0.5, same: "ot=th:8,congo=t6,rojo=00f0"),
            Row(any, "a=1,ot=x:y;rv:ffffffffffffff,b=2", 0.5, same: "ot=rv:ffffffffffffff;th:8;x:y,a=1,b=2"),
            Row(0xC0_0000_0000_0000, " a=1 ,, ot=th:0 ", 0.5, "ot=th:8,a=1", "ot=th:8,a=1"),
            // A threshold without room is not known downstream.
            Row(0xC0_0000_0000_0000, "ot=\(wide)", 0.5, "ot=\(wide)", "ot=\(wide)"),
        ] as [Row]
    )
    func `the threshold is written into what tracestate holds`(row: Row) throws {
        for (mode, after) in [(SamplingRatio.Mode.equalizing, row.equalizing), (.proportional, row.proportional)] {
            var work = try work(span(row.randomness, state: row.before))
            let processor = try sample(row.ratio, mode, precision: row.precision, failClosed: row.failClosed)
            processor.process(&work)
            #expect(try work.traceStates() == (after.map { [$0] } ?? []), "\(mode)")
        }
    }

    private static let wide = "x:" + String(repeating: "y", count: 252)

    @Test(
        arguments: [
            (0.1, "e666"), (1.0 / 3, "aaab"), (0.2, "cccd"), (0.01, "fd70a"), (0.001, "ffbe77"), (0.9, "199a"),
            (1.0, "0"), (0x1p-56, "ffffffffffffff"),
        ] as [(Double, String)]
    )
    func `four digits behind those that are f tell a ratio`(ratio: Double, digits: String) throws {
        var work = try work(span(0xFF_FFFF_FFFF_FFFF))
        try sample(ratio).process(&work)
        #expect(try work.traceStates() == ["ot=th:\(digits)"])
    }

    @Test func `a chain of two gateways ends with the product of their ratios`() throws {
        let (first, second) = (try sample(0.5), try sample(0.5, .proportional))
        var (kept, state) = (0, UInt64(7))
        for _ in 0..<4000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let randomness = state >> 8
            var early = try work(span(randomness))
            first.process(&early)
            guard let between = try early.traceStates().first else { continue }
            var later = try work(span(randomness, state: between))
            second.process(&later)
            guard let after = try later.traceStates().first else { continue }
            #expect(after == "ot=th:c" && randomness >= 0xC0_0000_0000_0000)
            kept += 1
        }
        #expect((850...1150).contains(kept))
    }

    @Test func `what keeps one span keeps those of its trace that came with it, as they came`() throws {
        var failed = span(1, state: "a=1")
        failed.status = 2
        var work = try work(span(1, state: "ot=th:zz"), failed, span(2))
        try sample(0.5, keep: #"{"status":"error"}"#).process(&work)
        #expect(work.batch.removal(of: 2) == .sampledOut)
        #expect(try work.traceStates() == ["ot=th:zz", "a=1"])
    }

    @Test(
        arguments: [
            (0, false), (0.0, false), ("0", false), (1, true), (0.5, true), ("2", true), (-1, nil), ("NaN", nil),
            ("x", nil), (true, nil),
        ] as [(TestValue, Bool?)]
    )
    func `a priority is about the trace`(priority: TestValue, isKept: Bool?) throws {
        for (randomness, byRatio) in [(UInt64(1), false), (0xC0_0000_0000_0000, true)] {
            let bare = span(randomness)
            var marked = bare
            marked.id = 2
            marked.attributes = [("sampling.priority", priority)]
            var work = try work(bare, marked)
            try sample(0.5).process(&work)
            let expected = isKept ?? byRatio
            #expect((work.batch.removal(of: 0) == nil) == expected)
            #expect((work.batch.removal(of: 1) == nil) == expected)
            if isKept == true { #expect(try work.traceStates() == ["", ""]) }
        }
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
