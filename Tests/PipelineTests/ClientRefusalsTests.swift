import Basics
import OTLP
import TestKit
import Testing

@testable import Pipeline

@Suite struct `Who was refused what` {
    private let refusals = ClientRefusals()

    private func time(_ seconds: UInt64) -> UnixTime { UnixTime(nanoseconds: seconds * 1_000_000_000) }

    private func add(
        _ answer: IntakeAnswer,
        items: Int = 0,
        _ reason: IntakeTally.RefusalReason = .invalid,
        by client: String? = "Odd/1",
        at seconds: UInt64 = 1
    ) {
        let source = RequestSource(receiver: "otlp", client: client)
        refusals.add(answer, items: items, reason, of: .traces, from: source, at: time(seconds))
    }

    @Test func `is counted by client and reason, with what was said last`() {
        add(.partial(rejected: 2, message: "span 0: no id"), items: 2)
        add(.invalid("3 of 3 spans refused:\nspan 1"), items: 3, at: 5)
        add(.forbidden("experiment 7"), items: 1, .forbidden, by: nil, at: 9)
        add(.accepted)
        add(.throttled("share", retryAfter: .zero), .overShare)
        add(.unavailable("full", retryAfter: .zero), .journalFull)
        let rows = refusals.rows
        #expect(rows.map(\.key?.client) == ["unknown", "Odd/1"])
        #expect(rows.map(\.key?.reason) == ["forbidden", "invalid"])
        #expect(rows.map(\.requests) == [1, 2] && rows.map(\.items) == [1, 5])
        #expect(rows[1].message == "3 of 3 spans refused: span 1" && rows[1].lastSeen == time(5))
    }

    @Test func `has 200 rows, and one for those that were refused longest ago`() {
        for number in 0..<ClientRefusals.rowsMax + 5 {
            add(.invalid("x"), items: 2, by: "c\(number)", at: UInt64(number))
        }
        #expect(refusals.rows.count == ClientRefusals.rowsMax + 1)
        #expect(refusals.rows.last?.key == nil && refusals.rows.last?.requests == 5 && refusals.rows.last?.items == 10)
        #expect(refusals.rows.first?.key?.client == "c204" && !refusals.rows.contains { $0.key?.client == "c4" })
    }

    @Test func `is told by the gateway, whatever of a request is wrong`() async throws {
        let bench = try PipelineBench(to: ScriptedExporter())
        let flawed = tracesRequest([TestSpan(id: 0), TestSpan(id: 1)])
        #expect(await bench.send(flawed) != .accepted)
        #expect(await bench.send([0xFF, 0x01]) != .accepted)
        #expect(await bench.send(tracesRequest([TestSpan(id: 2)])) == .accepted)
        let rows = bench.meters.refusals.rows
        #expect(rows.map(\.key?.reason) == ["invalid"] && rows.map(\.requests) == [2] && rows.map(\.items) == [1])
        await bench.deliverAll()
    }
}
