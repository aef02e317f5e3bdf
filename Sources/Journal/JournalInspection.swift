package import Basics

/// What lies in a journal's directory.
///
/// Only reads: it creates, locks and repairs nothing, and works while a process uses the journal; what that process
/// deletes meanwhile is left out.
package struct JournalInspection: Sendable {
    package let directory: String
    /// By name; those of dead letters behind the log of their pipeline.
    package private(set) var logs: [InspectedLog] = []
    /// In the order of the logs.
    package private(set) var findings: [JournalFinding] = []

    /// What is damaged or does not add up.
    package var problems: [JournalFinding] { findings.filter { $0.severity == .problem } }

    /// Looks at a journal.
    ///
    /// Any thread, which waits for the disk: the header of every record is read.
    ///
    /// - Parameters:
    ///   - directory: That of the journal.
    ///   - parts: The names of parts that logs of pipelines may have.
    ///   - fileSystem: Where it is.
    /// - Returns: What is there.
    /// - Throws: `JournalError.Code.unusable` when the directory cannot be read.
    package static func inspect(
        _ directory: String,
        parts: Set<String> = [],
        fileSystem: any FileSystem = .system
    ) throws(JournalError) -> JournalInspection {
        try JournalInspection(directory, parts, fileSystem, readsBodies: false)
    }

    /// The same, and checks every body, which reads all of the journal.
    package static func verify(
        _ directory: String,
        parts: Set<String> = [],
        fileSystem: any FileSystem = .system
    ) throws(JournalError) -> JournalInspection {
        try JournalInspection(directory, parts, fileSystem, readsBodies: true)
    }

    private init(
        _ directory: String,
        _ parts: Set<String>,
        _ fileSystem: any FileSystem,
        readsBodies: Bool
    ) throws(JournalError) {
        self.directory = directory
        do throws(FileSystemError) {
            _ = try fileSystem.entries(of: directory)
        } catch {
            throw JournalError(unusable: directory, error)
        }
        for id in LogID.all(in: directory, parts: parts, of: fileSystem) {
            add(LogInspection(id, of: directory, fileSystem, readsBodies: readsBodies))
        }
    }

    private mutating func add(_ inspection: LogInspection?) {
        guard let inspection else { return }
        logs.append(inspection.log)
        findings += inspection.findings
    }
}

extension Journal {
    /// What readers have not finished in a journal that no process has open; empty where there is no journal.
    ///
    /// Reads only. Any thread, which waits for the disk: the header of every record is read.
    ///
    /// - Parameters:
    ///   - directory: That of the journal.
    ///   - parts: The names of parts that logs of pipelines may have.
    ///   - fileSystem: Where it is.
    /// - Returns: One entry for each reader with something left.
    /// - Throws: `JournalError.Code.unusable` when the directory cannot be read.
    package static func leftovers(
        in directory: String,
        parts: Set<String> = [],
        fileSystem: any FileSystem = .system
    ) throws(JournalError) -> [(log: LogID, reader: String, queued: UInt64)] {
        do throws(FileSystemError) {
            _ = try fileSystem.entries(of: directory)
        } catch {
            if error.isNotFound { return [] }
        }
        return try JournalInspection.inspect(directory, parts: parts, fileSystem: fileSystem).logs.flatMap { log in
            log.cursors.filter { $0.account.queued > 0 }.map { (log.id, $0.reader, $0.account.queued) }
        }
    }
}

/// One log of a journal that is looked at.
package struct InspectedLog: Sendable, Equatable {
    package let id: LogID
    package let directory: String
    /// Ascending by number.
    package internal(set) var segments: [InspectedSegment] = []
    /// By name of their reader.
    package internal(set) var cursors: [InspectedCursor] = []
}

/// A segment whose header can be read.
package struct InspectedSegment: Sendable, Equatable {
    package let number: UInt64
    package let path: String
    package let firstID: UInt64
    /// The id after the last one: the first of the next segment, in the newest the end of its last record.
    package let endID: UInt64
    /// Valid ones; those that were never acknowledged are left out.
    package let records: Int
    package let items: UInt64
    /// On the disk, preallocated space included.
    package let bytes: Int
    /// Where its records end.
    package let endOffset: Int
    /// Nil where it has no records.
    package let firstReceivedAt: UnixTime?
    package let lastReceivedAt: UnixTime?
    /// Offsets that hold no valid record although one lay there.
    package let damage: [Range<Int>]
    /// In the newest segment: what was written behind its last complete group.
    package let tornTail: Range<Int>?
}

/// A cursor and the account in it.
package struct InspectedCursor: Sendable, Equatable {
    package let reader: String
    package let path: String
    /// Whether one of its slots is valid; otherwise it stands before the oldest record, as it will when the journal opens.
    package let isReadable: Bool
    /// Whether its reader was given up.
    package let isAbandoned: Bool
    /// Everything below is finished.
    package let low: UInt64
    /// What is finished above.
    package let ranges: [Range<UInt64>]
    /// As of the cursor, which a running process writes once a second.
    package let account: ReaderAccount
}

/// Something to know about a file of a journal.
package struct JournalFinding: Sendable, Equatable, CustomStringConvertible {
    /// Whether something has to be done about it.
    package enum Severity: Sendable, Equatable {
        /// As it may be: while a process runs, after it was killed, or after losses that are in the accounts already.
        case note
        /// Damage, or an account that does not add up.
        case problem
    }

    package let severity: Severity
    package let path: String
    /// Where in the file; nil where it is about all of it.
    package let offset: Int?
    /// What was found and what was expected.
    package let text: String

    /// One line: path, offset, text.
    package var description: String {
        offset.map { "\(path): at byte \($0): \(text)" } ?? "\(path): \(text)"
    }
}
