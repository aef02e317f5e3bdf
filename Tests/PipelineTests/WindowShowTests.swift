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

    @Test func `what found no room to go ahead is in the end of its trace, once`() async throws {
        let files = FaultyFileSystem()
        let exporter = ScriptedExporter(exclusive: true)
        var window = Self.showing
        window.window.openWait = .milliseconds(50)
        let bench = try WindowBench(on: files, window: window, to: exporter)
        #expect(await bench.send([TestSpan(id: 2, parent: 1)]) == .accepted)
        #expect(await bench.send([TestSpan(id: 3, parent: 1)]) == .accepted)
        files.setCapacity(0)
        await withTaskGroup { group in
            group.addTask { await bench.stage.run() }
            let isPutOff = await until { bench.stage.trouble != nil && bench.stage.position.traces == 0 }
            #expect(isPutOff && bench.row.account.queued == 2 && bench.isBalanced)
            files.setCapacity(nil)
            let isMoved = await until { bench.journal.logs[1].statistics.acceptedItems == 2 }
            #expect(isMoved)
            group.cancelAll()
        }
        await bench.deliver()
        #expect(try spans(exporter.batches).flatMap { $0 }.sorted() == [2, 3])
        let account = bench.row.account
        #expect(account.accepted == 2 && account.outcomes == OutcomeCounts(delivered: 2) && bench.isBalanced)
        #expect(bench.shares.held == 0)
        await bench.journal.close()
    }

    @Test func `a trace that is decided while some of it goes ahead knows of that`() async throws {
        let files = FaultyFileSystem()
        let exporter = ScriptedExporter(exclusive: true, taking: .whole)
        var window = Self.showing
        window.window.spansMax = 2
        let bench = try WindowBench(on: files, window: window, to: exporter)
        // It reads a mebibyte at a time: the third comes with its second look.
        let large = TestValue.string(String(repeating: "r", count: 400_000))
        for id in [2, 3, 4] as [UInt64] {
            let span = tracesRequest([TestSpan(id: id, parent: 1)], resource: ["large": large])
            #expect(await bench.send(span) == .accepted)
        }
        let gate = files.holdSyncs()
        await withTaskGroup { group in
            group.addTask { await bench.stage.run() }
            await gate.arrival()
            let isDecided = await until { bench.stage.position.traces == 0 }
            gate.open()
            let isMoved = await until { bench.journal.logs[1].statistics.acceptedItems == 3 }
            #expect(isDecided && isMoved)
            group.cancelAll()
        }
        await bench.deliver()
        #expect(try spans(exporter.batches).flatMap { $0 }.sorted() == [2, 3, 4])
        let account = bench.row.account
        #expect(account.outcomes == OutcomeCounts(delivered: 3, filtered: 1) && account.created == 1)
        #expect(bench.isBalanced && bench.shares.held == 0)
        await bench.journal.close()
    }

    @Test func `a destination that takes spans ahead only since a restart gets all in the end`() async throws {
        let files = FaultyFileSystem()
        var window = Self.showing
        window.isSame = true
        let old = ScriptedExporter(exclusive: true, taking: .whole)
        var bench = try WindowBench(on: files, window: window, to: old)
        for id in [2, 3] as [UInt64] { #expect(await bench.send([TestSpan(id: id, parent: 1)]) == .accepted) }
        await bench.show(1)
        await bench.deliver()
        #expect(bench.row.account.outcomes == OutcomeCounts(filtered: 1))
        await bench.journal.close()
        let new = ScriptedExporter(exclusive: true, taking: .changes)
        bench = try WindowBench(on: files, window: window, to: new)
        #expect(await bench.send([TestSpan(id: 1)]) == .accepted)
        await bench.decide()
        await bench.deliver()
        #expect(old.batches.isEmpty)
        #expect(try spans(new.batches).flatMap { $0 }.sorted() == [1, 2, 3])
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 3, filtered: 1) && bench.isBalanced)
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
