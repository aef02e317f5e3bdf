import Basics
import TestKit
import Testing

@testable import Journal

/// What becomes of dead letters: who gets them, how long they stay, and what they may use.
@Suite struct DeadLetterTests {
    private let disk = Disk(maxBytes: .kibibytes(512))
    private let logs = [LogDefinition.traces("one"), .deadLetters()]
    private let folder = "/data/traces/dead-letters/one/"

    private func letter(_ text: String, items: UInt32 = 1) -> NewRecord {
        NewRecord(text, items: items, log: .letters, kind: .deadLetter)
    }

    private func replay(_ text: String, items: UInt32 = 1) -> NewRecord { NewRecord(text, items: items, log: .letters) }

    private func large(_ text: String) -> String { text + String(repeating: "x", count: 10_000) }

    private func settled(_ id: UInt64, items: UInt32 = 1) -> SettledRecord {
        SettledRecord(id: id, items: items, outcomes: OutcomeCounts(expired: UInt64(items)))
    }

    private func segments(_ disk: Disk) -> [String] { disk.segments.filter { $0.hasPrefix(folder) } }

    @Test func `replays are handed out in order, dead letters between them are not`() async throws {
        let stepped = try disk.openStepped(logs)
        let reader = stepped.logs[1].readers[0]
        #expect(stepped.commit([letter("a", items: 2)]) == [.durable])
        #expect(!reader.hasUnread)
        #expect(reader.account.oldestQueued == nil)
        disk.clock.advance(by: .seconds(5))
        #expect(stepped.commit([replay("b")], [letter("c"), replay("d", items: 3)]) == [.durable, .durable])
        #expect(reader.hasUnread)
        #expect(reader.account.oldestQueued == disk.clock.wall.now())
        #expect(try await reader.read(through: "d").map(\.text) == ["b", "d"])
        #expect(!reader.hasUnread)
        #expect(reader.unsettled == 2)
        #expect(reader.account.queued == 7)
        #expect(reader.account.held == 3)
        #expect(stepped.logs[1].retainedTexts == ["a", "b", "c", "d"])
        #expect(stepped.logs[0].readers[0].account.accepted == 0)
    }

    @Test(arguments: [FaultyFileSystem.Loss.everything, .nothing])
    func `dead letters survive a crash, those that were settled do not come back`(
        loss: FaultyFileSystem.Loss
    )
        async throws
    {
        var stepped = try disk.openStepped(logs)
        #expect(
            stepped.commit([letter("a", items: 2)], [replay("b")], [letter("c")]) == [.durable, .durable, .durable]
        )
        stepped.logs[1].readers[0].settleHeld([settled(0, items: 2)])
        #expect(stepped.logs[1].readers[0].isFinished(0))
        #expect(!stepped.logs[1].readers[0].isFinished(3))
        stepped.committer.tick()
        disk.files.crash(losing: loss)
        stepped = try disk.openStepped(logs)
        let reader = stepped.logs[1].readers[0]
        #expect(reader.account.held == 1)
        #expect(reader.account.queued == 2)
        #expect(reader.account.outcomes == OutcomeCounts(expired: 2))
        #expect(reader.isFinished(1) && !reader.isFinished(2) && !reader.isFinished(3))
        #expect(reader.hasUnread)
        let replays = try await reader.read(through: "b")
        #expect(replays.map(\.text) == ["b"])
        reader.finish(replays.map(\.delivered))
        #expect(!reader.hasUnread)
        #expect(reader.account.held == 1)
        #expect(reader.account.isBalanced)
    }

    @Test func `what was settled is in the cursor's file once the cursors were written`() async throws {
        let journal = try disk.open(logs)
        #expect(await journal.append([letter("a", items: 2)]) == .durable)
        journal.logs[1].readers[0].settleHeld([settled(0, items: 2)])
        journal.persistCursors()
        let path = try #require(disk.files.paths(endingWith: ".cursor").first { $0.hasPrefix(folder) })
        guard case .read(_, let snapshot) = try CursorFile.open(path, exists: true, slot: .deadLetters, in: disk.files)
        else {
            Issue.record("no cursor")
            return
        }
        #expect(snapshot.cursor.finished.contains(0))
        await journal.close()
        journal.persistCursors()
    }

    @Test func `segments stay while a dead letter in them is unsettled`() async throws {
        let stepped = try disk.openStepped(logs)
        for index in 0..<12 { #expect(stepped.commit([letter(large("\(index)"))]) == [.durable]) }
        let count = segments(disk).count
        #expect(count > 3)
        let reader = stepped.logs[1].readers[0]
        reader.settleHeld((1..<12).map { settled($0) })
        stepped.committer.tick()
        #expect(segments(disk).count == count)
        #expect(reader.account.held == 1)
        reader.settleHeld([settled(0), settled(0)])
        stepped.committer.tick()
        #expect(segments(disk).count == 1)
        #expect(reader.account.held == 0)
        #expect(reader.account.outcomes == OutcomeCounts(expired: 12))
    }

    @Test func `records of an ordinary log can be settled before they are handed out`() async throws {
        let stepped = try disk.openStepped(logs)
        #expect(stepped.commit([NewRecord("a")], [NewRecord("b")], [NewRecord("c")]).allSatisfy { $0 == .durable })
        let reader = stepped.logs[0].readers[0]
        reader.settleHeld([settled(1)])
        #expect(try await reader.read(through: "c").map(\.text) == ["a", "c"])
        #expect(reader.unsettled == 2)
        #expect(reader.account.held == 0)
    }

    @Test func `over their budget the oldest dead letters expire`() throws {
        let stepped = try disk.openStepped(logs)
        for index in 0..<100 {
            #expect(stepped.commit([letter(large("\(index)"))]) == [.durable])
            #expect(stepped.logs[1].statistics.bytes <= 256 * 1024)
        }
        let account = stepped.logs[1].readers[0].account
        #expect(account.outcomes[.expired] > 50)
        #expect(account.outcomes[.expired] + account.held == 100)
        #expect(account.held > 10)
        #expect(account.isBalanced)
    }

    @Test func `replays make no dead letter expire, and are full where they find no room`() throws {
        let stepped = try disk.openStepped(logs)
        let reader = stepped.logs[1].readers[0]
        while reader.account.outcomes[.expired] == 0 { #expect(stepped.commit([letter(large("a"))]) == [.durable]) }
        let before = reader.account
        var queued: UInt64 = 0
        while stepped.commit([replay(large("b"))]) == [.durable] {
            queued += 1
            #expect(stepped.logs[1].statistics.bytes <= 256 * 1024)
        }
        #expect(queued > 0)
        #expect(reader.account.held == before.held)
        #expect(reader.account.outcomes == before.outcomes)
        #expect(reader.account.queued == before.queued + queued)
        while reader.account.outcomes == before.outcomes { #expect(stepped.commit([letter(large("c"))]) == [.durable]) }
        #expect(reader.account.isBalanced)
    }

    @Test func `dead letters expire by their own age`() throws {
        let stepped = try disk.openStepped(logs)
        #expect(stepped.commit([letter("a")], [NewRecord("b")]) == [.durable, .durable])
        disk.clock.advance(by: .seconds(3601))
        stepped.committer.tick()
        #expect(stepped.logs[1].readers[0].account.outcomes == OutcomeCounts(expired: 1))
        #expect(stepped.logs[1].readers[0].account.held == 0)
        #expect(stepped.logs[0].readers[0].account.queued == 1)
        #expect(segments(disk).count == 1, "the one in reserve")
    }

    @Test func `a full journal takes dead letters, and full dead letters hinder nobody`() throws {
        let stepped = try disk.openStepped(logs)
        while stepped.commit([NewRecord(large("m"))]) == [.durable] {}
        for index in 0..<40 { #expect(stepped.commit([letter(large("\(index)"))]) == [.durable]) }
        #expect(stepped.logs[0].readers[0].account.outcomes.sum == 0)
        #expect(stepped.logs[0].statistics.bytes > 400 * 1024)
    }

    @Test func `on a full disk there is room in reserve`() throws {
        let stepped = try disk.openStepped(logs)
        disk.files.setCapacity(0)
        #expect(stepped.commit([NewRecord("a")], [letter("b")]) == [.full(retryAfter: .seconds(3)), .durable])
        #expect(stepped.logs[1].readers[0].account.held == 1)
        while stepped.commit([letter(large("c"))]) == [.durable] {}
        #expect(stepped.commit([letter(large("c"))]) == [.full(retryAfter: .seconds(3))])
        disk.files.setCapacity(nil)
        stepped.committer.tick()
        disk.files.setCapacity(0)
        #expect(stepped.commit([letter("d")]) == [.durable])
    }

    @Test func `without room in reserve the journal opens, and takes it later`() throws {
        disk.files.fail(.preallocate, code: 28, times: 3, pathSuffix: ".log")
        let stepped = try disk.openStepped(logs)
        #expect(segments(disk).isEmpty)
        stepped.committer.tick()
        #expect(stepped.commit([letter("a")], [NewRecord("b")]) == [.full(retryAfter: .seconds(3)), .durable])
        stepped.committer.tick()
        #expect(segments(disk).count == 1)
        #expect(stepped.commit([letter("a")]) == [.durable])
    }

    @Test func `a dead letter larger than their budget fails alone`() throws {
        let stepped = try disk.openStepped(logs)
        let huge = letter(String(repeating: "x", count: 300_000))
        let results = stepped.commit([NewRecord("a")], [huge], [letter("b")])
        #expect(results[0] == .durable && results[2] == .durable)
        #expect(results[1] == .tooLarge("its records take 308264 bytes, more than dead_letters.max_bytes, 256KiB"))
    }

    @Test func `a damaged dead letter is lost, and the others are not`() async throws {
        var stepped = try disk.openStepped(logs)
        #expect(stepped.commit([letter("aaaa")], [letter("bbbb", items: 2)], [letter("cccc")]).count == 3)
        stepped = try restart(stepped)
        disk.files.change(segments(disk)[0]) { bytes in
            let offset = bytes.indices.first { bytes[$0...].starts(with: Array("bbbb".utf8)) }
            if let offset { bytes[offset] ^= 1 }
        }
        #expect(stepped.logs[1].readers[0].account.held == 4)
        #expect(stepped.commit([replay("end")]) == [.durable])
        #expect(try await stepped.logs[1].readers[0].read(through: "end").count == 1)
        #expect(stepped.logs[1].readers[0].account.held == 2)
        #expect(stepped.logs[1].readers[0].account.outcomes == OutcomeCounts(lost: 2))
        #expect(stepped.logs[1].retainedTexts == ["aaaa", "cccc", "end"])
    }

    @Test func `dead letters without a cursor are all there`() throws {
        let stepped = try disk.openStepped(logs)
        #expect(stepped.commit([letter("a"), letter("b")]) == [.durable])
        disk.files.delete(folder + "one.cursor")
        disk.files.crash(losing: .nothing)
        #expect(try disk.openStepped(logs).logs[1].readers[0].account.held == 2)
    }

    @Test func `the dead letters of an exporter that vanished stay untouched, whatever is given up`() async throws {
        let journal = try disk.open([.traces("one", "two"), .deadLetters(), .deadLetters(of: "two")])
        #expect(await journal.append([letter("a")]) == .durable)
        await journal.close()
        let before = segments(disk).map(disk.files.bytes)
        let second = try disk.open([.traces("two"), .deadLetters(of: "two")])
        #expect(second.vanishedReaders.map(\.name) == ["one", "one"])
        #expect(second.vanishedReaders.map(\.log) == [.traces, .letters])
        #expect(second.vanishedReaders.map(\.account.held) == [0, 1])
        #expect(second.abandon(reader: "one"))
        await second.close()
        let third = try disk.open([LogDefinition(LogID("other"), readers: [])])
        #expect(Set(third.vanishedReaders.map(\.log)) == [.traces, .letters, LogID(deadLettersOf: "two", in: .traces)])
        await third.close()
        #expect(segments(disk).map(disk.files.bytes) == before)
        let again = try disk.open(logs)
        #expect(again.logs[1].readers[0].account.held == 1)
        #expect(again.logs[1].id == .letters)
        #expect(again.logs[1].role == logs[1].role)
        await again.close()
    }

    @Test func `giving up an exporter that vanished gives up its replays, and no dead letter`() async throws {
        let journal = try disk.open(logs)
        #expect(await journal.append([letter("a"), letter("b", items: 2)]) == .durable)
        #expect(await journal.append([replay("again")]) == .durable)
        await journal.close()
        for _ in 0..<2 {
            let second = try disk.open([.traces("two")])
            let account = try #require(second.vanishedReaders.first { $0.log == .letters }?.account)
            #expect(account.held == 3 && account.queued - account.held + account.outcomes.sum == 1)
            #expect(second.abandon(reader: "one"))
            #expect(second.vanishedReaders.first { $0.log == .letters }?.account.queued == 3)
            let stored = try #require(second.storedLog(.letters)?.storedReader(named: "one"))
            #expect(stored.account.outcomes == OutcomeCounts(expired: 1))
            await second.close()
        }
    }

    @Test func `killed processes leave no heap of empty segments`() throws {
        var stepped = try disk.openStepped(logs)
        #expect(stepped.commit([letter("a")]) == [.durable])
        for _ in 0..<10 {
            disk.files.crash(losing: .nothing)
            stepped = try disk.openStepped(logs)
        }
        #expect(segments(disk).count <= 3)
        #expect(stepped.logs[1].readers[0].account.held == 1)
        stepped = try restart(stepped)
        #expect(stepped.commit([letter("b")]) == [.durable])
        #expect(stepped.logs[1].retainedTexts == ["a", "b"])
    }

    @Test func `a cursor with too many gaps makes the oldest expire`() throws {
        let stepped = try disk.openStepped([.traces("one"), .deadLetters(maxBytes: .mebibytes(8))])
        let count: UInt64 = 30_000
        for start in stride(from: 0, to: count, by: 100) {
            #expect(stepped.commit([(start..<start + 100).map { letter("\($0)") }]) == [.durable])
        }
        let reader = stepped.logs[1].readers[0]
        reader.settleHeld(stride(from: 1, to: count, by: 2).map { settled($0) })
        #expect(reader.account.held == count / 2)
        stepped.committer.tick()
        let held = reader.account.held
        #expect(held > 11_000 && held <= 12_001)
        let again = try restart(stepped)
        #expect(again.logs[1].readers[0].account.held == held)
        #expect(again.logs[1].readers[0].account.isBalanced)
    }

    private func restart(_ stepped: SteppedJournal) throws -> SteppedJournal {
        stepped.committer.close()
        return try disk.openStepped([.traces("one"), .deadLetters(maxBytes: .mebibytes(8))])
    }
}
