import Basics
import Journal
import OTLP
import Pipeline
import Synchronization
import TestKit
import Testing

@Suite struct WindowStageTests {
    private func traces(_ batches: [Batch]) throws -> [[UInt64]] {
        try batches.map { try SpanBatch($0.payload).spans.map(\.spanID.value) }
    }

    @Test func `spans of a trace in two requests, the root last, are one record for the exporter`() async throws {
        let exporter = ScriptedExporter(exclusive: true)
        let bench = try WindowBench(to: exporter)
        let child = await bench.send([TestSpan(id: 2, parent: 1)], headers: [HTTPHeader("x-tenant", "child")])
        #expect(child == .accepted)
        #expect(bench.row.account.queued == 1 && bench.isBalanced)
        let root = await bench.send([TestSpan(id: 1)], headers: [HTTPHeader("x-tenant", "root")])
        #expect(root == .accepted)
        await bench.decide(all: false)
        #expect(bench.row.account.queued == 2 && bench.isBalanced)
        await bench.deliver()
        #expect(try traces(exporter.batches) == [[2, 1]])
        #expect(exporter.batches[0].route == .experimentName("trace 7"))
        #expect(exporter.batches[0].headers == [HTTPHeader("x-tenant", "root")])
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 2) && bench.isBalanced)
        #expect(bench.shares.held == 0)
        await bench.journal.close()
    }

    @Test func `a request of several traces is decided by trace, and an open one waits`() async throws {
        let exporter = ScriptedExporter(exclusive: true)
        let bench = try WindowBench(processors: [DropsNamed("noise")], to: exporter)
        let answer = await bench.send([
            TestSpan(id: 1, trace: 1), TestSpan(id: 2, parent: 9, trace: 2), TestSpan(id: 3, parent: 1, trace: 1),
            TestSpan("noise", id: 4, trace: 3),
        ])
        #expect(answer == .accepted)
        await bench.decide(all: false)
        await bench.deliver()
        #expect(try traces(exporter.batches) == [[1, 3]])
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 2, filtered: 1))
        #expect(bench.row.account.queued == 1 && bench.row.account.accepted == 4 && bench.isBalanced)
        #expect(bench.shares.held > 0)
        await bench.journal.close()
    }

    @Test func `services count what leaves the window, once, for where it goes`() async throws {
        let bench = try WindowBench(processors: [DropsNamed("noise")], to: ScriptedExporter())
        let spans = [
            TestSpan(id: 1, trace: 1), TestSpan(id: 2, parent: 9, trace: 2), TestSpan("noise", id: 3, trace: 1),
        ]
        #expect(await bench.send(spans) == .accepted)
        #expect(bench.meters.services.rows.isEmpty)
        #expect(bench.meters.arrivals.rows.map(\.sums.spans) == [2])
        await bench.decide(all: false)
        let routes = { bench.meters.services.rows.map { [$0.key?.route: $0.sums.spans] } }
        #expect(routes() == [[.experimentName("trace 1"): 1]])
        await bench.decide()
        await bench.decide()
        #expect(Set(routes()) == [[.experimentName("trace 1"): 1], [.experimentName("trace 2"): 1]])
        #expect(bench.meters.services.rows.allSatisfy { $0.key?.pipeline == "traces" && $0.lastSeen == $0.firstSeen })
        await bench.journal.close()
    }

    @Test func `what only processors took out goes on as counts`() async throws {
        let bench = try WindowBench(processors: [DropsNamed("noise")], to: ScriptedExporter())
        #expect(await bench.send([TestSpan("noise", id: 1)]) == .accepted)
        // Counts wait for no sync of their own.
        #expect(await bench.send([TestSpan(id: 2)]) == .accepted)
        await bench.decide()
        await bench.deliver()
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 1, filtered: 1) && bench.isBalanced)
        await bench.journal.close()
    }

    @Test func `a span that the window adds is counted as created, also where it is refused`() async throws {
        let exporter = ScriptedExporter(exclusive: true) { $0.route == .experimentName("trace 1") }
        let bench = try WindowBench(to: exporter)
        let spans = [1, 1, 2, 2].enumerated().map { TestSpan(id: UInt64($0 + 1), trace: $1) }
        #expect(await bench.send(spans) == .accepted)
        await bench.decide()
        await bench.deliver()
        #expect(bench.row.account.accepted == 4 && bench.row.account.created == 2)
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 3, deadLettered: 3) && bench.isBalanced)
        #expect(bench.shares.held == 0)
        await bench.journal.close()
    }

    @Test func `traces of clients that are bound never mix, those of others do`() async throws {
        let bound = ["a", "b"].map { Identity($0, experiments: ExperimentList([$0])) }
        // Two tops of one trace get a root.
        for (identities, created) in [(bound + [Identity("c")], 0), ([Identity("c"), Identity("d")], 1)] {
            let bench = try WindowBench(to: ScriptedExporter(exclusive: true))
            for identity in identities {
                #expect(await bench.send([TestSpan(id: 1)], identity: identity) == .accepted)
            }
            await bench.decide()
            await bench.deliver()
            #expect(bench.row.account.created == UInt64(created))
            #expect(bench.row.account.outcomes == OutcomeCounts(delivered: UInt64(identities.count + created)))
            await bench.journal.close()
        }
    }

    /// A process ends at each step on the way of two traces, as if it were killed or as if the power failed.
    @Test(arguments: [FaultyFileSystem.Loss.everything, .nothing], [0, 1, 2, 3])
    func `a crash loses nothing and doubles nothing in the account`(
        loss: FaultyFileSystem.Loss,
        step: Int
    ) async throws {
        let files = FaultyFileSystem()
        let exporter = ScriptedExporter(exclusive: true)
        var bench = try WindowBench(on: files, to: exporter)
        #expect(await bench.send([TestSpan(id: 2, parent: 1), TestSpan(id: 8, trace: 8)]) == .accepted)
        if step > 0 { await bench.decide(all: false) }
        if step > 1 { #expect(await bench.send([TestSpan(id: 1)]) == .accepted) }
        if step > 2 { await bench.decide(all: false) }
        files.crash(losing: loss)
        await bench.journal.close()
        bench = try WindowBench(on: files, to: exporter)
        #expect(bench.row.accepted == (step > 1 ? 3 : 2))
        #expect(bench.row.account.queued == bench.row.accepted && bench.isBalanced)
        if step < 2 { #expect(await bench.send([TestSpan(id: 1)]) == .accepted) }
        await bench.decide(all: false)
        await bench.deliver()
        #expect(Set(try traces(exporter.batches).map { $0.sorted() }) == [[1, 2], [8]])
        #expect(exporter.batches.count == 2)
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 3) && bench.isBalanced)
        #expect(bench.shares.held == 0)
        await bench.journal.close()
    }

    @Test func `traces that became one record are settled and remembered one by one`() async throws {
        let files = FaultyFileSystem()
        let exporter = ScriptedExporter(exclusive: true)
        let window = Concatenation(isTogether: true)
        var bench = try WindowBench(on: files, window: window, to: exporter)
        let bound = Identity("ada", experiments: ExperimentList(["all"]))
        let spans = (1...3).map { TestSpan(id: $0, trace: $0) } + [TestSpan(id: 4, parent: 9, trace: 4)]
        #expect(await bench.send(spans, identity: bound) == .accepted)
        await bench.decide(all: false)
        #expect(bench.row.account.queued == 4 && bench.isBalanced)
        files.crash(losing: .nothing)
        await bench.journal.close()
        bench = try WindowBench(on: files, window: window, to: exporter)
        #expect(bench.row.account.queued == 4 && bench.isBalanced)
        // A late span of the second one waits for nothing, but only its own client's.
        let late = [TestSpan(id: 5, parent: 2, trace: 2)]
        #expect(await bench.send(late, identity: bound) == .accepted)
        #expect(await bench.send(late) == .accepted)
        await bench.decide(all: false)
        await bench.deliver()
        #expect(try traces(exporter.batches) == [[1, 2, 3], [5]])
        #expect(exporter.batches.map(\.route) == [.experimentName("all"), .experimentName("trace 2")])
        #expect(bench.row.account.queued == 2 && bench.isBalanced)
        await bench.decide()
        await bench.deliver()
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 6) && bench.isBalanced)
        #expect(bench.shares.held == 0)
        await bench.journal.close()
    }

    /// Ten traces that begin one after the other and end one after the other, of more bytes than one group has.
    @Test(arguments: [0, 2 << 20, 1 << 30])
    func `what has no room in memory is read again, far apart or not`(cached: Int) async throws {
        let exporter = ScriptedExporter(exclusive: true)
        let bench = try WindowBench(to: exporter, cached: cached)
        let text = TestValue.string(String(repeating: "x", count: 250_000))
        for id in [UInt64(2), 3, 1] {
            for trace in UInt64(1)...10 {
                let span = TestSpan(id: id, parent: id == 1 ? 0 : 1, trace: trace, ["text": text])
                #expect(await bench.send([span]) == .accepted)
            }
        }
        await bench.decide(all: false)
        await bench.deliver()
        #expect(try traces(exporter.batches) == Array(repeating: [2, 3, 1], count: 10))
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 30) && bench.isBalanced)
        #expect(bench.stage.position.bytes < 1 << 16)
        await bench.journal.close()
    }

    @Test(arguments: [(1, 300), (300, 1), (3, 2)])
    func `all that is dropped of a request is in its row`(traces: Int, spans: Int) async throws {
        let bench = try WindowBench(processors: [Noise()], to: ScriptedExporter(exclusive: true))
        let all = (1...traces).flatMap { trace in
            (1...spans).map { TestSpan(id: UInt64($0), trace: UInt64(trace)) }
        }
        #expect(await bench.send(all) == .accepted)
        #expect(bench.row.accepted == UInt64(all.count) && bench.isBalanced)
        await bench.decide()
        await bench.deliverAll()
        #expect(bench.row.account.outcomes == OutcomeCounts(filtered: UInt64(all.count)) && bench.isBalanced)
        await bench.journal.close()
    }

    @Test func `a sampler that ends decides what is kept for certain, by the policies that are`() async throws {
        let moments = Moments()
        var window = Concatenation(samples: true, dropCertainty: .always, keeping: [1])
        window.window.afterRoot = .seconds(600)
        window.onAssemble = { trace in moments.all.withLock { $0.append(trace.decidedAt) } }
        let exporter = ScriptedExporter(exclusive: true)
        let bench = try WindowBench(window: window, to: exporter)
        #expect(await bench.send([TestSpan(id: 1, trace: 1)]) == .accepted)
        #expect(await bench.send([TestSpan(id: 2, trace: 2)]) == .accepted)
        await bench.decide(all: false)
        await bench.deliver()
        #expect(try traces(exporter.batches) == [[1]])
        let decidedAt = moments.all.withLock { $0 }
        #expect(decidedAt.count == 1 && decidedAt[0] != nil)
        // Another file, in which a policy drops.
        window.dropCertainty = .never
        bench.stage.change(window, forwardedHeaders: [])
        #expect(await bench.send([TestSpan(id: 1, trace: 3)]) == .accepted)
        await bench.decide(all: false)
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 1))
        #expect(bench.row.account.queued == 2 && bench.isBalanced)
        await bench.journal.close()
    }

    /// A request that costs too much to be divided, with a part of a trace that waits.
    @Test func `what waits of a trace is decided before a part that waits for nothing, and once over a restart`()
        async throws
    {
        let files = FaultyFileSystem()
        let moments = Moments()
        var window = Concatenation(samples: true)
        window.onAssemble = { trace in moments.keys.withLock { $0.append(trace.key.trace.low) } }
        let exporter = ScriptedExporter(exclusive: true)
        var bench = try WindowBench(on: files, window: window, to: exporter)
        for id in 101...102 as ClosedRange<UInt64> {
            #expect(await bench.send([TestSpan(id: id, parent: 1, trace: 7)]) == .accepted)
        }
        let large = TestValue.string(String(repeating: "r", count: 200_000))
        let spans = (1...40).map { TestSpan(id: UInt64($0), trace: UInt64($0)) }
        #expect(await bench.send(tracesRequest(spans, resource: ["large": large])) == .accepted)
        await bench.decide(all: false)
        #expect(moments.keys.withLock { $0.filter { $0 == 7 } } == [7, 7])
        files.crash(losing: .nothing)
        await bench.journal.close()
        bench = try WindowBench(on: files, window: window, to: exporter)
        await bench.decide()
        await bench.deliver()
        let own = try traces(exporter.batches.filter { $0.route == .experimentName("trace 7") })
        // In one request or in two.
        let ids = own.flatMap { $0 }
        #expect(ids.prefix(2).sorted() == [101, 102] && ids.sorted() == [7, 101, 102])
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 42) && bench.isBalanced)
        await bench.journal.close()
    }

    @Test func `a window whose cursor is gone loses nothing that it had not moved`() async throws {
        let files = FaultyFileSystem()
        let exporter = ScriptedExporter(exclusive: true)
        var bench = try WindowBench(on: files, to: exporter)
        #expect(await bench.send([TestSpan(id: 1, trace: 1)]) == .accepted)
        #expect(await bench.send([TestSpan(id: 2, parent: 9, trace: 2)]) == .accepted)
        await bench.decide(all: false)
        await bench.deliver()
        await bench.journal.close()
        try files.remove("/data/traces/whole.cursor")
        bench = try WindowBench(on: files, to: exporter)
        await bench.decide()
        await bench.deliver()
        #expect(try traces(exporter.batches) == [[1], [2]])
        await bench.journal.close()
    }

    @Test func `a request that would repeat too much is one record, whose traces part behind the window`() async throws
    {
        let exporter = ScriptedExporter(exclusive: true)
        let bench = try WindowBench(to: exporter)
        let large = TestValue.string(String(repeating: "r", count: 200_000))
        let spans = (1...40).map { TestSpan(id: UInt64($0), trace: UInt64($0)) }
        let body = tracesRequest(spans, resource: ["service.name": "shop", "large": large])
        #expect(await bench.send(body) == .accepted)
        var records = 0
        let all = ByteCount(bytes: .max)
        bench.journal.logs[0].visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: all) { _ in records += 1 }
        #expect(1 < records && records < 40)
        await bench.decide()
        await bench.deliver()
        #expect(Set(exporter.batches.map(\.route)) == Set((1...40).map { .experimentName("trace \($0)") }))
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 40) && bench.isBalanced)
        await bench.journal.close()
    }
}

/// When traces were decided, and which.
private final class Moments: Sendable {
    let all = Mutex<[Duration?]>([])
    let keys = Mutex<[UInt64]>([])
}

/// Filters spans of one name out.
private struct DropsNamed: SpanProcessor {
    private let name: String

    init(_ name: String) {
        self.name = name
    }

    func process(_ work: inout SpanWork) {
        for (index, span) in work.batch.spans.enumerated() where work.batch.text(span.name) == name {
            work.batch.remove(index, as: .filtered)
        }
    }
}

/// Drops every span, and leaves what is needed to put its children elsewhere.
private struct Noise: SpanProcessor {
    func process(_ work: inout SpanWork) {
        for (index, span) in work.batch.spans.enumerated() {
            work.leave(Tombstone(span.spanID, parent: span.parentID), in: span.traceID)
            work.batch.remove(index, as: .filtered)
        }
    }
}
