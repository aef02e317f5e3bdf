import Basics
import Journal
import OTLP
import Pipeline
import TestKit
import Testing

/// Traces that are shown while they are open, in the journal.
@Suite struct WindowShowTests {
    private static let showing = {
        var window = Concatenation()
        window.window.showAfter = .milliseconds(1)
        return window
    }()

    private func spans(_ batches: [Batch]) throws -> [[UInt64]] {
        try batches.map { try SpanBatch($0.payload).spans.map(\.spanID.value) }
    }

    /// A process ends at each step on the way of a trace that is shown, as if it were killed or as if the power failed.
    @Test(
        arguments: [AmendmentsTaken.nothing, .changes, .whole],
        [(FaultyFileSystem.Loss.everything, 0), (.nothing, 0), (.everything, 1), (.nothing, 1), (.everything, 2)]
    )
    func `what went ahead is known behind a crash`(
        taken: AmendmentsTaken,
        crash: (loss: FaultyFileSystem.Loss, step: Int)
    ) async throws {
        let files = FaultyFileSystem()
        let exporter = ScriptedExporter(exclusive: true, taking: taken)
        var bench = try WindowBench(on: files, window: Self.showing, to: exporter)
        func restart(_ step: Int) async throws {
            guard crash.step == step else { return }
            files.crash(losing: crash.loss)
            await bench.journal.close()
            bench = try WindowBench(on: files, window: Self.showing, to: exporter)
            #expect(bench.isBalanced)
        }
        #expect(await bench.send([TestSpan(id: 2, parent: 1)]) == .accepted)
        #expect(await bench.send([TestSpan(id: 3, parent: 1), TestSpan(id: 4, parent: 3)]) == .accepted)
        await bench.show(2)
        #expect(bench.row.account.queued == 3 && bench.isBalanced)
        try await restart(0)
        await bench.deliver()
        #expect(try spans(exporter.batches) == (taken == .whole ? [] : [[3, 4]]))
        #expect(bench.row.account.queued == 1 && bench.isBalanced)
        try await restart(1)
        #expect(await bench.send([TestSpan(id: 5, parent: 1)]) == .accepted)
        await bench.show(3)
        #expect(await bench.send([TestSpan(id: 1)]) == .accepted)
        await bench.decide(all: false)
        try await restart(2)
        await bench.deliver()
        let account = bench.row.account
        #expect(account.accepted == 5 && account.queued == 0 && bench.isBalanced)
        #expect(Set(exporter.batches.map(\.route)) == [.experimentName("trace 7")])
        let sent = try spans(exporter.batches).flatMap { $0 }.sorted()
        // What was delivered just before a crash may be delivered again.
        func isSent(_ spans: [UInt64]) -> Bool {
            sent == spans || crash.step == 1 && taken != .whole && sent == (spans + [3, 4]).sorted()
        }
        switch taken {
        case .nothing:
            #expect(isSent([1, 2, 3, 4, 5]), "\(sent)")
            #expect(account.outcomes == OutcomeCounts(delivered: 5) && account.created == 0)
        case .changes:
            #expect(isSent([1, 2, 3, 3, 4, 4, 5, 5]), "\(sent)")
            #expect(account.outcomes == OutcomeCounts(delivered: 8) && account.created == 3)
        case .whole:
            #expect(isSent([1, 2, 3, 4, 5]), "\(sent)")
            #expect(account.outcomes == OutcomeCounts(delivered: 5, filtered: 3) && account.created == 3)
        }
        #expect(bench.shares.held == 0)
        await bench.journal.close()
    }

    @Test func `spans that are sent again and refused are dead letters, and the account holds`() async throws {
        let exporter = ScriptedExporter(exclusive: true, refusing: { $0.items == 4 }, taking: .changes)
        let bench = try WindowBench(window: Self.showing, to: exporter)
        for span in [TestSpan(id: 2, parent: 1), TestSpan(id: 3, parent: 1), TestSpan(id: 4, parent: 1)] {
            #expect(await bench.send([span]) == .accepted)
        }
        await bench.show(2)
        #expect(await bench.send([TestSpan(id: 1)]) == .accepted)
        await bench.decide(all: false)
        await bench.deliver()
        let account = bench.row.account
        #expect(account.outcomes.sum == 6 && account.created == 2 && account.queued == 0 && bench.isBalanced)
        await bench.journal.close()
    }
}
