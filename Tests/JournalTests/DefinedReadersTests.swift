import Basics
import TestKit
import Testing

@testable import Journal

/// Readers that are defined and retired while the journal runs.
@Suite struct DefinedReadersTests {
    private let disk = Disk()

    @Test(arguments: [(ReaderDefinition.Start.newest, ["b"]), (.oldest, ["a", "b"])])
    func `a reader that is defined while the journal runs begins where it is told, and keeps its account`(
        start: ReaderDefinition.Start,
        texts: [String]
    ) async throws {
        let journal = try disk.open()
        #expect(await journal.append(texts: "a") == [.durable])
        let log = try #require(journal.log(.traces))
        let new = try await journal.define(ReaderDefinition(name: "new", start: start), in: log)
        #expect(log.readers.map(\.name) == ["one", "new"])
        disk.files.crash(losing: .everything)
        await journal.close()

        let again = try disk.open([.traces("one", "new")])
        #expect(again.logs[0].readers[1].account.since == new.account.since)
        #expect(await again.append(texts: "b") == [.durable])
        let reader = try #require(again.logs[0].reader(named: "new"))
        #expect(try await reader.read(through: "b").map(\.text) == texts)
        #expect(reader.account.accepted == UInt64(texts.count))
        #expect(reader.account.isBalanced)
        await again.close()
    }

    @Test func `a retired reader is given nothing more, and its account waits for it`() async throws {
        let journal = try disk.open([.traces("one", "two")])
        let log = try #require(journal.log(.traces))
        let reader = try #require(log.reader(named: "one"))
        #expect(await journal.append(texts: "a", "b", "c") == [.durable, .durable, .durable])
        let records = try await reader.read(through: "c")
        let waiting = Task { try await reader.next(bytesMax: 100, recordsMax: 10) }
        await journal.retire(ReaderID("one", of: .traces))
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(log.readers.map(\.name) == ["two"])
        #expect(journal.vanishedReaders.map(\.name) == ["one"])
        #expect(journal.vanishedReaders.map(\.account.queued) == [3])
        reader.finish([records[1].delivered])
        #expect(journal.vanishedReaders.map(\.account.outcomes) == [OutcomeCounts(delivered: 1)])

        let again = try await journal.define(ReaderDefinition(name: "one"), in: log)
        #expect(try await again.read(through: "c").map(\.text) == ["a", "c"])
        #expect(again.unsettled == 2)
        await #expect(throws: CancellationError.self) { try await reader.next(bytesMax: 100, recordsMax: 10) }
        reader.finish([records[0].delivered])
        #expect(again.unsettled == 2, "the first reader was given that")
        #expect(again.account.outcomes == OutcomeCounts(delivered: 2))
        #expect(again.account.isBalanced)
        await journal.close()
    }

    @Test func `a reader that is retired with nothing left holds nothing back`() async throws {
        let journal = try disk.open([.traces("one", "two")])
        let log = try #require(journal.log(.traces))
        await journal.retire(ReaderID("two", of: .traces))
        #expect(journal.vanishedReaders.map(\.abandoned) == [true])
        let large = String(repeating: "x", count: 50_000)
        for _ in 0..<5 { #expect(await journal.append([NewRecord(large)]) == .durable) }
        let reader = try #require(log.reader(named: "one"))
        for _ in 0..<5 { reader.finish(try await reader.next(bytesMax: 1, recordsMax: 1).map(\.delivered)) }
        #expect(await journal.append([NewRecord("last")]) == .durable)
        journal.persistCursors()
        #expect(log.statistics.firstID > 0, "what both had passed is gone")
        let two = try await journal.define(ReaderDefinition(name: "two"), in: log)
        #expect(two.account.accepted == 0)
        #expect(two.account.queued == 0)
        await journal.close()
    }

    @Test func `a reader that was retired is a vanished one at the next start`() async throws {
        let journal = try disk.open([.traces("one", "two")])
        #expect(await journal.append(texts: "a") == [.durable])
        await journal.retire(ReaderID("two", of: .traces))
        disk.files.crash(losing: .everything)
        await journal.close()
        let again = try disk.open([.traces("one")])
        #expect(again.vanishedReaders.map(\.name) == ["two"])
        #expect(again.vanishedReaders.map(\.account.queued) == [1])
        await again.close()
    }

    @Test func `defining a reader again changes its backlog and nothing else`() async throws {
        let journal = try disk.open()
        let log = try #require(journal.log(.traces))
        #expect(await journal.append(texts: "a") == [.durable])
        let reader = try #require(log.reader(named: "one"))
        let records = try await reader.read(through: "a")
        let backlog = Backlog(maxBytes: .kibibytes(64))
        let same = try await journal.define(ReaderDefinition(name: "one", backlog: backlog), in: log)
        #expect(same.unsettled == 1)
        var results: [CommitResult] = []
        let large = String(repeating: "x", count: 30_000)
        for _ in 0..<4 { results.append(await journal.append([NewRecord(large)])) }
        #expect(results.contains(.full(retryAfter: .seconds(3))))
        same.finish(records.map(\.delivered))
        #expect(same.account.isBalanced)
        await journal.close()
    }

    @Test func `where its cursor cannot be created a reader is not defined, and a later attempt may succeed`()
        async throws
    {
        let journal = try disk.open()
        let log = try #require(journal.log(.traces))
        for operation in [FaultyFileSystem.Operation.open, .preallocate, .syncDirectory, .write] {
            disk.files.fail(operation, code: 28, pathSuffix: operation == .syncDirectory ? "" : "new.cursor")
            await #expect(throws: JournalError.self) {
                try await journal.define(ReaderDefinition(name: "new"), in: log)
            }
            #expect(log.readers.map(\.name) == ["one"], "\(operation)")
        }
        _ = try await journal.define(ReaderDefinition(name: "new"), in: log)
        #expect(log.readers.map(\.name) == ["one", "new"])
        await journal.close()
        await #expect(throws: JournalError.self) {
            try await journal.define(ReaderDefinition(name: "late"), in: log)
        }
    }

    @Test func `a reader that leaves gets what was there, and its account ends with that`() async throws {
        let journal = try disk.open([.traces("one", "two")])
        let log = try #require(journal.log(.traces))
        let reader = try #require(log.reader(named: "one"))
        #expect(await journal.append(texts: "a", "b") == [.durable, .durable])
        journal.leave(ReaderID("one", of: .traces))
        #expect(reader.isLeaving)
        #expect(await journal.append(texts: "c") == [.durable])
        let records = try await reader.next(bytesMax: 100, recordsMax: 10)
        #expect(records.map(\.text) == ["a", "b"] && !reader.hasUnread)
        #expect(reader.account.accepted == 2 && reader.account.queued == 2 && reader.account.isBalanced)
        reader.finish(records.map(\.delivered))
        await journal.retire(ReaderID("one", of: .traces))
        #expect(journal.vanishedReaders.map(\.abandoned) == [true], "it holds nothing back")
        #expect(journal.vanishedReaders.map(\.account.accepted) == [2])

        let again = try await journal.define(ReaderDefinition(name: "one"), in: log)
        #expect(await journal.append(texts: "d") == [.durable])
        #expect(try await again.read(through: "d").map(\.text) == ["d"])
        #expect(again.account.accepted == 3 && again.account.isBalanced)
        await journal.close()
    }

    @Test func `a log that is defined while the journal runs is there at the next start`() async throws {
        let journal = try disk.open([.traces("one")])
        let other = LogID("other", part: nil)
        let definitions = [
            LogDefinition.traces("one"), LogDefinition(other, readers: [ReaderDefinition(name: "one")]),
        ]
        #expect(try await journal.define(definitions) == [ReaderID("one", of: other)])
        #expect(try await journal.define(definitions).isEmpty)
        #expect(await journal.append([NewRecord("a", log: other)]) == .durable)
        let reader = try #require(journal.log(other)?.reader(named: "one"))
        #expect(try await reader.read(through: "a").map(\.text) == ["a"])
        await journal.retire(ReaderID("one", of: other))
        journal.forgetUnread()
        #expect(journal.log(other) == nil && journal.vanishedReaders.map(\.account.queued) == [1])
        #expect(try await journal.define(definitions) == [ReaderID("one", of: other)])
        disk.files.crash(losing: .everything)
        await journal.close()

        let again = try disk.open(definitions)
        let same = try #require(again.log(other)?.reader(named: "one"))
        #expect(try await same.read(through: "a").map(\.text) == ["a"])
        await again.close()
    }
}
