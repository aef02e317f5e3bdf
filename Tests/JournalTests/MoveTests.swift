import Basics
import TestKit
import Testing

@testable import Journal

/// Records that move from one log to another, and the reader that settles them in an order of its own.
@Suite struct MoveTests {
    private let disk = Disk(maxBytes: .kibibytes(512))
    private let logs = [
        LogDefinition(.traces, readers: [ReaderDefinition(name: "window", isWindow: true)]),
        LogDefinition(.behind, readers: [ReaderDefinition(name: "out")], source: .traces),
    ]

    private func moved(_ ids: ClosedRange<UInt64>) -> SettledRecord {
        let items = UInt32(ids.count)
        return SettledRecord(id: ids.lowerBound, items: items, outcomes: [.delivered: UInt64(items)])
    }

    /// What both logs hold together, at one moment.
    private func queued(_ logs: [Log]) -> (before: UInt64, behind: UInt64) {
        let moment = logs[1].snapshot(with: logs[0])
        return (moment.source.accounts[0].account.queued, moment.own.accounts[0].account.queued)
    }

    private func commit(_ entries: [NewRecord], moving move: RecordMove, _ stepped: SteppedJournal) -> CommitResult {
        let group = RecordGroup(entries: entries, moving: [move])
        let submission = Submission(
            group: group,
            ticket: 7,
            observer: stepped.commits,
            receivedAt: stepped.committer.clock.now()
        )
        stepped.committer.commit([submission])
        return stepped.commits.results[7] ?? .failed("no result")
    }

    @Test func `a record is settled where it was in the moment in which its copy can be read`() async throws {
        let journal = try disk.open(logs)
        let reader = journal.logs[0].readers[0]
        #expect(await journal.append([NewRecord("a", items: 2), NewRecord("b"), NewRecord("c")]) == .durable)
        let gate = disk.files.holdSyncs()
        let commits = Commits()
        let copy = NewRecord("ac", items: 3, log: .behind)
        let move = RecordMove(of: reader, [moved(0...1), moved(3...3)])
        journal.append(RecordGroup(entries: [copy], moving: [move]), ticket: 1, observer: commits)
        await gate.arrival()
        #expect(queued(journal.logs) == (4, 0))
        gate.open()
        #expect(await commits.result(of: 1) == .durable)
        #expect(queued(journal.logs) == (1, 3))
        #expect(reader.account.outcomes == OutcomeCounts(delivered: 3))
        await journal.close()
    }

    @Test func `what gave way meanwhile is not moved, and what a failed disk did not take stays`() async throws {
        let stepped = try disk.openStepped(logs)
        let reader = stepped.logs[0].readers[0]
        #expect(stepped.commit([NewRecord("a", items: 2), NewRecord("b")]) == [.durable])
        reader.settleHeld([SettledRecord(id: 0, items: 2, outcomes: [.expired: 2])])
        let copy = NewRecord("ab", items: 3, log: .behind)
        guard case .failed = commit([copy], moving: RecordMove(of: reader, [moved(0...2)]), stepped) else {
            Issue.record("an expired record was moved")
            return
        }
        #expect(stepped.logs[1].statistics.nextID == 0)
        disk.files.fail(.sync, pathSuffix: ".log")
        let failed = commit([NewRecord("b", log: .behind)], moving: RecordMove(of: reader, [moved(2...2)]), stepped)
        #expect(failed != .durable)
        #expect(queued(stepped.logs) == (1, 0))
        #expect(
            commit([NewRecord("b", log: .behind)], moving: RecordMove(of: reader, [moved(2...2)]), stepped)
                == .durable
        )
        #expect(queued(stepped.logs) == (0, 1))
    }

    @Test(arguments: [FaultyFileSystem.Loss.everything, .nothing])
    func `what a crash left unsettled is settled once, and no id that was moved is given again`(
        loss: FaultyFileSystem.Loss
    ) async throws {
        var stepped = try disk.openStepped(logs)
        #expect(stepped.commit([NewRecord("a", items: 2), NewRecord("b")]) == [.durable])
        let move = RecordMove(of: stepped.logs[0].readers[0], [moved(0...1)])
        #expect(commit([NewRecord("a", items: 2, log: .behind)], moving: move, stepped) == .durable)
        disk.files.crash(losing: loss)
        stepped = try disk.openStepped(logs)
        let reader = stepped.logs[0].readers[0]
        #expect(queued(stepped.logs) == (3, 2))
        // Ids from 3 on stand for records that the power failure took with it.
        for _ in 0..<2 {
            stepped.committer.restore(RecordMove(of: stepped.logs[0].readers[0], [moved(0...1), moved(5...6)]))
            #expect(queued(stepped.logs) == (1, 2))
        }
        #expect(reader.account.outcomes == OutcomeCounts(delivered: 4, lost: 2))
        #expect(stepped.commit([NewRecord("c")]) == [.durable])
        #expect(try await reader.read(through: "c").map(\.id) == [2, 7])
        #expect(reader.account.isBalanced)
    }

    @Test func `a window holds more records than others and its cursor knows their gaps after a restart`() async throws
    {
        let disk = Disk(maxBytes: .mebibytes(8))
        let count = LogReader.inFlightMax / 4 * 8
        var journal = try disk.open(logs)
        for _ in 0..<4 {
            let group = (0..<count / 4).map { _ in NewRecord("x") } + [NewRecord("y")]
            #expect(await journal.append(group) == .durable)
        }
        var records: [StoredRecord] = []
        let reader = journal.logs[0].readers[0]
        while records.count < count + 4 { records += try await reader.next(bytesMax: 1 << 20, recordsMax: 4096) }
        reader.finish(records.filter { $0.id % 2 == 1 }.map(\.delivered))
        await journal.close()
        #expect(try JournalInspection.inspect(Disk.directory, fileSystem: disk.files).problems.isEmpty)
        journal = try disk.open(logs)
        let again = journal.logs[0].readers[0]
        #expect(again.account.queued == UInt64((count + 4) / 2))
        let left = try await again.next(bytesMax: 1 << 20, recordsMax: 2)
        #expect(left.map(\.id) == [0, 2])
        await journal.close()
    }

    @Test func `a full backlog behind the window refuses requests, and not what moves`() throws {
        var logs = logs
        let limited = ReaderDefinition(name: "out", backlog: Backlog(maxBytes: .kibibytes(64), whenFull: .reject))
        logs[1] = LogDefinition(.behind, readers: [limited], source: .traces)
        let stepped = try disk.openStepped(logs)
        let window = stepped.logs[0].readers[0]
        let text = String(repeating: "x", count: 40_000)
        let full = CommitResult.full(retryAfter: .seconds(3))
        for _ in 0..<3 { #expect(stepped.commit([NewRecord(text)]) == [.durable]) }
        for id in 0..<3 as Range<UInt64> {
            let copy = NewRecord(text, log: .behind)
            #expect(commit([copy], moving: RecordMove(of: window, [moved(id...id)]), stepped) == .durable)
        }
        #expect(stepped.commit([NewRecord(text)]) == [full])
        stepped.logs[1].readers[0].finish((0..<3).map { SettledRecord(id: $0, items: 1, outcomes: [.delivered: 1]) })
        stepped.committer.collect()
        #expect(stepped.commit([NewRecord(text)]) == [.durable])
    }

    @Test func `a group larger than a segment moves where the budget is used up`() throws {
        let stepped = try disk.openStepped(logs)
        let window = stepped.logs[0].readers[0]
        #expect(stepped.commit([NewRecord(String(repeating: "x", count: 250_000))]) == [.durable])
        var id: UInt64 = 1
        while stepped.commit([NewRecord(String(repeating: "x", count: 20_000))]) == [.durable] { id += 1 }
        #expect(id > 3)
        let copy = NewRecord(String(repeating: "x", count: 250_000), log: .behind)
        #expect(commit([copy], moving: RecordMove(of: window, [moved(0...0)]), stepped) == .durable)
    }

    @Test func `where room gets scarce a log says up to where it should be finished`() async throws {
        let journal = try disk.open(logs)
        let log = journal.logs[0]
        #expect(journal.endToPass(in: log) == nil)
        var count: UInt64 = 0
        while journal.endToPass(in: log) == nil, count < 100 {
            #expect(await journal.append([NewRecord(String(repeating: "x", count: 20_000))]) == .durable)
            count += 1
        }
        let end = try #require(journal.endToPass(in: log))
        #expect(0 < end && end < count)
        #expect(journal.endToPass(in: journal.logs[1]) == nil)
        await journal.close()
    }

    @Test func `windows that hold too much together give way one by one, the largest first`() async throws {
        // Segments are small beside what each of them holds.
        let disk = Disk(maxBytes: .mebibytes(8))
        let windows = (0..<6).map { number in
            LogDefinition(LogID("p\(number)"), readers: [ReaderDefinition(name: "window", isWindow: true)])
        }
        let journal = try disk.open(windows + [.traces()])
        let text = String(repeating: "x", count: 60_000)
        var count = 0
        // No log of a window has a quarter when the journal has less than that left.
        while journal.logs[..<6].allSatisfy({ journal.endToPass(in: $0) == nil }), count < 200 {
            // One of them gets more than the others.
            let target = [3, 3, 0, 1, 2, 4, 5, 6][count % 8]
            #expect(await journal.append([NewRecord(text, log: journal.logs[target].id)]) == .durable)
            count += 1
        }
        let asked = journal.logs.filter { journal.endToPass(in: $0) != nil }.map(\.id)
        #expect(asked == [LogID("p3")])
        await journal.close()
    }

    @Test func `items that nobody sent take no id and are counted where they end`() async throws {
        var journal = try disk.open(logs)
        #expect(await journal.append([NewRecord("a", items: 2, log: .behind)]) == .durable)
        let out = journal.logs[1].readers[0]
        _ = try await out.read(through: "a")
        out.finish([SettledRecord(id: 0, items: 2, outcomes: [.delivered: 3], created: 1)])
        await journal.close()
        journal = try disk.open(logs)
        let account = journal.logs[1].readers[0].account
        #expect(account.accepted == 2 && account.created == 1 && account.queued == 0)
        #expect(account.outcomes == OutcomeCounts(delivered: 3))
        await journal.close()
    }

    @Test func `an id of what nobody sent counts as created once it is finished, in any order`() async throws {
        var journal = try disk.open(logs)
        #expect(await journal.append(["a", "b"].map { NewRecord($0, log: .behind) }) == .durable)
        let out = journal.logs[1].readers[0]
        _ = try await out.read(through: "b")
        out.finish([SettledRecord(id: 1, items: 1, outcomes: [.delivered: 4], created: 3, isUnsent: true)])
        await journal.close()
        journal = try disk.open(logs)
        let account = journal.logs[1].readers[0].account
        #expect(account.accepted == 1 && account.created == 4 && account.queued == 1)
        #expect(account.outcomes == OutcomeCounts(delivered: 4))
        await journal.close()
    }

    @Test func `copies go when their readers have passed them and the window's cursor says so`() async throws {
        let stepped = try disk.openStepped(logs)
        let (window, out) = (stepped.logs[0].readers[0], stepped.logs[1].readers[0])
        let text = String(repeating: "x", count: 40_000)
        for id in 0..<3 as Range<UInt64> {
            #expect(stepped.commit([NewRecord(text)]) == [.durable])
            let copy = NewRecord(text, log: .behind)
            #expect(commit([copy], moving: RecordMove(of: window, [moved(id...id)]), stepped) == .durable)
        }
        _ = try await out.next(bytesMax: 1 << 20, recordsMax: 3)
        out.finish((0..<3).map { SettledRecord(id: $0, items: 1, outcomes: [.delivered: 1]) })
        stepped.committer.collect()
        let left = disk.segments.count { $0.contains("/behind/") }
        #expect(left == 1)
        disk.files.crash(losing: .everything)
        let again = try disk.openStepped(logs)
        #expect(queued(again.logs).before == 0)
    }
}

extension LogID {
    fileprivate static let behind = LogID("traces", part: "behind")
}
