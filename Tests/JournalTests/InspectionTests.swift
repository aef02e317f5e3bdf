import Basics
import Foundation
import TestKit
import Testing

@testable import Journal

/// What a look at a journal finds, and that it leaves everything as it is.
@Suite struct InspectionTests {
    private let disk = Disk()
    private let logs = [LogDefinition.traces("one", "two"), .deadLetters()]

    private func verify() throws -> JournalInspection {
        try JournalInspection.verify(Disk.directory, fileSystem: disk.files)
    }

    private func inspect() throws -> JournalInspection {
        try JournalInspection.inspect(Disk.directory, fileSystem: disk.files)
    }

    private func large(_ text: String) -> NewRecord {
        NewRecord(text + String(repeating: "x", count: 20_000), items: 3)
    }

    private func fill(_ stepped: SteppedJournal) async throws {
        for index in 0..<8 {
            #expect(stepped.commit([large("\(index)"), NewRecord("small \(index)")]) == [.durable])
            disk.clock.advance(by: .seconds(1))
        }
        #expect(stepped.commit([NewRecord("letter", items: 2, log: .letters, kind: .deadLetter)]) == [.durable])
        #expect(stepped.commit([NewRecord("replay", items: 5, log: .letters)]) == [.durable])
        let reader = stepped.logs[0].readers[0]
        var records: [StoredRecord] = []
        while records.count < 5 { records += try await reader.next(bytesMax: 1 << 20, recordsMax: 5 - records.count) }
        reader.finish([records[0], records[1], records[4]].map(\.delivered))
        stepped.committer.tick()
    }

    /// Flips a bit of the record whose payload contains `text`, `distance` bytes before the text.
    private func damage(_ text: String, distance: Int = 0) throws -> (path: String, offset: Int) {
        for path in disk.segments {
            let bytes = disk.files.bytes(of: path)
            let needle = Array("meta\(text)".utf8)
            guard let found = bytes.indices.first(where: { bytes[$0...].starts(with: needle) }) else { continue }
            disk.files.change(path) { $0[found - distance] ^= 0x20 }
            return (path, found - RecordHeader.byteCount)
        }
        throw FileSystemError(operation: "find \(text)", path: "", code: 2)
    }

    @Test func `segments, cursors and accounts are listed while the journal is in use`() async throws {
        let stepped = try disk.openStepped(logs)
        let begin = disk.clock.wall.now()
        try await fill(stepped)
        let before = disk.segments.map(disk.files.bytes)
        let writes = disk.files.count(of: .write)
        let inspection = try verify()
        #expect(inspection.findings.isEmpty)
        #expect(inspection.logs.map(\.id) == [.traces, .letters])
        let main = inspection.logs[0]
        #expect(main.segments.count == stepped.logs[0].statistics.segments)
        #expect(main.segments.reduce(0) { $0 + $1.records } == 16)
        #expect(main.segments.reduce(0) { $0 + $1.items } == 32)
        #expect(main.segments.reduce(0) { $0 + $1.bytes } == stepped.logs[0].statistics.bytes)
        #expect(main.segments.first?.firstID == 0)
        #expect(main.segments.last?.endID == 32)
        #expect(zip(main.segments, main.segments.dropFirst()).allSatisfy { $0.endID == $1.firstID })
        #expect(main.segments.first?.firstReceivedAt == begin)
        #expect(main.cursors.map(\.reader) == ["one", "two"])
        #expect(main.cursors.map(\.account.queued) == [25, 32])
        #expect(main.cursors.map(\.account.accepted) == stepped.logs[0].readers.map(\.account.accepted))
        #expect(main.cursors[0].low == 4)
        #expect(main.cursors[0].ranges == [8..<11])
        #expect(inspection.logs[1].cursors.map(\.account.held) == [2])
        #expect(inspection.logs[1].cursors.map(\.account.queued) == [7])
        #expect(disk.segments.map(disk.files.bytes) == before)
        #expect(disk.files.count(of: .write) == writes)
    }

    @Test(arguments: [0, 70])
    func `a flipped bit is named by segment and offset`(distance: Int) async throws {
        let stepped = try disk.openStepped(logs)
        try await fill(stepped)
        let place = try damage("small 5", distance: distance > 0 ? RecordHeader.byteCount - 10 : 0)
        let problems = try verify().problems
        #expect(problems.contains { $0.path == place.path && $0.offset == place.offset })
        #expect(problems.allSatisfy { $0.path == place.path })
        let text = "\(place.path): at byte \(place.offset): 80 bytes hold no valid record: a checksum does not match"
        #expect(problems.map(\.description).contains(text))
        #expect(try inspect().problems.isEmpty == (distance == 0), "a body is only looked at to verify")
    }

    @Test func `damage that is in every account already is still damage, and nothing else`() async throws {
        let stepped = try disk.openStepped(logs)
        try await fill(stepped)
        let place = try damage("small 5", distance: 3)
        for reader in stepped.logs[0].readers {
            while reader.account.outcomes[.lost] == 0 { _ = try await reader.next(bytesMax: 1 << 20, recordsMax: 100) }
        }
        stepped.committer.tick()
        let findings = try verify().findings
        #expect(findings.filter { $0.severity == .problem }.map(\.offset) == [place.offset])
        #expect(findings.filter { $0.severity == .note }.count == 1)
    }

    @Test func `a torn tail of the newest segment is a note`() async throws {
        let stepped = try disk.openStepped(logs)
        try await fill(stepped)
        let newest = try #require(try verify().logs[0].segments.last)
        disk.files.change(newest.path) { bytes in
            for index in newest.endOffset..<newest.endOffset + 100 { bytes[index] = 7 }
        }
        let inspection = try verify()
        #expect(inspection.problems.isEmpty)
        #expect(inspection.findings.map(\.offset) == [newest.endOffset])
        #expect(inspection.logs[0].segments.last?.tornTail == newest.endOffset..<newest.endOffset + 104)
    }

    @Test func `a group that is not whole yet counts nowhere`() async throws {
        let stepped = try disk.openStepped(logs)
        try await fill(stepped)
        let before = try verify()
        let newest = try #require(before.logs[0].segments.last)
        #expect(stepped.commit([NewRecord("first of two"), NewRecord("second of two")]) == [.durable])
        disk.files.change(newest.path) { bytes in
            for index in newest.endOffset + 88..<newest.endOffset + 200 { bytes[index] = 0 }
        }
        let inspection = try verify()
        #expect(inspection.problems.isEmpty)
        #expect(inspection.logs[0].cursors == before.logs[0].cursors)
        #expect(inspection.findings.count == 1)
    }

    @Test func `what is gone and in no account yet is a problem`() async throws {
        let stepped = try disk.openStepped(logs)
        try await fill(stepped)
        stepped.committer.close()
        let segments = try verify().logs[0].segments
        disk.files.delete(segments[0].path)
        let first = try verify().problems
        #expect(first.map(\.text) == ["no record has the ids 0 to \(segments[0].endID - 1)"])
        disk.files.delete(segments[1].path)
        disk.files.delete(try #require(segments.last?.path))
        #expect(try verify().problems.count == 2)
        let again = try disk.openStepped(logs)
        again.committer.close()
        #expect(try verify().problems.isEmpty)
    }

    @Test func `a cursor beyond the records is a problem until the journal opens`() async throws {
        let stepped = try disk.openStepped(logs)
        try await fill(stepped)
        let reader = stepped.logs[0].readers[1]
        reader.finish(try await reader.next(bytesMax: 1 << 20, recordsMax: 1000).map(\.delivered))
        stepped.committer.close()
        let last = try #require(try verify().logs[0].segments.last)
        disk.files.delete(last.path)
        #expect(try verify().problems.count == 1)
        let again = try disk.openStepped(logs)
        again.committer.close()
        #expect(try verify().problems.isEmpty)
    }

    @Test func `damaged cursors and headers are named`() async throws {
        let stepped = try disk.openStepped(logs)
        try await fill(stepped)
        stepped.committer.close()
        let path = try #require(try verify().logs[0].segments.first?.path)
        disk.files.change(path) { $0[20] ^= 1 }
        disk.files.change("/data/traces/two.cursor") { $0 = $0.map { _ in 0xAA } }
        let inspection = try verify()
        #expect(inspection.problems.map(\.path) == ["/data/traces/two.cursor", "/data/traces/two.cursor", path])
        #expect(inspection.problems.last?.offset == 0)
        #expect(inspection.logs[0].cursors.map(\.isReadable) == [true, false])
        #expect(inspection.logs[0].cursors.map(\.account.queued) == [25, 32])
        disk.files.change(path) { bytes in
            bytes[8] = 2
            bytes[4096 + 8] = 2
        }
        #expect(try verify().problems.contains { $0.text == "format version 2; this Millrace reads version 1" })
    }

    @Test func `a cursor that ends within a record is a problem`() async throws {
        let stepped = try disk.openStepped(logs)
        try await fill(stepped)
        stepped.logs[0].readers[1].settleHeld([
            SettledRecord(id: 4, items: 2, outcomes: OutcomeCounts(delivered: 2))
        ])
        stepped.committer.tick()
        let problems = try verify().problems
        #expect(problems.first?.text == "the cursor ends within the record of the ids 4 to 6")
        #expect(problems.first?.path == "/data/traces/two.cursor")
    }

    @Test func `records that were never acknowledged are left out`() async throws {
        let stepped = try disk.openStepped(logs)
        #expect(stepped.commit([NewRecord("a")]) == [.durable])
        disk.files.fail(.sync, pathSuffix: ".log")
        disk.files.fail(.truncate, pathSuffix: ".log")
        #expect(stepped.commit([NewRecord("b")]) != [.durable])
        #expect(stepped.commit([NewRecord("c")]) == [.durable])
        stepped.committer.tick()
        let inspection = try verify()
        #expect(inspection.problems.isEmpty)
        #expect(inspection.logs[0].segments.map(\.records) == [1, 1])
        #expect(inspection.logs[0].cursors.map(\.account.queued) == [2, 2])
    }

    @Test func `a real directory is only read`() async throws {
        let directory = try TemporaryDirectory()
        let settings = JournalSettings(directory: directory.path, minFree: .kibibytes(0), segment: .kibibytes(64))
        let journal = try Journal.open(settings, logs: logs, logger: disk.log.logger)
        #expect(await journal.append(texts: "a", "b") == [.durable, .durable])
        let inspection = try JournalInspection.verify(directory.path)
        #expect(inspection.problems.isEmpty)
        #expect(inspection.logs.count == 2)
        #expect(inspection.logs[0].cursors.map(\.account.queued) == [2, 2])
        await journal.close()
        let before = try contents(of: directory.path)
        _ = try JournalInspection.verify(directory.path)
        #expect(try contents(of: directory.path) == before)
    }

    @Test func `a process that writes, settles and deletes meanwhile is no problem`() async throws {
        let directory = try TemporaryDirectory()
        let settings = JournalSettings(directory: directory.path, minFree: .kibibytes(0), segment: .kibibytes(64))
        let journal = try Journal.open(settings, logs: logs, logger: disk.log.logger)
        let thread = SerialThread(name: "inspection")
        let writing = Task {
            for index in 0..<300 {
                let letter = NewRecord("letter", log: .letters, kind: .deadLetter)
                #expect(await journal.append([large("\(index)"), NewRecord("small")] + [letter]) == .durable)
                for reader in journal.logs[0].readers where index % 3 == 0 {
                    reader.finish(try await reader.next(bytesMax: 100_000, recordsMax: 10).map(\.delivered))
                }
            }
        }
        var problems: [String] = []
        for _ in 0..<40 {
            let path = directory.path
            problems += await thread.run {
                (try? JournalInspection.verify(path).problems.map(\.description)) ?? ["threw"]
            }
        }
        try await writing.value
        #expect(problems == [])
        await journal.close()
        thread.stop()
    }

    @Test func `what is left in a journal is known without opening it`() async throws {
        #expect(try Journal.leftovers(in: "/nowhere/at/all").isEmpty)
        let stepped = try disk.openStepped(logs)
        #expect(try Journal.leftovers(in: Disk.directory, fileSystem: disk.files).isEmpty)
        try await fill(stepped)
        stepped.committer.close()
        let writes = disk.files.count(of: .write)
        let leftovers = try Journal.leftovers(in: Disk.directory, fileSystem: disk.files)
        #expect(leftovers.map(\.log.name) == ["traces", "traces", "traces/dead-letters"])
        #expect(leftovers.map(\.reader) == ["one", "two", "one"])
        #expect(leftovers.map(\.queued) == [25, 32, 7])
        #expect(disk.files.count(of: .write) == writes)
    }

    @Test func `a directory that is not there is a clear error`() {
        let error = #expect(throws: JournalError.self) { try JournalInspection.inspect("/nowhere/at/all") }
        #expect(error?.code == .unusable)
        #expect(error?.message.contains("/nowhere/at/all") == true)
    }

    private func contents(of directory: String) throws -> [String: Date] {
        let manager = FileManager.default
        var times: [String: Date] = [:]
        for path in try manager.subpathsOfDirectory(atPath: directory) {
            let attributes = try manager.attributesOfItem(atPath: directory + "/" + path)
            times[path] = attributes[.modificationDate] as? Date
        }
        return times
    }
}
