import Basics
import Logging
import Synchronization

/// A log as it was found on the disk, repaired.
struct RecoveredLog: Sendable {
    let core: LogCore
    /// By the name of their reader.
    let cursors: [String: CursorFile]
    let nextNumber: UInt64
}

/// Opens a log's folder: reads the heads of its segments and all of the newest, repairs what a crash left, reads the
/// cursors, and counts as lost what is missing.
struct Recovery {
    let fileSystem: any FileSystem
    let settings: JournalSettings
    let now: UnixTime
    let logger: Logger

    /// What was found in a folder.
    struct Found {
        var state: LogState
        /// By the name of their reader.
        var cursors: [String: CursorFile]
        var nextNumber: UInt64
    }

    func recover(_ definition: LogDefinition, in directory: String) throws(JournalError) -> Found {
        let names = try checked { () throws(FileSystemError) in
            try fileSystem.entries(of: directory)
        }
        let numbers = names.compactMap(FileName.segmentNumber).sorted()
        var segments = try SegmentRecovery(self).segments(numbers, in: directory)
        let cursors = try CursorRecovery(self).cursors(definition, names: names, in: directory)
        let storedEnd = segments.last?.endID ?? 0
        let nextID = cursors.reduce(storedEnd) { max($0, $1.endID) }
        if let last = segments.indices.last { segments[last].endID = nextID }
        let firstID = segments.first?.firstID ?? nextID
        let readers = cursors.map { $0.reader(firstID: firstID, nextID: nextID, now: now) }
        let held = definition.role == .items ? IDSet() : try SegmentRecovery(self).held(in: segments)
        var state = LogState(definition.id, segments: segments, endID: nextID, readers: readers, held: held)
        loseMissing(below: firstID, in: &state, directory)
        // What every reader has passed was deleted, maybe with the newest segment.
        let missing = max(storedEnd, state.readers.map(\.needsFrom).min() ?? nextID)
        if missing < nextID { lose(missing..<nextID, in: &state, directory) }
        var files = Dictionary(uniqueKeysWithValues: cursors.map { ($0.name, $0.file) })
        try checked { () throws(FileSystemError) in
            try persist(&state, &files)
            try fileSystem.syncDirectory(directory)
        }
        return Found(state: state, cursors: files, nextNumber: (numbers.last ?? 0) + 1)
    }

    /// How old records are, with what is known of the clock; notes the start of the machine for the next process.
    func ages(of logs: [RecoveredLog], _ clock: WallClock, boot: String = machineBoot()) -> RecordAges {
        let file = ClockFile(in: settings.directory, fileSystem)
        let before = file.read()
        let known = ClockFile.Content(boot: boot, jumps: before?.jumps ?? [])
        if before != known, settings.storage != .memory {
            do throws(FileSystemError) {
                try file.write(known)
            } catch {
                logger.error("The start of the machine cannot be kept.", metadata: ["error": "\(error)"])
            }
        }
        let newest = logs.compactMap { $0.core.state.withLock { $0.segments.last?.lastReceivedAt } }.max()
        let wasStarted = before.map { $0.boot != boot } ?? false
        let ages = RecordAges(
            clock,
            known: known,
            newest: wasStarted ? newest.map(UnixTime.init(nanoseconds:)) : nil
        )
        if ages.isPaused, let newest {
            logger.warning(
                "Nothing expires by age for an hour: the machine was started, and the newest record is from another time.",
                metadata: ["newest": "\(UnixTime(nanoseconds: newest).text)"]
            )
        }
        return ages
    }

    /// Turns a failed operation into what the operator is told.
    func checked<Value>(_ body: () throws(FileSystemError) -> Value) throws(JournalError) -> Value {
        do throws(FileSystemError) {
            return try body()
        } catch {
            throw JournalError(unusable: settings.directory, error)
        }
    }

    /// Whole segments that are gone below the first one, for readers that still needed them.
    private func loseMissing(below firstID: UInt64, in state: inout LogState, _ directory: String) {
        let needed = state.readers.map(\.needsFrom).min() ?? firstID
        if needed < firstID { lose(needed..<firstID, in: &state, directory) }
    }

    private func lose(_ ids: Range<UInt64>, in state: inout LogState, _ directory: String) {
        state.lose(ids)
        logger.error(
            "Records are missing.",
            metadata: ["log": "\(directory)", "items": "\(ids.upperBound - ids.lowerBound)"]
        )
    }

    /// Writes every cursor that is new or changed before anything is appended, so that each account keeps its beginning.
    private func persist(_ state: inout LogState, _ files: inout [String: CursorFile]) throws(FileSystemError) {
        for reader in state.readers.indices {
            guard let snapshot = state.snapshot(of: reader) else { continue }
            if try files[state.readers[reader].name]?.write(snapshot, sync: settings.sync != .never) ?? false {
                state.persisted(snapshot, of: reader)
            }
        }
    }
}

extension Recovery {
    /// Keeps other processes out of the directory, which is created where missing.
    func takeLock() throws(JournalError) -> any AnyObject & Sendable {
        let path = settings.directory + "/lock"
        let lock = try checked { () throws(FileSystemError) in
            try fileSystem.createDirectories(settings.directory)
            return try fileSystem.lock(path)
        }
        guard let lock else {
            throw JournalError(
                code: .inUse,
                message: "another process uses the journal in \(settings.directory) (it holds the lock on \(path))"
            )
        }
        return lock
    }

    /// All logs, those that are no longer defined behind the others.
    func logs(
        _ definitions: [LogDefinition],
        readThread: SerialThread,
        signal: ThreadSignal
    ) throws(JournalError) -> [RecoveredLog] {
        var logs: [RecoveredLog] = []
        let defined = definitions.map { resuming($0, definitions) }
        for definition in defined + (try vanishedLogs(besides: definitions)) {
            logs.append(try log(definition, readThread: readThread, signal: signal))
        }
        return logs
    }

    /// A window that has moved records before had a cursor: where that is gone, it begins again with the oldest record.
    ///
    /// What it moved is settled by what lies behind it. One that has a new name takes the place of one that was done.
    private func resuming(_ definition: LogDefinition, _ all: [LogDefinition]) -> LogDefinition {
        let windows = definition.readers.indices.filter { definition.readers[$0].isWindow }
        // What it made of the log records lies where what it made of the spans does.
        let hasMoved = all.contains { log in
            log.source?.pipeline == definition.id.pipeline && !entries(of: log.id.folder).isEmpty
        }
        let names = entries(of: definition.id.folder)
        let stored = Set(names.compactMap(FileName.reader))
        let others = stored.subtracting(definition.readers.map(\.name))
        // A log that is new has no records to begin with.
        let hasRecords = names.contains { FileName.segmentNumber($0) != nil }
        guard !windows.isEmpty, hasMoved, hasRecords, !others.contains(where: { isWindow($0, of: definition.id) })
        else {
            return definition
        }
        var definition = definition
        for window in windows where !stored.contains(definition.readers[window].name) {
            definition.readers[window].start = .oldest
            logger.error(
                "The cursor of a window is gone; it begins again with the oldest record.",
                metadata: ["log": "\(definition.id.folder)", "window": "\(definition.readers[window].name)"]
            )
        }
        return definition
    }

    /// Whether a reader that is no longer defined was a window: its cursor has the room of one.
    private func isWindow(_ reader: String, of log: LogID) -> Bool {
        let path = "\(settings.directory)/\(log.folder)/\(FileName.escaped(reader))\(FileName.cursorSuffix)"
        let size = try? fileSystem.open(path, .existing).size()
        return CursorSlot.of(.pipeline, fileBytes: size ?? 0) == .window
    }

    /// One log, whose folder is created where missing.
    func log(
        _ definition: LogDefinition,
        readThread: SerialThread,
        signal: ThreadSignal
    ) throws(JournalError) -> RecoveredLog {
        let directory = settings.directory + "/" + definition.id.folder
        try checked { () throws(FileSystemError) in try fileSystem.createDirectories(directory) }
        let found = try recover(definition, in: directory)
        let core = LogCore(
            id: definition.id,
            role: definition.role,
            source: definition.source,
            directory: directory,
            fileSystem: fileSystem,
            state: found.state,
            readThread: readThread,
            signal: signal,
            logger: logger
        )
        return RecoveredLog(core: core, cursors: found.cursors, nextNumber: found.nextNumber)
    }

    /// Dead letters of an exporter that is gone from the file stay until it is there again, whatever their limits were.
    private static let noLimits = DeadLetterLimits(
        maxBytes: ByteCount(bytes: .max),
        maxAge: .seconds(100 * 365 * 86_400)
    )

    /// Folders with cursors of logs that are no longer defined.
    func vanishedLogs(besides definitions: [LogDefinition]) throws(JournalError) -> [LogDefinition] {
        let defined = Set(definitions.map(\.id.folder))
        _ = try checked { () throws(FileSystemError) in try fileSystem.entries(of: settings.directory) }
        return LogID.all(in: settings.directory, parts: settings.parts, of: fileSystem).filter { id in
            !defined.contains(id.folder) && entries(of: id.folder).contains { FileName.reader($0) != nil }
        }.map { id in
            LogDefinition(id, role: id.kind == .deadLetters ? .deadLetters(Self.noLimits) : .items, readers: [])
        }
    }

    private func entries(of folder: String) -> [String] {
        ((try? fileSystem.entries(of: settings.directory + "/" + folder)) ?? []).sorted()
    }
}

/// Names the start of the machine; empty where that is not known.
func machineBoot() -> String {
    let bytes = (try? readFile("/proc/sys/kernel/random/boot_id", max: .kibibytes(1))) ?? []
    return String(decoding: bytes.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)
}
