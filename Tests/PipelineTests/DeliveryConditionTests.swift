import Basics
import Journal
import OTLP
import Pipeline
import TestKit
import Testing

@Suite struct `What people see of a pipeline` {
    private let small: [UInt8]

    init() throws {
        small = try Fixtures.bytes("payloads/small.pb")
    }

    @Test func `the last failure stays, word for word, after the destination is back`() async throws {
        let rejection = Rejection(status: 500, reason: "status 500: <b>no</b>", body: Array("a\nbody".utf8))
        let outcomes = Array(repeating: DeliveryOutcome.failed(rejection), count: 2)
        let bench = try PipelineBench(to: ScriptedExporter(outcomes))
        #expect(bench.delivery.condition.lastFailure == nil && bench.delivery.condition.lastDelivered == nil)
        #expect(await bench.send(small) == .accepted)
        await bench.deliverAll()
        let condition = bench.delivery.condition
        let failure = try #require(condition.lastFailure)
        #expect(failure.reason == rejection.reason && failure.body == "a\nbody" && failure.outcome == "failed")
        #expect(failure.attempt == 2 && failure.items == 10)
        #expect(condition.failuresInARow == 0 && condition.lastDelivered != nil && condition.circuit == .closed)
    }

    @Test func `the timeline has when a circuit opened, why, and when it closed`() async throws {
        let outcomes = Array(repeating: DeliveryOutcome.unavailable(reason: "down", after: nil), count: 4)
        let bench = try PipelineBench(to: ScriptedExporter(outcomes))
        #expect(await bench.send(small) == .accepted)
        await bench.deliverAll()
        let events = bench.meters.events.events
        #expect(events.map(\.kind) == [.circuitOpened, .circuitClosed])
        #expect(events.map(\.name) == ["traces/out", "traces/out"] && events.map(\.text) == ["down", ""])
    }

    @Test func `a paused destination is sent nothing, and all of it once it goes on`() async throws {
        let exporter = ScriptedExporter()
        let bench = try PipelineBench(to: exporter)
        #expect(bench.delivery.setPaused(true) && !bench.delivery.setPaused(true))
        #expect(await bench.send(small) == .accepted)
        // What is paused holds nobody up who waits for the end.
        let run = Task { await bench.delivery.run() }
        await bench.delivery.drain(stopsWhileDown: true)
        #expect(exporter.batches.isEmpty && bench.account.queued == 10 && bench.delivery.condition.isPaused)
        #expect(bench.delivery.setPaused(false))
        await bench.delivery.drain()
        run.cancel()
        await run.value
        #expect(exporter.batches.count == 1 && bench.account.queued == 0)
        #expect(bench.meters.events.events.map(\.kind) == [.paused, .resumed])
    }

    @Test func `spans are counted by service once they are in the journal`() async throws {
        let bench = try PipelineBench(to: ScriptedExporter())
        #expect(await bench.send([0xFF]) != .accepted)
        #expect(bench.meters.services.rows.isEmpty)
        for _ in 0..<2 { #expect(await bench.send(small) == .accepted) }
        #expect(bench.meters.services.rows.reduce(0) { $0 + $1.sums.spans } == 20)
        #expect(bench.meters.services.rows.allSatisfy { $0.key?.pipeline == "traces" })
        await bench.deliverAll()
    }

    @Test func `who watches gets requests that mention a text, and a count of those that were too many`() async throws {
        let bench = try PipelineBench(to: ScriptedExporter())
        let trace = try #require(TraceID.all(in: small, signal: .traces).first)
        let (all, one, none) = (
            bench.meters.tap.watch(finding: ""), bench.meters.tap.watch(finding: "\(trace)".uppercased()),
            bench.meters.tap.watch(finding: "no such text")
        )
        for _ in 0..<10 { #expect(await bench.send(small) == .accepted) }
        let taken = all.take()
        #expect(taken.requests.count == 8 && taken.leftOut == 2 && taken.requests[0].pipelines == ["traces"])
        #expect(one.take().requests.count == 8 && none.take().leftOut == 0)
        #expect(all.take().requests.isEmpty)
        bench.meters.tap.leave(all)
        #expect(await bench.send(small) == .accepted)
        #expect(all.take().requests.isEmpty && one.take().requests.count == 1)
        await bench.deliverAll()
    }

    @Test func `a trace is found while it waits`() async throws {
        let bench = try PipelineBench(to: ScriptedExporter())
        #expect(await bench.send(small) == .accepted)
        let trace = try #require(TraceID.all(in: small, signal: .traces).first)
        let finding = try #require(TraceSearch(bench.journal).findings(of: trace).first)
        #expect(finding.destinations.map(\.name) == ["out"] && finding.destinations.map(\.isDone) == [false])
        #expect(finding.payload == small && !finding.isLetter)
        #expect(TraceSearch(bench.journal).findings(of: TraceID(high: 1, low: 2)).isEmpty)
        await bench.deliverAll()
    }
}
