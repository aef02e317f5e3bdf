import Basics
import TestKit
import Testing

@testable import Journal

/// What a visit to everything that a log retains finds.
@Suite struct RetainedTests {
    private let disk = Disk()

    private func texts(
        _ log: Log,
        since: UnixTime = UnixTime(nanoseconds: 0),
        bytesMax: ByteCount = .mebibytes(8)
    ) -> [String] {
        var texts: [String] = []
        log.visitRetained(since: since, bytesMax: bytesMax) { texts.append($0.text) }
        return texts
    }

    /// Three segments, each of one record of 40 KiB that begins with a letter, ten seconds apart.
    private func appendLong(to journal: SteppedJournal) -> [String] {
        let texts = ["a", "b", "c"].map { String(repeating: $0, count: 40 << 10) }
        for text in texts {
            #expect(journal.commit([NewRecord(text)]) == [.durable])
            disk.clock.advance(by: .seconds(10))
        }
        return texts
    }

    @Test func `an empty log has nothing to visit`() throws {
        #expect(texts(try disk.openStepped().logs[0]).isEmpty)
    }

    @Test func `settled records are visited as long as their segment stays, before and after the log is reopened`()
        async throws
    {
        let journal = try disk.open()
        #expect(await journal.append(texts: "a", "b", "c") == [.durable, .durable, .durable])
        let reader = journal.logs[0].readers[0]
        reader.finish(try await reader.read(through: "c").map(\.delivered))
        #expect(texts(journal.logs[0]) == ["a", "b", "c"])
        await journal.close()

        let again = try disk.open()
        #expect(texts(again.logs[0]) == ["a", "b", "c"])
        #expect(await again.append(texts: "d") == [.durable])
        // The first append starts a new segment, and the old one, which nobody needs, goes.
        #expect(texts(again.logs[0]) == ["d"])
        #expect(again.logs[0].readers[0].account.outcomes == OutcomeCounts(delivered: 3))
        await again.close()
    }

    @Test func `the visit goes through all segments and several blocks in order`() throws {
        let stepped = try disk.openStepped()
        var expected = appendLong(to: stepped)
        for count in 1...3 {
            let group = (0..<count * 500).map { "\(count)-\($0)" }
            #expect(stepped.commit(group.map { NewRecord($0) }) == [.durable])
            expected += group
        }
        let large = (1...3).map { String(repeating: "\($0)", count: 700 << 10) }
        #expect(stepped.commit(large.map { NewRecord($0) }) == [.durable])
        expected += large
        #expect(stepped.logs[0].statistics.segments > 3)
        #expect(texts(stepped.logs[0]) == expected)
    }

    @Test func `older records are left out, and segments of nothing else are not opened`() throws {
        let stepped = try disk.openStepped()
        let begin = disk.clock.wall.now()
        let long = appendLong(to: stepped)
        #expect(stepped.commit([NewRecord("d")]) == [.durable])
        let log = stepped.logs[0]
        #expect(log.statistics.segments == 3)
        func after(_ seconds: UInt64) -> UnixTime { UnixTime(nanoseconds: begin.nanoseconds + seconds * 1_000_000_000) }
        #expect(texts(log, since: after(10)) == [long[1], long[2], "d"])
        #expect(texts(log, since: after(11)) == [long[2], "d"])
        let opened = disk.files.count(of: .open)
        #expect(texts(log, since: after(30)) == ["d"])
        #expect(disk.files.count(of: .open) == opened + 1)
        #expect(texts(log, since: after(31)).isEmpty)
        #expect(disk.files.count(of: .open) == opened + 1)
    }

    @Test func `of a long log only the newest segments are read`() throws {
        let stepped = try disk.openStepped()
        let long = appendLong(to: stepped)
        #expect(texts(stepped.logs[0], bytesMax: .kibibytes(100)) == [long[1], long[2]])
        #expect(texts(stepped.logs[0], bytesMax: .kibibytes(1)) == [long[2]])
    }

    @Test func `damaged records and segments that are gone are passed over`() throws {
        let stepped = try disk.openStepped()
        let long = appendLong(to: stepped)
        #expect(stepped.commit([NewRecord("damaged"), NewRecord("d")]) == [.durable])
        let paths = disk.segments.sorted()
        disk.files.change(paths[2]) { bytes in
            let range = bytes.indices.dropLast(7).last { bytes[$0..<$0 + 7].elementsEqual("damaged".utf8) }
            if let range { bytes[range] ^= 0xFF }
        }
        disk.files.delete(paths[0])
        #expect(texts(stepped.logs[0]) == [long[1], long[2], "d"])
    }

    @Test func `a segment that cannot be opened is passed over`() throws {
        let stepped = try disk.openStepped()
        let long = appendLong(to: stepped)
        disk.files.fail(.open)
        #expect(texts(stepped.logs[0]) == [long[1], long[2]])
    }
}
