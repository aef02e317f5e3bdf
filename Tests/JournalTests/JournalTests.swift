import Basics
import Journal
import Logging
import TestKit
import Testing

/// The same questions, on a disk and in memory.
@Suite struct JournalTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func open(
        _ storage: JournalStorage,
        readers: [String] = ["one", "two"],
        start: ReaderDefinition.Start = .newest
    ) throws -> Journal {
        let definitions = readers.map { ReaderDefinition(name: $0, start: start) }
        return try Journal.open(
            JournalSettings(
                directory: directory.path,
                storage: storage,
                minFree: .kibibytes(0),
                segment: .kibibytes(256)
            ),
            logs: [
                LogDefinition(.traces, readers: definitions),
                LogDefinition(.letters, role: .deadLetters(DeadLetterLimits()), readers: Array(definitions.prefix(1))),
            ],
            logger: Logger(label: "test")
        )
    }

    @Test(arguments: [JournalStorage.disk, .memory])
    func `what was appended is read by every reader`(storage: JournalStorage) async throws {
        let journal = try open(storage)
        #expect(await journal.append([NewRecord("hello", items: 3), NewRecord("world", items: 2)]) == .durable)
        for reader in journal.logs[0].readers {
            let records = try await reader.next(bytesMax: 1000, recordsMax: 10)
            #expect(records.map(\.text) == ["hello", "world"])
            #expect(records.map(\.id) == [0, 3])
            #expect(records.map(\.metadata) == [Array("meta".utf8), Array("meta".utf8)])
            #expect(reader.account.queued == 5)
            reader.finish(records.map(\.delivered))
            #expect(reader.account.outcomes == OutcomeCounts(delivered: 5))
            #expect(reader.account.queued == 0)
            #expect(reader.account.oldestQueued == nil)
        }
        await journal.close()
    }

    @Test(arguments: [JournalStorage.disk, .memory])
    func `dead letters wait, and replays among them are read`(storage: JournalStorage) async throws {
        let journal = try open(storage)
        let letter = NewRecord("letter", items: 3, log: .letters, kind: .deadLetter)
        #expect(await journal.append([letter, NewRecord("replay", items: 2, log: .letters), letter]) == .durable)
        let log = journal.logs[1]
        #expect(try await log.readers[0].next(bytesMax: 1000, recordsMax: 10).map(\.text) == ["replay"])
        var ids: [UInt64] = []
        log.visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: ByteCount(bytes: .max)) { ids.append($0.id) }
        #expect(ids == [0, 3, 5])
        log.readers[0].settleHeld([SettledRecord(id: 0, items: 3, outcomes: OutcomeCounts(expired: 3))])
        let (statistics, accounts) = (log.snapshot.statistics, log.snapshot.accounts)
        #expect(statistics == log.statistics)
        #expect(accounts.map(\.reader) == ["one"])
        #expect(accounts.map(\.account) == [log.readers[0].account])
        #expect(accounts.map(\.account.held) == [3])
        #expect(accounts.map(\.account.queued) == [5])
        await journal.close()
    }

    @Test func `a journal that is opened again goes on where each reader stood`() async throws {
        let first = try open(.disk)
        #expect(await first.append(texts: "a", "b", "c") == [.durable, .durable, .durable])
        let records = try await first.logs[0].readers[0].next(bytesMax: 1000, recordsMax: 2)
        first.logs[0].readers[0].finish(records.map(\.delivered))
        await first.close()

        let second = try open(.disk)
        #expect(await second.append(texts: "d") == [.durable])
        var texts: [[String]] = []
        for reader in second.logs[0].readers {
            #expect(reader.account.isBalanced)
            var read: [String] = []
            while read.last != "d" { read += try await reader.next(bytesMax: 1000, recordsMax: 10).map(\.text) }
            texts.append(read)
        }
        #expect(texts == [["c", "d"], ["a", "b", "c", "d"]])
        #expect(second.logs[0].readers[0].account.queued == 2)
        await second.close()
    }
}
