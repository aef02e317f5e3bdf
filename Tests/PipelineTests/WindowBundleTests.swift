import Basics
import Journal
import OTLP
import Pipeline
import TestKit
import Testing

/// Requests of whole traces lie in one record before a window, whose traces are decided together or by themselves.
@Suite struct WindowBundleTests {
    private let exporter = ScriptedExporter(exclusive: true)

    private func bench(on files: FaultyFileSystem? = nil, cached: Int = 1 << 20) throws -> WindowBench {
        try WindowBench(on: files, window: Concatenation(handover: BundleHandover()), to: exporter, cached: cached)
    }

    /// Three traces of two spans each.
    private let whole = (UInt64(1)...3).flatMap { trace in
        [TestSpan(id: 1, trace: trace), TestSpan(id: 2, parent: 1, trace: trace)]
    }

    private func records(of log: Log) -> Int {
        var count = 0
        log.visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: ByteCount(bytes: .max)) { _ in count += 1 }
        return count
    }

    @Test(arguments: [0, 1 << 20])
    func `a request of whole traces is one record before the window and one behind it`(cached: Int) async throws {
        let bench = try bench(cached: cached)
        #expect(await bench.send(whole) == .accepted)
        #expect(records(of: bench.journal.logs[0]) == 1)
        #expect(bench.row.account.queued == 6 && bench.isBalanced)
        await bench.decide(all: false)
        #expect(records(of: bench.journal.logs[1]) == 1)
        #expect(bench.row.account.queued == 6 && bench.isBalanced)
        await bench.deliver()
        #expect(exporter.batches.map(\.route) == [.experimentName("all")])
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 6) && bench.isBalanced)
        #expect(bench.shares.held == 0)
        #expect(bench.stage.position.traces == 0 && bench.stage.position.bytes < 1 << 16)
        // What comes later of one of them is late.
        #expect(await bench.send([TestSpan(id: 5, parent: 9, trace: 2)]) == .accepted)
        await bench.decide(all: false)
        await bench.deliver()
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 7) && bench.isBalanced)
        await bench.journal.close()
    }

    @Test(arguments: [
        [TestSpan(id: 1, trace: 1), TestSpan(id: 2, parent: 9, trace: 2)],
        [TestSpan(id: 2, parent: 1, trace: 1), TestSpan(id: 2, trace: 2)],
        [TestSpan(id: 1, trace: 1), TestSpan(id: 1, trace: 2), TestSpan(id: 2, parent: 1, trace: 1)],
        [TestSpan(id: 1, trace: 1), TestSpan(id: 2, parent: 1, trace: 1)],
    ])
    func `a request with a trace that is not whole is a record for each trace`(spans: [TestSpan]) async throws {
        let bench = try bench()
        #expect(await bench.send(spans) == .accepted)
        #expect(records(of: bench.journal.logs[0]) == Set(spans.map(\.trace)).count)
        await bench.decide()
        await bench.deliver()
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: UInt64(spans.count)) && bench.isBalanced)
        await bench.journal.close()
    }

    /// A span of one of the traces comes whose parent is missing: that trace waits, and the others go on; the process ends in between.
    @Test(arguments: [UInt64(1), 2, 3], [FaultyFileSystem.Loss.everything, .nothing])
    func `traces of one record part, and a crash neither loses nor doubles any`(
        open: UInt64,
        loss: FaultyFileSystem.Loss
    ) async throws {
        for step in 0..<4 {
            for cached in [0, 1 << 20] {
                try await part(open, endingAt: step, losing: loss, cached: cached)
            }
        }
    }

    private func part(_ open: UInt64, endingAt step: Int, losing loss: FaultyFileSystem.Loss, cached: Int) async throws {
        let (files, exporter) = (FaultyFileSystem(), ScriptedExporter(exclusive: true))
        let window = Concatenation(handover: BundleHandover())
        var bench = try WindowBench(on: files, window: window, to: exporter, cached: cached)
        let sending = [whole, [TestSpan(id: 4, parent: 3, trace: open)], [TestSpan(id: 3, parent: 1, trace: open)]]
        var accepted: UInt64 = 0
        for (number, spans) in sending.enumerated() {
            #expect(await bench.send(spans) == .accepted)
            accepted += UInt64(spans.count)
            // The first two come before anything is decided.
            if number > 0 { await bench.decide(all: false) }
            #expect(bench.row.account.queued == accepted && bench.row.accepted == accepted && bench.isBalanced)
            guard step == number else { continue }
            files.crash(losing: loss)
            await bench.journal.close()
            bench = try WindowBench(on: files, window: window, to: exporter, cached: cached)
            #expect(bench.row.account.queued == accepted && bench.row.accepted == accepted && bench.isBalanced)
        }
        await bench.decide(all: false)
        await bench.deliver()
        var came: [UInt64: [UInt64]] = [:]
        for batch in exporter.batches {
            for span in try SpanBatch(batch.payload).spans { came[span.traceID.low, default: []].append(span.spanID.value) }
        }
        let expected = (UInt64(1)...3).map { $0 == open ? [1, 2, 3, 4] : [1, 2] as [UInt64] }
        #expect((1...3).map { came[$0]?.sorted() ?? [] } == expected)
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 8) && bench.isBalanced)
        #expect(bench.shares.held == 0)
        #expect(bench.stage.position.traces == 0)
        await bench.journal.close()
    }
}
