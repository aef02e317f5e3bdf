import Basics
import Journal
import OTLP
import Pipeline
import TestKit
import Testing

@Suite struct DeliveryTests {
    private let small: [UInt8]

    init() throws {
        small = try Fixtures.bytes("payloads/small.pb")
    }

    @Test func `what was accepted is delivered byte for byte and the account balances`() async throws {
        let exporter = ScriptedExporter()
        let bench = try PipelineBench(to: exporter)
        #expect(await bench.send(small) == .accepted)
        await bench.deliverAll()
        #expect(exporter.batches.map(\.payload) == [small])
        #expect(bench.reader.account.accepted == 10)
        #expect(bench.reader.account.outcomes[.delivered] == 10)
        #expect(bench.reader.account.queued == 0)
    }

    @Test func `requests are merged up to the limits by putting them one behind the other`() async throws {
        let exporter = ScriptedExporter()
        let limits = BatchLimits(items: 20, bytes: .mebibytes(1), linger: .seconds(9))
        let bench = try PipelineBench(to: exporter, limits: limits)
        for _ in 0..<4 { #expect(await bench.send(small) == .accepted) }
        await bench.deliverAll()
        #expect(exporter.batches.map(\.items) == [20, 20])
        #expect(exporter.batches.map(\.payload) == [small + small, small + small])
    }

    @Test func `a request over the limits is split by trace`() async throws {
        let exporter = ScriptedExporter()
        let limits = BatchLimits(items: 100, bytes: .mebibytes(4), linger: .zero)
        let bench = try PipelineBench(to: exporter, limits: limits)
        #expect(try await bench.send(Fixtures.bytes("payloads/large.pb")) == .accepted)
        await bench.deliverAll()
        #expect(exporter.batches.allSatisfy { $0.items <= 100 })
        #expect(exporter.batches.reduce(0) { $0 + $1.items } == 512)
        var seen: Set<TraceID> = []
        for batch in exporter.batches {
            let traces = Set(try SpanBatch(batch.payload).spans.map(\.traceID))
            #expect(seen.isDisjoint(with: traces), "a trace stands in two requests")
            seen.formUnion(traces)
        }
        #expect(bench.reader.account.outcomes[.delivered] == 512)
    }

    @Test func `a destination that recovers gets everything`() async throws {
        let exporter = ScriptedExporter([
            .unavailable(reason: "503", after: .seconds(20)), .parked(reason: "401"),
            .unavailable(reason: "down", after: nil),
        ])
        let clock = ManualClock()
        let bench = try PipelineBench(to: exporter, clock: MonotonicClock(clock))
        #expect(await bench.send(small) == .accepted)
        await bench.deliverAll()
        #expect(exporter.batches.count == 4)
        #expect(clock.pauses.reduce(.zero, +) >= .seconds(80), "it waited as long as the destination asked")
        #expect(bench.reader.account.outcomes[.delivered] == 10)
    }

    @Test func `a request that cannot be sent waits like a parked one and does not open the circuit`() async throws {
        let outcomes = Array(repeating: DeliveryOutcome.unsendable(reason: "its address is too long"), count: 5)
        let exporter = ScriptedExporter(outcomes)
        let clock = ManualClock()
        let bench = try PipelineBench(to: exporter, clock: MonotonicClock(clock))
        #expect(await bench.send(small) == .accepted)
        await bench.deliverAll()
        #expect(exporter.batches.count == 6)
        #expect(clock.pauses.reduce(.zero, +) >= .seconds(300))
        #expect(!bench.delivery.isCircuitOpen)
        #expect(bench.meters.prometheusText().contains(#"outcome="unsendable",pipeline="traces",signal="traces"} 5"#))
        #expect(bench.reader.account.outcomes[.delivered] == 10)
    }

    @Test func `what a partial success turns away counts as rejected`() async throws {
        let exporter = ScriptedExporter([.delivered(rejected: 3, message: "no")])
        let bench = try PipelineBench(to: exporter)
        #expect(await bench.send(small) == .accepted)
        await bench.deliverAll()
        #expect(bench.reader.account.outcomes[.rejected] == 3)
        #expect(bench.reader.account.outcomes[.delivered] == 7)
    }

    @Test func `what comes while it drains stays in the journal`() async throws {
        let exporter = ScriptedExporter()
        let bench = try PipelineBench(to: exporter)
        #expect(await bench.send(small) == .accepted)
        bench.delivery.beginDraining()
        #expect(await bench.send(small) == .accepted)
        await bench.deliverAll()
        #expect(exporter.batches.map(\.items) == [10])
        #expect(bench.reader.account.queued == 10)
    }

    @Test func `draining ends while the destination is down`() async throws {
        let down = DeliveryOutcome.unavailable(reason: "down", after: nil)
        let bench = try PipelineBench(to: ScriptedExporter(Array(repeating: down, count: 10_000)))
        #expect(await bench.send(small) == .accepted)
        await withTaskGroup { group in
            group.addTask { await bench.delivery.run() }
            await bench.delivery.drain(stopsWhileDown: true)
            group.cancelAll()
        }
        #expect(bench.delivery.isCircuitOpen && bench.reader.account.queued == 10)
    }

    @Test func `headers that are forwarded keep requests apart`() async throws {
        let exporter = ScriptedExporter()
        let bench = try PipelineBench(forwarding: ["x-tenant"], to: exporter)
        for tenant in ["a", "b"] {
            _ = await bench.send(small, headers: [HTTPHeader("x-tenant", tenant), HTTPHeader("x-other", "1")])
        }
        await bench.deliverAll()
        #expect(Set(exporter.batches.map(\.headers)) == [[HTTPHeader("x-tenant", "a")], [HTTPHeader("x-tenant", "b")]])
    }
}
