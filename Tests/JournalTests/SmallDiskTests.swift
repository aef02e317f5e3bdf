import Basics
import Foundation
import Logging
import TestKit
import Testing

@testable import Journal

/// A file system of its own, of a few megabytes, that goes with the object.
private final class SmallDisk: Sendable {
    let path: String
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path
        guard try Self.run("mount", "-t", "tmpfs", "-o", "size=4m", "millrace", path) else {
            throw CocoaError(.fileWriteNoPermission)
        }
    }

    deinit {
        _ = try? Self.run("umount", "-l", path)
    }

    /// Whether this process may mount one.
    static let isAllowed = (try? SmallDisk()) != nil

    private static func run(_ arguments: String...) throws -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}

/// A real disk that fills up.
@Suite(.enabled(if: SmallDisk.isAllowed, "a file system can be mounted, which takes the rights of root"))
struct SmallDiskTests {
    private let large = NewRecord(String(repeating: "x", count: 50_000))

    private func open(_ disk: SmallDisk) throws -> Journal {
        let limits = DeadLetterLimits(maxBytes: .mebibytes(1))
        return try Journal.open(
            JournalSettings(directory: disk.path + "/data", minFree: .kibibytes(0), segment: .kibibytes(256)),
            logs: [
                .traces(),
                LogDefinition(.letters, role: .deadLetters(limits), readers: [.init(name: "one")]),
            ],
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
    }

    private func fill(_ journal: Journal) async -> Int {
        var count = 0
        while await journal.append([large]) == .durable { count += 1 }
        return count
    }

    @Test func `a disk filled to the brim refuses, takes dead letters, and goes on once there is room`() async throws {
        let disk = try SmallDisk()
        let journal = try open(disk)
        let count = await fill(journal)
        #expect(count > 20)
        #expect(await journal.append([large]) == .full(retryAfter: .seconds(3)))
        #expect(await journal.append([NewRecord("letter", log: .letters, kind: .deadLetter)]) == .durable)
        let reader = journal.logs[0].readers[0]
        for _ in 0..<count { reader.finish(try await reader.next(bytesMax: 1, recordsMax: 1).map(\.delivered)) }
        #expect(await journal.append([large]) == .durable)
        #expect(reader.account.outcomes == OutcomeCounts(delivered: UInt64(count)))
        #expect(reader.account.queued == 1)
        await journal.close()
        #expect(try JournalInspection.verify(disk.path + "/data").problems.isEmpty)
    }

    @Test func `what others wrote to the disk is survived, and a restart on the full disk too`() async throws {
        let disk = try SmallDisk()
        var journal = try open(disk)
        #expect(await journal.append([large]) == .durable)
        let other = disk.path + "/other"
        #expect(FileManager.default.createFile(atPath: other, contents: nil))
        let file = try #require(FileHandle(forWritingAtPath: other))
        while (try? file.write(contentsOf: Data(count: 4096))) != nil {}
        let count = await fill(journal)
        #expect(await journal.append([large]) == .full(retryAfter: .seconds(3)))
        await journal.close()
        while (try? file.write(contentsOf: Data(count: 4096))) != nil {}
        journal = try open(disk)
        #expect(journal.logs[0].readers[0].account.queued == UInt64(count + 1))
        #expect(await journal.append([large]) == .full(retryAfter: .seconds(3)))
        // Emptied, not only removed: a process that another test starts just now may hold it open.
        try file.truncate(atOffset: 0)
        try FileManager.default.removeItem(atPath: other)
        try file.close()
        #expect(await journal.append([large]) == .durable)
        #expect(journal.logs[0].readers[0].account.queued == UInt64(count + 2))
        await journal.close()
    }
}
