import Basics
import Logging
import Synchronization

// Readers that come and go while the journal runs; on its thread, between two rounds.
extension Committer {
    /// Defines a reader; its cursor is on the disk when this returns.
    func define(_ definition: ReaderDefinition, in log: LogID) throws(JournalError) {
        guard let writer = writer(of: log) else { throw .closed }
        let core = writer.core
        do throws(FileSystemError) {
            if writer.cursors[definition.name] == nil {
                writer.cursors[definition.name] = try createCursor(of: definition, in: core)
            }
        } catch {
            throw JournalError(unusable: settings.directory, error)
        }
        let index = core.state.withLock { $0.define(definition, now: clock.now()) }
        guard !persistCursor(of: index, named: definition.name, writer) else { return }
        core.update { $0.retire(definition.name) }?.resume()
        throw JournalError(code: .unusable, message: "the cursor of \(definition.name) in \(log) cannot be written")
    }

    /// Ends a reader and writes its cursor.
    func retire(_ reader: ReaderID) {
        guard let writer = writer(of: reader.log) else { return }
        writer.core.update { $0.retire(reader.name) }?.resume()
        _ = persistCursors(of: writer)
    }

    /// Creates the file of a cursor; what a failed attempt has left there is replaced.
    private func createCursor(
        of reader: ReaderDefinition,
        in core: LogCore
    ) throws(FileSystemError) -> CursorFile {
        let path = core.directory + "/" + FileName.escaped(reader.name) + FileName.cursorSuffix
        do throws(FileSystemError) {
            try core.fileSystem.remove(path)
        } catch {
            guard error.isNotFound else { throw error }
        }
        let cursor = try CursorFile.create(path, slot: .of(core.role, isWindow: reader.isWindow), in: core.fileSystem)
        try core.fileSystem.syncDirectory(core.directory)
        return cursor
    }
}
