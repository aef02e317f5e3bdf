import Basics
import Foundation
import Journal
import Logging
import TestKit
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
        #expect(error.message.contains("move it away"))
    }

    @Test(arguments: [
        (FaultyFileSystem.Operation.lock, Int32(13), "Permission denied; let the user that runs Millrace"),
        (.createDirectory, 13, "Permission denied; let the user that runs Millrace"),
        (.lock, 30, "Read-only file system; its file system is mounted read-only"),
        (.createDirectory, 30, "Read-only file system; its file system is mounted read-only"),
        (.open, 13, "all files in it"), (.open, 30, "mount it for writing"), (.preallocate, 28, "free some space"),
    ])
    func `a directory that cannot be used is refused with its path, the reason and what to do`(
        operation: FaultyFileSystem.Operation,
        code: Int32,
        text: String
    ) throws {
        let files = FaultyFileSystem()
        let definition = LogDefinition(.traces, readers: [ReaderDefinition(name: "one")])
        files.fail(operation, code: code)
        let error = try #require(throws: JournalError.self) {
            try Journal.open(
                JournalSettings(directory: "/data", minFree: .kibibytes(0)),
                logs: [definition],
                fileSystem: files,
                logger: Logger(label: "test")
            )
        }
        #expect(error.code == .unusable)
        #expect(error.message.hasPrefix("the journal in /data cannot be used: "))
        #expect(error.message.contains(text))
        #expect(error.message.contains(": \(operation) /data") || operation == .preallocate)
    }
}
