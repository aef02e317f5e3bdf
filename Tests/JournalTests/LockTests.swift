import Basics
import Foundation
import Journal
import Logging
import Testing

/// Two processes never write one journal.
@Suite struct LockTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func open() throws -> Journal {
        try Journal.open(
            JournalSettings(directory: directory.path, minFree: .kibibytes(0)),
            logs: [],
            logger: Logger(label: "test")
        )
    }

    @Test func `a journal opens once, and again after it was closed`() async throws {
        let journal = try open()
        let error = try #require(throws: JournalError.self) { try open() }
        #expect(error.code == .inUse)
        #expect(error.message.contains(directory.path))
        await journal.close()
        let again = try open()
        await again.close()
    }

    @Test func `a journal that another process has does not open`() async throws {
        let other = Process()
        let output = Pipe()
        let input = Pipe()
        other.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
        other.arguments = [directory.path + "/lock", "sh", "-c", "echo locked; read line"]
        other.standardOutput = output
        other.standardInput = input
        try other.run()
        #expect(output.fileHandleForReading.availableData == Data("locked\n".utf8))
        let error = try #require(throws: JournalError.self) { try open() }
        #expect(error.code == .inUse)
        try input.fileHandleForWriting.close()
        other.waitUntilExit()
        let journal = try open()
        await journal.close()
    }

    @Test func `a directory that cannot be made is a clear error`() throws {
        let file = directory.path + "/file"
        #expect(FileManager.default.createFile(atPath: file, contents: nil))
        let settings = JournalSettings(directory: file + "/journal", minFree: .kibibytes(0))
        let error = try #require(throws: JournalError.self) {
            try Journal.open(settings, logs: [], logger: Logger(label: "test"))
        }
        #expect(error.code == .unusable)
        #expect(error.message.contains("Not a directory"))
    }
}
