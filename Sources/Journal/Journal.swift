package import Basics
package import Logging
import Synchronization

/// The journal: logs of opaque records, durable before anyone is told so, each read by several readers at their own pace.
///
/// A group of records enters by `append`, waits in the queue of the journal's thread (JournalThread.swift), and is
/// written and synced there with whatever else waited (Committer.swift, SegmentWriter.swift; the bytes are described in
/// SegmentFormat.swift). Readers take records by `LogReader.next`, which reads on a second thread (SegmentVisit.swift),
/// and settle them by `LogReader.finish`; both meet the writer in the one locked value of each log (LogState.swift). What
/// they settled is kept in cursors (Cursor.swift, CursorFile.swift). Opening repairs what a crash left (Recovery.swift).
/// Whoever only wants to look at what is there visits it (Log+Retained.swift).
package final class Journal: Sendable {
    /// In the order of their definitions.
    package let logs: [Log]
    /// Reads segments; takes other blocking work of readers, such as files that exporters write.
    package let readThread: SerialThread
    /// Folders of logs that are no longer defined.
    private let vanishedLogs: [LogCore]
    private let thread: JournalThread
    private let clock: WallClock
    private let settings: JournalSettings
    private let limits: GroupLimits
    private let logger: Logger
    /// Held against other processes until the journal is closed.
    private let lock: Mutex<(any AnyObject & Sendable)?>

    private init(
        _ settings: JournalSettings,
        recovered: [RecoveredLog],
        definitions: [LogDefinition],
        readThread: SerialThread,
        thread: JournalThread,
        clock: WallClock,
        logger: Logger,
        lock: any AnyObject & Sendable
    ) {
        self.settings = settings
        self.readThread = readThread
        self.thread = thread
        self.clock = clock
        self.logger = logger
        self.lock = Mutex(lock)
        self.logs = zip(recovered, definitions).map { Log($0.core, $1) }
        limits = GroupLimits(settings, recovered.map(\.core))
        self.vanishedLogs = recovered.dropFirst(definitions.count).map(\.core)
    }

    /// Opens the journal, repairs what a crash left, and starts its threads.
    ///
    /// Blocks while it reads the newest segment of each log. It opens on damaged data too, and says what is missing.
    ///
    /// - Parameters:
    ///   - settings: What it may use.
    ///   - definitions: The logs, with names that differ, and their readers, with names that differ in each log.
    ///   - fileSystem: Where the files are; not used with `JournalStorage.memory`.
    ///   - clock: For the times of records and accounts.
    ///   - logger: For repairs, damage and failures of the disk.
    ///   - onSync: Called on the journal's thread with the duration of each sync.
    ///   - onRoom: Called on the journal's thread when room became free for groups that were answered `full`.
    /// - Returns: The journal, to be ended by `close()`.
    /// - Throws: When another process has it, another version wrote it, or the directory cannot be used.
    package static func open(
        _ settings: JournalSettings,
        logs definitions: [LogDefinition],
        fileSystem: any FileSystem = .system,
        clock: WallClock = .system,
        logger: Logger,
        onSync: @escaping @Sendable (Duration) -> Void = { _ in },
        onRoom: @escaping @Sendable () -> Void = {}
    ) throws(JournalError) -> Journal {
        let files: any FileSystem = settings.storage == .memory ? MemoryFileSystem() : fileSystem
        let recovery = Recovery(fileSystem: files, settings: settings, now: clock.now(), logger: logger)
        let lock = try recovery.takeLock()
        let signal = ThreadSignal()
        let readThread = SerialThread(name: "journal-read")
        let recovered: [RecoveredLog]
        do throws(JournalError) {
            recovered = try recovery.logs(definitions, readThread: readThread, signal: signal)
        } catch {
            readThread.stop()
            throw error
        }
        let thread = JournalThread(signal: signal, bytesMax: settings.queueBytesMax.bytes)
        let interval: Duration? = if case .interval(let interval) = settings.sync { interval } else { nil }
        thread.start(interval: interval) {
            Committer(
                settings,
                logs: recovered,
                fileSystem: files,
                clock: clock,
                logger: logger,
                onSync: onSync,
                onRoom: onRoom
            )
        }
        return Journal(
            settings,
            recovered: recovered,
            definitions: definitions,
            readThread: readThread,
            thread: thread,
            clock: clock,
            logger: logger,
            lock: lock
        )
    }

    /// Which limit a group would be over even in an empty journal; nil for one that can be appended.
    ///
    /// Any thread, never blocks.
    package func excess(of group: RecordGroup) -> String? { limits.excess(of: group) }

    /// Queues one group: all records of one request, over several logs.
    ///
    /// Any thread, never blocks.
    ///
    /// - Parameters:
    ///   - group: The records; at least one.
    ///   - ticket: Names the group in `observer.settled`.
    ///   - observer: Gets exactly one result for the ticket: on the journal's thread, or before this returns when the
    ///     journal is closed.
    package func append(_ group: RecordGroup, ticket: UInt64, observer: any CommitObserver) {
        let submission = Submission(group: group, ticket: ticket, observer: observer, receivedAt: clock.now())
        if !thread.submit(submission) { observer.settled([(ticket, .failed("the journal is closed"))]) }
    }

    /// Writes what was settled so far to the cursors; what a disk that fails leaves is tried again within a second.
    ///
    /// The calling thread waits for the disk: for the start, before anything runs.
    package func persistCursors() {
        thread.persistCursors()
    }

    /// Commits what is queued, syncs, writes the cursors and ends the threads.
    ///
    /// Readers that wait get a `CancellationError`. Calling it again waits for the same end.
    package func close() async {
        await thread.close()
        let wasOpen = lock.withLock { lock in
            defer { lock = nil }
            return lock != nil
        }
        guard wasOpen else { return }
        readThread.stop()
        if settings.storage == .memory { reportUndelivered() }
    }

    private func reportUndelivered() {
        for log in logs {
            for reader in log.readers where reader.account.queued > 0 {
                logger.warning(
                    "Undelivered items end with the process.",
                    metadata: [
                        "log": "\(log.core.title)", "reader": "\(reader.name)", "items": "\(reader.account.queued)",
                    ]
                )
            }
        }
    }
}

extension Journal {
    private var cores: [LogCore] { logs.map(\.core) + vanishedLogs }

    /// Readers with a cursor that are no longer defined, in any log.
    package var vanishedReaders: [VanishedReader] {
        cores.flatMap { core in
            core.state.withLock { state in
                state.readers.indices.filter { !state.readers[$0].isDefined }.map { index in
                    VanishedReader(
                        log: core.name,
                        name: state.readers[index].name,
                        account: state.account(of: index),
                        abandoned: state.readers[index].cursor.closedID != nil
                    )
                }
            }
        }
    }

    /// Gives up what vanished readers of that name have not finished: it counts as expired, and their accounts stay.
    ///
    /// Their dead letters stay on the disk as they are, for when the exporter is defined again.
    ///
    /// - Returns: Whether there was one.
    package func abandon(reader name: String) -> Bool {
        var found = false
        for core in cores {
            core.state.withLock { state in
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
