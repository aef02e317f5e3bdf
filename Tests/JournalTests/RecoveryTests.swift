import Basics
import TestKit
import Testing

@testable import Journal

/// What a crash or a damaged disk leaves, and what readers then see.
@Suite struct RecoveryTests {
    private let disk = Disk()

    /// Appends records of one item and leaves them to a crash.
    private func write(_ texts: [String], losing loss: FaultyFileSystem.Loss = .everything) async throws {
        let journal = try disk.open()
        for text in texts { #expect(await journal.append(texts: text) == [.durable]) }
        disk.files.crash(losing: loss)
        await journal.close()
    }

    /// Reads everything that is there, and the account when all of it is delivered.
    private func readAll() async throws -> (texts: [String], account: ReaderAccount) {
        let journal = try disk.open()
        #expect(await journal.append(texts: "end") == [.durable])
        let records = try await journal.logs[0].readers[0].read(through: "end")
        journal.logs[0].readers[0].finish(records.map(\.delivered))
        let account = journal.logs[0].readers[0].account
        #expect(account.isBalanced)
        await journal.close()
        return (records.dropLast().map(\.text), account)
    }

    /// Where a record's header begins in the only segment, by its metadata and payload: a single letter also stands in
    /// salts and checksums.
    private func offset(of text: String) throws -> Int {
        let bytes = disk.files.bytes(of: disk.segments[0])
        let needle = Array("meta\(text)".utf8)
        let found = bytes.indices.first { bytes[$0...].starts(with: needle) }
        return try #require(found) - RecordHeader.byteCount
    }

    @Test(arguments: [FaultyFileSystem.Loss.everything, .random, .nothing])
    func `what was durable survives a crash`(loss: FaultyFileSystem.Loss) async throws {
        try await write(["a", "b", "c"], losing: loss)
        let (texts, account) = try await readAll()
        #expect(texts == ["a", "b", "c"])
        #expect(account.outcomes == OutcomeCounts(delivered: 4))
        #expect(account.queued == 0)
    }

    @Test func `what was not synced is gone after a crash, and was never lost`() async throws {
        try await write(["a"])
        let journal = try disk.open()
        let gate = disk.files.holdSyncs()
        let commits = Commits()
        journal.append(RecordGroup(entries: [NewRecord("b")]), ticket: 1, observer: commits)
        await gate.arrival()
        #expect(journal.logs[0].statistics.nextID == 1)
        #expect(journal.logs[0].readers[0].account.queued == 1)
        disk.files.crash(losing: .everything)
        gate.open()
        await journal.close()
        guard case .failed = await commits.result(of: 1) else {
            Issue.record("a group is durable that was never synced")
            return
        }
        let (texts, account) = try await readAll()
        #expect(texts == ["a"])
        #expect(account.outcomes[.lost] == 0)
    }

    @Test func `a torn tail is cut off`() async throws {
        try await write(["a", "b"])
        let start = try offset(of: "b")
        disk.files.change(disk.segments[0]) { $0.replaceSubrange(start + 66..<start + 69, with: [1, 2, 3]) }
        let journal = try disk.open()
        #expect(disk.files.bytes(of: disk.segments[0]).count == start)
        await journal.close()
    }

    @Test func `records below a cursor that are missing count as lost for readers that had not passed them`()
        async throws
    {
        let journal = try disk.open([.traces("one", "two")])
        #expect(await journal.append(texts: "a", "b", "c") == [.durable, .durable, .durable])
        let records = try await journal.logs[0].readers[0].next(bytesMax: 1000, recordsMax: 2)
        journal.logs[0].readers[0].finish(records.map(\.delivered))
        await journal.close()
        disk.files.delete(disk.segments[0])

        let again = try disk.open([.traces("one", "two")])
        #expect(again.logs[0].statistics.nextID == 3)
        #expect(again.logs[0].statistics.lostItems == 3)
        #expect(again.logs[0].readers.map(\.account.outcomes[.lost]) == [1, 3])
        #expect(again.logs[0].readers.map(\.account.queued) == [0, 0])
        #expect(again.logs[0].readers.allSatisfy { $0.account.isBalanced })
        await again.close()
    }

    @Test(arguments: [0, 8, 63, 64, 70])
    func `damage in the middle costs its record and is counted as lost`(at position: Int) async throws {
        try await write(["aaaa", "bbbb", "cccc"])
        let start = try offset(of: "bbbb")
        disk.files.change(disk.segments[0]) { $0[start + position] ^= 0x10 }
        let (texts, account) = try await readAll()
        #expect(texts == ["aaaa", "cccc"])
        #expect(account.outcomes == OutcomeCounts(delivered: 3, lost: 1))
        #expect(account.queued == 0)
    }

    @Test func `a journal of which everything was passed and deleted misses nothing`() async throws {
        let journal = try disk.open()
        #expect(await journal.append(texts: "a", "b", "c") == [.durable, .durable, .durable])
        let records = try await journal.logs[0].readers[0].read(through: "c")
        journal.logs[0].readers[0].finish(records.map(\.delivered))
        await journal.close()
        for segment in disk.segments { disk.files.delete(segment) }

        let again = try disk.open()
        #expect(again.logs[0].statistics.nextID == 3)
        #expect(again.logs[0].statistics.lostItems == 0)
        #expect(disk.log.lines("Records are missing") == [])
        await again.close()
    }

    @Test func `damage met while reading is skipped and counted`() async throws {
        let journal = try disk.open([.traces("one", "two")])
        #expect(await journal.append(texts: "aaaa", "bbbb", "cccc") == [.durable, .durable, .durable])
        let start = try offset(of: "bbbb")
        disk.files.change(disk.segments[0]) {
            $0.replaceSubrange(start..<start + 72, with: repeatElement(7, count: 72))
        }
        for reader in journal.logs[0].readers {
            let records = try await reader.read(through: "cccc")
            #expect(records.map(\.text) == ["aaaa", "cccc"])
            #expect(reader.account.outcomes[.lost] == 1)
            #expect(reader.account.isBalanced)
        }
        #expect(journal.logs[0].statistics.lostItems == 1)
        await journal.close()
    }

    @Test func `pages that cannot be read are damage`() async throws {
        let journal = try disk.open()
        #expect(
            await journal.append(texts: "aaaa", String(repeating: "b", count: 9000), "cccc") == [
                .durable, .durable, .durable,
            ]
        )
        // The first read of the second payload, and its second page.
        disk.files.fail(.read, times: 0)
        let first = try await journal.logs[0].readers[0].next(bytesMax: 1000, recordsMax: 1)
        #expect(first.map(\.text) == ["aaaa"])
        disk.files.fail(.read, times: 200)
        let failing = Task { try await journal.logs[0].readers[0].read(through: "dddd") }
        disk.files.heal()
        #expect(await journal.append(texts: "dddd") == [.durable])
        let records = try await failing.value
        #expect(records.last?.text == "dddd")
        #expect(journal.logs[0].readers[0].account.isBalanced)
        await journal.close()
    }

    @Test func `a payload cannot pose as a record behind damage`() async throws {
        // A payload that is itself a whole segment, as an app that traces Millrace's files might send.
        let other = Disk()
        let inner = try other.open()
        #expect(await inner.append(texts: "inner") == [.durable])
        await inner.close()
        let decoy = other.files.bytes(of: other.segments[0])

        let journal = try disk.open()
        let entry = NewRecord(log: .traces, kind: .items, items: 1, metadata: Array("meta".utf8), payload: decoy)
        #expect(await journal.append([entry]) == .durable)
        #expect(await journal.append(texts: "after") == [.durable])
        await journal.close()
        disk.files.change(disk.segments[0]) { $0[SegmentHeader.areaBytes + 12] ^= 1 }
        let (texts, account) = try await readAll()
        #expect(texts == ["after"])
        #expect(account.outcomes[.lost] == 1)
    }

    /// Writes a group of two and one of three, whose last record a crash tears off.
    private func tearLastGroup(noted: Bool) throws {
        let journal = try disk.openStepped()
        #expect(journal.commit([NewRecord("a1"), NewRecord("a2")]) == [.durable])
        #expect(journal.commit([NewRecord("b1"), NewRecord("b2"), NewRecord("b3")]) == [.durable])
        if noted { journal.committer.persistCursors() }
        disk.files.crash(losing: .nothing)
        let last = try offset(of: "b3")
        disk.files.change(disk.segments[0]) { bytes in
            for index in last..<bytes.count { bytes[index] = 0 }
        }
    }

    @Test func `an incomplete last group is dropped whole`() async throws {
        try tearLastGroup(noted: false)
        let (texts, account) = try await readAll()
        #expect(texts == ["a1", "a2"])
        #expect(account.outcomes == OutcomeCounts(delivered: 3))
    }

    @Test func `a last group that the cursors have noted counts as lost when it is gone`() async throws {
        try tearLastGroup(noted: true)
        let (texts, account) = try await readAll()
        #expect(texts == ["a1", "a2"])
        #expect(account.outcomes == OutcomeCounts(delivered: 3, lost: 3))
    }

    @Test func `one readable copy of a segment's header is enough`() async throws {
        try await write(["a"])
        disk.files.change(disk.segments[0]) { $0.replaceSubrange(0..<4096, with: repeatElement(0xFF, count: 4096)) }
        #expect(try await readAll().texts == ["a"])
    }

    @Test func `a segment without a readable header is lost and the journal starts`() async throws {
        let journal = try disk.open()
        #expect(await journal.append(texts: "a") == [.durable])
        await journal.close()
        disk.files.change(disk.segments[0]) { $0.replaceSubrange(0..<8192, with: repeatElement(0xFF, count: 8192)) }
        let again = try disk.open()
        await again.close()
        #expect(try await readAll().texts == [])
    }

    @Test func `a segment of another version is refused and left alone`() async throws {
        try await write(["a"])
        disk.files.change(disk.segments[0]) { bytes in
            bytes[8] = 2
            bytes[4096 + 8] = 2
        }
        let before = disk.files.bytes(of: disk.segments[0])
        #expect(throws: JournalError(code: .foreignFormat, message: "")) { try disk.open() }
        #expect(disk.files.bytes(of: disk.segments[0]) == before)
    }

    @Test func `a segment whose creation was cut short is removed`() async throws {
        try await write(["a"])
        let name = FileName.segment(99)
        _ = try disk.files.open(Disk.tracesSegments + name, .create)
        #expect(try await readAll().texts == ["a"])
        #expect(!disk.segments.contains { $0.hasSuffix(name) })
        #expect(disk.segments.last?.hasSuffix(FileName.segment(100)) == true)
    }

    @Test func `a damaged cursor delivers again from the oldest record`() async throws {
        try await write(["a", "b"])
        disk.files.change("/data/traces/one.cursor") { $0 = $0.map { _ in 0xAA } }
        #expect(try await readAll().texts == ["a", "b"])
    }

    @Test func `a torn write of a cursor leaves the one before`() throws {
        var cursor = Cursor(since: UnixTime(nanoseconds: 1), startID: 0)
        guard case .empty(var file, damaged: false) = try CursorFile.open("/c", exists: false, in: disk.files) else {
            Issue.record("not empty")
            return
        }
        #expect(try file.write(CursorSnapshot(cursor: cursor, endID: 1), sync: true))
        cursor.finish(0..<4, as: OutcomeCounts(delivered: 4))
        #expect(try file.write(CursorSnapshot(cursor: cursor, endID: 9), sync: true))
        disk.files.change("/c") { $0[70] ^= 1 }
        guard case .read(var again, let snapshot) = try CursorFile.open("/c", exists: true, in: disk.files) else {
            Issue.record("nothing valid")
            return
        }
        #expect(snapshot.endID == 1)
        #expect(try again.write(CursorSnapshot(cursor: cursor, endID: 10), sync: true))
        guard case .read(_, let last) = try CursorFile.open("/c", exists: true, in: disk.files) else {
            Issue.record("nothing valid")
            return
        }
        #expect(last.endID == 10)
    }

    @Test(arguments: 0..<20)
    func `a journal in folders that it created is still there after a crash`(seed: Int) async throws {
        var disk = Disk(seed: UInt64(seed))
        disk.settings.directory = "/var/lib/millrace"
        let loss = seed % 2 == 0 ? FaultyFileSystem.Loss.everything : .random
        // A process that is killed between creating a folder and syncing its name leaves that to the next one.
        if seed % 3 == 0 {
            disk.files.fail(.syncDirectory, pathSuffix: ["/", "/var", "/var/lib"][seed / 3 % 3])
            #expect(throws: JournalError.self) { try disk.open() }
            disk.files.heal()
        }
        var journal = try disk.open()
        #expect(await journal.append(texts: "a") == [.durable])
        disk.files.crash(losing: loss)
        await journal.close()
        journal = try disk.open()
        #expect(journal.logs[0].readers[0].account.accepted == 1)
        #expect(journal.logs[0].readers[0].account.queued == 1)
        await journal.close()
    }

    @Test func `only its own user can read a journal`() async throws {
        let directory = try TemporaryDirectory()
        var settings = JournalSettings(directory: directory.path + "/deep/data", minFree: .kibibytes(0))
        settings.segment = .kibibytes(64)
        let journal = try Journal.open(settings, logs: [.traces()], logger: disk.log.logger)
        #expect(await journal.append(texts: "a") == [.durable])
        await journal.close()
        for folder in ["deep", "deep/data", "deep/data/traces"] {
            #expect(directory.permissions(of: folder) == 0o700, "\(folder)")
        }
        let names = try SystemFileSystem().entries(of: directory.path + "/deep/data/traces")
        #expect(names.count >= 2)
        for name in names.map({ "traces/\($0)" }) + ["lock"] {
            #expect(directory.permissions(of: "deep/data/\(name)") == 0o600, "\(name)")
        }
    }
}
