import Basics
import TestKit
import Testing

@testable import Journal

/// What one reader gets, when, and how its account stands.
@Suite struct ReaderTests {
    private let disk = Disk()

    @Test(arguments: [(1, 10, 1), (8, 10, 1), (16, 10, 2), (1000, 3, 3), (1000, 10, 5)])
    func `a reader gets as many records as fit, at least one`(bytesMax: Int, recordsMax: Int, count: Int) async throws {
        let journal = try disk.open()
        #expect(await journal.append((1...5).map { NewRecord("000\($0)") }) == .durable)
        let records = try await journal.logs[0].readers[0].next(bytesMax: bytesMax, recordsMax: recordsMax)
        #expect(records.count == count)
        await journal.close()
    }

    @Test func `a reader waits until there is something`() async throws {
        let journal = try disk.open()
        let reader = journal.logs[0].readers[0]
        let waiting = Task { try await reader.next(bytesMax: 100, recordsMax: 10).map(\.text) }
        #expect(await journal.append(texts: "a") == [.durable])
        #expect(try await waiting.value == ["a"])
        await journal.close()
    }

    @Test func `cancelling a reader that waits loses nothing`() async throws {
        let journal = try disk.open()
        let reader = journal.logs[0].readers[0]
        for _ in 0..<50 {
            let waiting = Task { try await reader.next(bytesMax: 100, recordsMax: 10) }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        #expect(await journal.append(texts: "a") == [.durable])
        #expect(try await reader.read(through: "a").count == 1)
        await journal.close()
    }

    @Test func `two callers of next at once are a mistake of ours`() async {
        await #expect(processExitsWith: .failure) {
            let journal = try Disk().open()
            let reader = journal.logs[0].readers[0]
            async let first = reader.next(bytesMax: 1, recordsMax: 1)
            async let second = reader.next(bytesMax: 1, recordsMax: 1)
            _ = try await (first, second)
        }
    }

    @Test func `closing the journal wakes its readers`() async throws {
        let journal = try disk.open()
        let reader = journal.logs[0].readers[0]
        let waiting = Task { try await reader.next(bytesMax: 100, recordsMax: 10) }
        await journal.close()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }

    @Test func `a reader with too much in flight waits until it settles some`() async throws {
        let journal = try disk.open()
        let reader = journal.logs[0].readers[0]
        let group = (0..<LogReader.inFlightMax + 1).map { _ in NewRecord("x") }
        #expect(await journal.append(group) == .durable)
        var records: [StoredRecord] = []
        while records.count < LogReader.inFlightMax {
            records += try await reader.next(bytesMax: 1_000_000, recordsMax: 10_000)
        }
        #expect(records.count == LogReader.inFlightMax)
        let waiting = Task { try await reader.next(bytesMax: 100, recordsMax: 10).map(\.id) }
        reader.finish([records[1].delivered])
        #expect(try await waiting.value == [UInt64(LogReader.inFlightMax)])
        await journal.close()
    }

    @Test(arguments: [(ReaderDefinition.Start.newest, ["c"]), (.oldest, ["a", "b", "c"])])
    func `a reader new to the log begins where it was told`(start: ReaderDefinition.Start, texts: [String]) async throws
    {
        let first = try disk.open([.traces("one")])
        #expect(await first.append(texts: "a", "b") == [.durable, .durable])
        await first.close()
        let readers = [ReaderDefinition(name: "one"), ReaderDefinition(name: "new", start: start)]
        let second = try disk.open([LogDefinition(.traces, readers: readers)])
        #expect(await second.append(texts: "c") == [.durable])
        let reader = try #require(second.logs[0].reader(named: "new"))
        #expect(try await reader.read(through: "c").map(\.text) == texts)
        #expect(reader.account.accepted == UInt64(texts.count))
        #expect(reader.account.isBalanced)
        await second.close()
    }

    @Test func `a new reader keeps its beginning through a crash`() async throws {
        let journal = try disk.open()
        #expect(await journal.append(texts: "a") == [.durable])
        disk.files.crash(losing: .everything)
        await journal.close()
        let again = try disk.open()
        #expect(again.logs[0].readers[0].account.queued == 1)
        await again.close()
    }

    @Test func `finished records are not read again, whatever their order`() async throws {
        let journal = try disk.open()
        #expect(await journal.append((0..<10).map { NewRecord("\($0)") }) == .durable)
        let records = try await journal.logs[0].readers[0].next(bytesMax: 1000, recordsMax: 10)
        journal.logs[0].readers[0].finish([records[8], records[0], records[3], records[4]].map(\.delivered))
        #expect(journal.logs[0].readers[0].account.queued == 6)
        await journal.close()

        let again = try disk.open()
        let reader = again.logs[0].readers[0]
        #expect(reader.account.queued == 6)
        #expect(reader.account.outcomes == OutcomeCounts(delivered: 4))
        #expect(try await reader.read(through: "9").map(\.text) == ["1", "2", "5", "6", "7", "9"])
        await again.close()
    }

    @Test(arguments: [
        (OutcomeCounts(delivered: 3), OutcomeCounts(delivered: 3)),
        (OutcomeCounts(delivered: 1, filtered: 1), OutcomeCounts(delivered: 1, filtered: 1, lost: 1)),
        (OutcomeCounts(delivered: 2, rejected: 9), OutcomeCounts(delivered: 2, rejected: 1)),
    ])
    func `outcomes that do not add up never unbalance the account`(
        given: OutcomeCounts,
        counted: OutcomeCounts
    ) async throws {
        let stepped = try disk.openStepped()
        #expect(stepped.commit([NewRecord("a", items: 3)]) == [.durable])
        let reader = stepped.logs[0].readers[0]
        reader.finish([SettledRecord(id: 0, items: 3, outcomes: given)])
        reader.finish([SettledRecord(id: 0, items: 3, outcomes: given)])
        #expect(reader.account.outcomes == counted)
        #expect(reader.account.isBalanced)
    }

    @Test func `a vanished reader holds its records until it is abandoned`() async throws {
        let first = try disk.open([.traces("one", "gone")])
        #expect(await first.append(texts: "a", "b") == [.durable, .durable])
        let records = try await first.logs[0].readers[0].next(bytesMax: 1000, recordsMax: 10)
        first.logs[0].readers[0].finish(records.map(\.delivered))
        await first.close()

        let second = try disk.open([.traces("one")])
        #expect(second.vanishedReaders.map(\.name) == ["gone"])
        #expect(second.vanishedReaders.map(\.account.queued) == [2])
        #expect(second.vanishedReaders.map(\.abandoned) == [false])
        #expect(second.abandon(reader: "gone"))
        #expect(!second.abandon(reader: "one"))
        #expect(await second.append(texts: "c") == [.durable])
        #expect(second.vanishedReaders.map(\.account.outcomes) == [OutcomeCounts(expired: 2)])
        #expect(second.vanishedReaders.map(\.account.accepted) == [2])
        await second.close()

        let third = try disk.open([.traces("one", "gone")])
        #expect(third.vanishedReaders.isEmpty)
        #expect(await third.append(texts: "d") == [.durable])
        let back = third.logs[0].readers[1]
        #expect(try await back.read(through: "d").map(\.text) == ["d"])
        #expect(back.account.accepted == 3)
        #expect(back.account.isBalanced)
        await third.close()
    }

    @Test func `readers of a log that is no longer defined are known`() async throws {
        let first = try disk.open([.traces("one")])
        #expect(await first.append(texts: "a") == [.durable])
        await first.close()
        let second = try disk.open([LogDefinition(LogID("other"), readers: [])])
        #expect(second.vanishedReaders.map(\.log) == [.traces])
        #expect(second.vanishedReaders.map(\.name) == ["one"])
        await second.close()
    }

    @Test func `the age of the oldest queued record follows the cursor`() async throws {
        let stepped = try disk.openStepped()
        let reader = stepped.logs[0].readers[0]
        let start = disk.clock.wall.now()
        #expect(stepped.commit([NewRecord("a")]) == [.durable])
        disk.clock.advance(by: .seconds(100))
        #expect(stepped.commit([NewRecord("b")]) == [.durable])
        #expect(reader.account.oldestQueued == start)
        reader.finish(try await reader.next(bytesMax: 1, recordsMax: 1).map(\.delivered))
        #expect(reader.account.oldestQueued == disk.clock.wall.now())
        reader.finish(try await reader.next(bytesMax: 1, recordsMax: 1).map(\.delivered))
        #expect(reader.account.oldestQueued == nil)
    }
}
