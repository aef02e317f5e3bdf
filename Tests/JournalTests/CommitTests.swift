import Basics
import TestKit
import Testing

@testable import Journal

/// How groups become durable together, and what happens when the disk fails.
@Suite struct CommitTests {
    private let disk = Disk()

    @Test func `groups that came during a sync share the next one`() async throws {
        let journal = try disk.open()
        #expect(await journal.append(texts: "first") == [.durable])
        let gate = disk.files.holdSyncs()
        let commits = Commits()
        let others = Commits()
        journal.append(RecordGroup(entries: [NewRecord("0")]), ticket: 0, observer: commits)
        await gate.arrival()
        for ticket in 1...8 {
            let observer = ticket % 2 == 0 ? commits : others
            journal.append(RecordGroup(entries: [NewRecord("\(ticket)")]), ticket: UInt64(ticket), observer: observer)
        }
        #expect(commits.rounds.isEmpty)
        #expect(journal.logs[0].readers[0].account.queued == 1)
        let before = disk.files.countOfSegments(.sync)
        gate.open()
        #expect(await others.result(of: 7) == .durable)
        #expect(await commits.result(of: 8) == .durable)
        #expect(commits.rounds == [[0], [2, 4, 6, 8]])
        #expect(others.rounds == [[1, 3, 5, 7]])
        #expect(disk.files.countOfSegments(.sync) == before + 2)
        await journal.close()
    }

    @Test func `a group over two logs is synced in both and read in both`() async throws {
        let stepped = try disk.openStepped([.traces("one"), LogDefinition(.logs, readers: [.init(name: "two")])])
        let before = disk.files.countOfSegments(.sync)
        #expect(stepped.commit([NewRecord("a"), NewRecord("b", log: .logs), NewRecord("c")]) == [.durable])
        #expect(disk.files.countOfSegments(.sync) == before + 2)
        #expect(try await stepped.logs[0].readers[0].read(through: "c").map(\.text) == ["a", "c"])
        #expect(try await stepped.logs[1].readers[0].read(through: "b").map(\.text) == ["b"])
    }

    @Test func `only counts do not wait for the sync`() throws {
        let stepped = try disk.openStepped()
        let before = disk.files.countOfSegments(.sync)
        #expect(stepped.commit([NewRecord("", items: 4, kind: .counts)]) == [.durable])
        #expect(disk.files.countOfSegments(.sync) == before)
        #expect(stepped.logs[0].readers[0].account.accepted == 0)
        stepped.committer.tick()
        #expect(disk.files.countOfSegments(.sync) > before)
        #expect(stepped.logs[0].readers[0].account.accepted == 4)
    }

    @Test(arguments: [FaultyFileSystem.Operation.write, .sync], [Int32(5), 28])
    func `a failing disk fails the round, and the next goes to a new segment`(
        operation: FaultyFileSystem.Operation,
        code: Int32
    ) async throws {
        let stepped = try disk.openStepped()
        #expect(stepped.commit([NewRecord("a")]) == [.durable])
        disk.files.fail(operation, code: code, pathSuffix: ".log")
        for result in stepped.commit([NewRecord("b")], [NewRecord("c")]) {
            guard case .failed = result else {
                Issue.record("\(result)")
                continue
            }
        }
        #expect(stepped.logs[0].readers[0].account.accepted == 1)
        #expect(stepped.commit([NewRecord("d")]) == [.durable])
        #expect(disk.segments.count == 2)
        let records = try await stepped.logs[0].readers[0].read(through: "d")
        #expect(records.map(\.text) == ["a", "d"])
        #expect(records.map(\.id) == [0, 1])
    }

    @Test func `what a failed sync left in a segment stays void after a restart`() async throws {
        var stepped: SteppedJournal? = try disk.openStepped()
        #expect(stepped?.commit([NewRecord("a")]) == [.durable])
        disk.files.fail(.sync, pathSuffix: ".log")
        disk.files.fail(.truncate, pathSuffix: ".log")
        #expect(stepped?.commit([NewRecord("b")]) != [.durable])
        #expect(stepped?.commit([NewRecord("c")]) == [.durable])
        stepped = nil
        let journal = try disk.open()
        let records = try await journal.logs[0].readers[0].read(through: "c")
        #expect(records.map(\.text) == ["a", "c"])
        #expect(journal.logs[0].readers[0].account.outcomes[.lost] == 0)
        await journal.close()
    }

    @Test(arguments: [FaultyFileSystem.Operation.open, .preallocate, .write, .sync, .syncDirectory], [Int32(5), 28])
    func `a disk that fails for long leaves no files and comes back without a restart`(
        operation: FaultyFileSystem.Operation,
        code: Int32
    ) throws {
        let stepped = try disk.openStepped()
        disk.files.fail(operation, code: code, times: 1000, pathSuffix: operation == .syncDirectory ? "" : ".log")
        for _ in 0..<10 {
            #expect(stepped.commit([NewRecord("a")]) != [.durable])
            stepped.committer.tick()
        }
        #expect(disk.segments.isEmpty)
        disk.files.heal()
        #expect(stepped.commit([NewRecord("a")]) == [.durable])
        #expect(stepped.logs[0].readers[0].account.accepted == 1)
        #expect(disk.files.retriedSyncs == 0)
    }

    @Test func `a disk that was full to the brim takes records again once there is room`() async throws {
        let stepped = try disk.openStepped()
        let large = NewRecord(String(repeating: "x", count: 10_000))
        disk.files.setCapacity(400 * 1024)
        var count = 0
        while stepped.commit([large]) == [.durable] { count += 1 }
        #expect(stepped.commit([large]) == [.full(retryAfter: .seconds(3))])
        let reader = stepped.logs[0].readers[0]
        for _ in 0..<count { reader.finish(try await reader.next(bytesMax: 1, recordsMax: 1).map(\.delivered)) }
        #expect(stepped.commit([large]) == [.durable])
        #expect(reader.account.outcomes == OutcomeCounts(delivered: UInt64(count)))
    }

    @Test func `short writes are finished`() async throws {
        disk.files.setShortWrites(true)
        let journal = try disk.open()
        let text = String(repeating: "x", count: 10_000)
        #expect(await journal.append([NewRecord(text), NewRecord("y")]) == .durable)
        #expect(try await journal.logs[0].readers[0].read(through: "y").map(\.text) == [text, "y"])
        await journal.close()
    }

    @Test(arguments: [SyncMode.interval(.seconds(3600)), .never])
    func `without a sync for every group nothing waits`(mode: SyncMode) async throws {
        let disk = Disk(sync: mode)
        let stepped = try disk.openStepped()
        let before = disk.files.countOfSegments(.sync)
        #expect(stepped.commit([NewRecord("a")]) == [.durable])
        #expect(disk.files.countOfSegments(.sync) == before)
        #expect(try await stepped.logs[0].readers[0].read(through: "a").map(\.text) == ["a"])
    }

    @Test func `the queue in front of the disk is bounded`() async throws {
        var disk = disk
        disk.settings.queueBytesMax = ByteCount(bytes: 1000)
        let journal = try disk.open()
        let gate = disk.files.holdSyncs()
        let commits = Commits()
        journal.append(RecordGroup(entries: [NewRecord("first")]), ticket: 0, observer: commits)
        await gate.arrival()
        let large = NewRecord(String(repeating: "x", count: 600))
        for ticket in 1...3 as ClosedRange<UInt64> {
            journal.append(RecordGroup(entries: [large]), ticket: ticket, observer: commits)
        }
        gate.open()
        var results: [CommitResult] = []
        for ticket in 0...3 as ClosedRange<UInt64> { results.append(await commits.result(of: ticket)) }
        #expect(results == [.durable, .durable, .full(retryAfter: .seconds(1)), .full(retryAfter: .seconds(1))])
        await journal.close()
    }

    @Test func `a closed journal refuses`() async throws {
        let journal = try disk.open()
        await journal.close()
        #expect(await journal.append([NewRecord("late")]) == .failed("the journal is closed"))
        await journal.close()
    }

    @Test func `a record for a log that does not exist fails alone`() throws {
        let stepped = try disk.openStepped()
        #expect(
            stepped.commit([NewRecord("a", log: .logs)], [NewRecord("b")]) == [
                .failed("there is no log logs"), .durable,
            ]
        )
    }
}
