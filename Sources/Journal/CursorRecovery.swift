import Basics
import Logging

/// Opens the cursors of a log.
struct CursorRecovery {
    /// A cursor and what its file said.
    struct Opened {
        var file: CursorFile
        let name: String
        /// Nil when the reader is no longer defined.
        let definition: ReaderDefinition?
        let role: LogDefinition.Role
        let isWindow: Bool
        let snapshot: CursorSnapshot?
        /// Whether there was a cursor and it could not be read.
        let damaged: Bool

        /// The highest id it knows of.
        var endID: UInt64 {
            guard let snapshot else { return 0 }
            return max(snapshot.endID, snapshot.cursor.finished.end)
        }

        /// The reader as it goes on in a log that holds the ids from `firstID` to `nextID`.
        func reader(firstID: UInt64, nextID: UInt64, now: UnixTime) -> ReaderState {
            guard let snapshot else {
                // What a damaged cursor had finished is not known: delivering it again loses nothing. Dead letters
                // without a cursor are whole.
                let startsOldest = damaged || definition?.start == .oldest || role != .items
                let cursor = Cursor(since: now, startID: startsOldest ? firstID : nextID)
                return state(cursor, changed: true)
            }
            var cursor = snapshot.cursor
            if definition != nil {
                cursor.reopen(at: nextID)
            } else if cursor.finished.low >= nextID {
                cursor.close(at: nextID)
            }
            return state(cursor, changed: cursor != snapshot.cursor)
        }

        private func state(_ cursor: Cursor, changed: Bool) -> ReaderState {
            var state = ReaderState(
                name: name,
                isDefined: definition != nil,
                isWindow: isWindow,
                backlog: definition?.backlog,
                cursor: cursor,
                persistedLow: changed ? 0 : cursor.finished.low
            )
            state.dirty = changed
            return state
        }
    }

    private let fileSystem: any FileSystem
    private let recovery: Recovery

    init(_ recovery: Recovery) {
        self.recovery = recovery
        self.fileSystem = recovery.fileSystem
    }

    /// The cursors of the defined readers in their order, then those of others.
    func cursors(
        _ definition: LogDefinition,
        names: [String],
        in directory: String
    ) throws(JournalError) -> [Opened] {
        let stored = names.compactMap(FileName.reader).sorted()
        let defined = definition.readers.map(\.name)
        var cursors: [Opened] = []
        for reader in definition.readers {
            let exists = stored.contains(reader.name)
            cursors.append(try open(reader.name, reader, definition.role, exists: exists, in: directory))
        }
        for name in stored where !defined.contains(name) {
            cursors.append(try open(name, nil, definition.role, exists: true, in: directory))
        }
        return cursors
    }

    private func open(
        _ name: String,
        _ definition: ReaderDefinition?,
        _ role: LogDefinition.Role,
        exists: Bool,
        in directory: String
    ) throws(JournalError) -> Opened {
        let path = directory + "/" + FileName.escaped(name) + FileName.cursorSuffix
        let size = exists ? (try? fileSystem.open(path, .existing))?.fileSize : nil
        // The cursor of a window that is no longer defined keeps its room.
        let isWindow = definition?.isWindow ?? (CursorSlot.of(.pipeline, fileBytes: size ?? 0) == .window)
        let opened = try recovery.checked { () throws(FileSystemError) in
            try CursorFile.open(path, exists: exists, slot: .of(role, isWindow: isWindow), in: fileSystem)
        }
        switch opened {
        case .read(let file, let snapshot):
            return Opened(
                file: file,
                name: name,
                definition: definition,
                role: role,
                isWindow: isWindow,
                snapshot: snapshot,
                damaged: false
            )
        case .empty(let file, let damaged):
            if damaged {
                recovery.logger.error(
                    "A cursor is damaged; its reader begins again with the oldest record.",
                    metadata: ["cursor": "\(path)"]
                )
            }
            return Opened(
                file: file,
                name: name,
                definition: definition,
                role: role,
                isWindow: isWindow,
                snapshot: nil,
                damaged: damaged
            )
        case .foreign(let version):
            throw JournalError(code: .foreignFormat, message: "\(path) has the foreign format version \(version)")
        }
    }
}

extension File {
    /// Nil where it cannot be told.
    fileprivate var fileSize: Int? { try? size() }
}
