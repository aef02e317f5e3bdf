import Basics
import Logging
import Synchronization

// Logs and readers that come and go while the journal runs.

extension Journal {
    /// Defines logs with their readers, as `open` does; those that are defined stay as they are, but for backlogs and the limits of
    /// dead letters, which change, and for readers that they do not have yet.
    ///
    /// Readers that are not named stay, too. Waits for the disk.
    ///
    /// - Returns: The readers that are new, or were not defined.
    /// - Throws: When a log cannot be created or the journal is closed; what it has defined is not defined then, as far as it was not
    ///   before.
    package func define(_ definitions: [LogDefinition]) async throws(JournalError) -> [ReaderID] {
        var new: [ReaderID] = []
        do throws(JournalError) {
            for definition in definitions {
                let log = try await defined(definition)
                for reader in definition.readers {
                    if log.reader(named: reader.name) == nil { new.append(ReaderID(reader.name, of: log.id)) }
                    _ = try await define(reader, in: log)
                }
            }
        } catch {
            for reader in new { await retire(reader) }
            throw error
        }
        return new
    }

    /// Other limits from now on: what there may be of bytes, for how long, and what happens then.
    ///
    /// Directory, storage and sync stay as they are. Returns once they count.
    package func change(_ settings: JournalSettings) async {
        var changed = settings
        let current = self.settings
        (changed.directory, changed.storage, changed.sync) = (current.directory, current.storage, current.sync)
        (changed.parts, changed.queueBytesMax) = (current.parts, current.queueBytesMax)
        guard changed != current else { return }
        currentSettings.withLock { $0 = changed }
        _ = await performed { [changed] in $0.change(changed) }
        await refreshLimits()
    }

    /// The log of a definition, which is created, or found on the disk, where it is not defined.
    private func defined(_ definition: LogDefinition) async throws(JournalError) -> Log {
        if let log = storedLog(definition.id) {
            log.core.change(definition.role)
            await refreshLimits()
            registry.withLock { registry in
                guard registry.byID[log.id] == nil else { return }
                registry.vanished.removeAll { $0.id == log.id }
                registry.logs.append(log)
                registry.byID[log.id] = log
            }
            return log
        }
        let recovery = Recovery(fileSystem: fileSystem, settings: settings, now: clock.now(), logger: logger)
        // Its readers are defined on the journal's thread, as those of every log.
        var bare = definition
        bare.readers = []
        let (readThread, signal) = (readThread, thread.signal)
        let recovered = try await readThread.run { [bare] () throws(JournalError) in
            try recovery.log(bare, readThread: readThread, signal: signal)
        }
        let isAdded = await performed { $0.add(recovered) }
        guard isAdded else { throw .closed }
        let log = Log(recovered.core)
        registry.withLock { registry in
            registry.logs.append(log)
            registry.byID[log.id] = log
        }
        await refreshLimits()
        return log
    }

    private func refreshLimits() async {
        _ = await performed { $0.limitsChanged() }
        let limits = GroupLimits(settings, everyLog.map(\.core))
        registry.withLock { $0.limits = limits }
    }

    /// Does something on the journal's thread between two rounds; false once the journal is closed.
    private func performed(_ work: @escaping JournalThread.Work) async -> Bool {
        await withCheckedContinuation { continuation in
            let isTaken = perform { committer in
                work(committer)
                continuation.resume(returning: true)
            }
            if !isTaken { continuation.resume(returning: false) }
        }
    }

    /// Logs that nobody reads any more are no longer among `logs`; their readers' accounts are among those that vanished.
    package func forgetUnread() {
        registry.withLock { registry in
            let unread = registry.logs.filter { !$0.core.isDefined }
            guard !unread.isEmpty else { return }
            registry.vanished += unread
            registry.logs.removeAll { !$0.core.isDefined }
            for log in unread { registry.byID[log.id] = nil }
        }
    }
}

extension Journal {
    /// Readers with a cursor that are not defined, in any log.
    package var vanishedReaders: [VanishedReader] { everyLog.flatMap(\.vanishedReaders) }

    /// Defines a reader of a log while the journal runs, or changes the backlog of one that is defined.
    ///
    /// One that has a cursor goes on where it stood, without what it had been given and not settled: it gets that again.
    ///
    /// - Returns: The reader, once its cursor is on the disk.
    /// - Throws: When its cursor cannot be created, or the journal is closed.
    package func define(_ reader: ReaderDefinition, in log: Log) async throws(JournalError) -> LogReader {
        let result: Result<Void, JournalError> = await withCheckedContinuation { continuation in
            let isTaken = thread.perform { committer in
                do throws(JournalError) {
                    try committer.define(reader, in: log.id)
                    continuation.resume(returning: .success(()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
            if !isTaken { continuation.resume(returning: .failure(.closed)) }
        }
        try result.get()
        guard let reader = log.reader(named: reader.name) else { throw .closed }
        return reader
    }

    /// Lets a reader end what is there for it now: it gets nothing that is appended from now on, and its account ends there.
    ///
    /// Once it has finished that, `retire` ends it. Where the process ends before, the reader is one that vanished, with all that it
    /// had not finished and what came since. Any thread, never blocks.
    package func leave(_ reader: ReaderID) {
        log(reader.log)?.core.update { $0.leave(reader.name) }
    }

    /// Ends a reader while the journal runs: its `next` throws, and its account is among those of vanished readers.
    ///
    /// It holds its segments until it is defined again or abandoned; one that has finished everything is abandoned now.
    /// Returns once its cursor was written. Nothing happens where there is no such reader.
    package func retire(_ reader: ReaderID) async {
        await withCheckedContinuation { continuation in
            let isTaken = thread.perform { committer in
                committer.retire(reader)
                continuation.resume()
            }
            if !isTaken { continuation.resume() }
        }
    }

    /// A log of that name, defined or found on the disk; nil where there is none.
    package func storedLog(_ id: LogID) -> Log? {
        registry.withLock { registry in registry.byID[id] ?? registry.vanished.first { $0.id == id } }
    }

    /// Gives up what vanished readers of that name have not finished: it counts as expired, and their accounts stay.
    ///
    /// Their dead letters stay, for when the exporter is defined again.
    ///
    /// - Returns: Whether there was one.
    package func abandon(reader name: String) -> Bool {
        var found = false
        for core in everyLog.map(\.core) {
            core.update { state in
                for index in state.readers.indices
                where state.readers[index].name == name && !state.readers[index].isDefined {
                    state.abandon(index)
                    found = true
                }
            }
            core.signal.signal()
        }
        return found
    }
}
