package import Basics
package import Logging
import Synchronization

/// Logs of opaque records: what is acknowledged is durable, and each log is read by several readers at their own pace.
///
/// A group of records enters by `append`, waits in the queue of the journal's thread (JournalThread.swift), and is
/// written and synced there with whatever else waited (Committer.swift, SegmentWriter.swift; the bytes are described in
/// SegmentFormat.swift). Readers take records by `LogReader.next`, which reads on a second thread (SegmentVisit.swift),
/// and settle them by `LogReader.finish`; both meet the writer in the one locked value of each log (LogState.swift). What
/// they settled is kept in cursors (Cursor.swift, CursorFile.swift). Opening repairs what a crash left (Recovery.swift).
/// Records can be read again by id (Log+Lookup.swift) or visited in order (Log+Retained.swift), and a group can be
/// followed until readers have finished it (SettlementNotice.swift).
package final class Journal: Sendable {
    /// Which logs there are.
    struct Registry {
        /// In the order of their definitions.
        var logs: [Log]
        /// Logs that are on the disk and not defined.
        var vanished: [Log]
        var limits: GroupLimits
        var byID: [LogID: Log]

        init(_ logs: [Log], vanished: [Log], limits: GroupLimits) {
            (self.logs, self.vanished, self.limits) = (logs, vanished, limits)
            byID = Dictionary(uniqueKeysWithValues: logs.map { ($0.id, $0) })
        }
    }

    let registry: Mutex<Registry>
    /// Reads segments; takes other blocking work of readers, such as files that exporters write.
    package let readThread: SerialThread
    let thread: JournalThread
    let clock: WallClock
    private let ages: RecordAges
    let currentSettings: Mutex<JournalSettings>
    let fileSystem: any FileSystem
    let logger: Logger
    /// Held against other processes until the journal is closed.
    private let lock: Mutex<(any AnyObject & Sendable)?>

    private init(
        _ settings: JournalSettings,
        recovered: [RecoveredLog],
        defined: Int,
        readThread: SerialThread,
        thread: JournalThread,
        clock: WallClock,
        ages: RecordAges,
        fileSystem: any FileSystem,
        logger: Logger,
        lock: any AnyObject & Sendable
    ) {
        currentSettings = Mutex(settings)
        self.fileSystem = fileSystem
        self.readThread = readThread
        self.thread = thread
        self.clock = clock
        self.ages = ages
        self.logger = logger
        self.lock = Mutex(lock)
        let all = recovered.map { Log($0.core) }
        let limits = GroupLimits(settings, recovered.map(\.core))
        let vanished = Array(all.dropFirst(defined))
        registry = Mutex(Registry(Array(all.prefix(defined)), vanished: vanished, limits: limits))
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
        let ages = recovery.ages(of: recovered, clock)
        let thread = JournalThread(signal: signal, bytesMax: settings.queueBytesMax.bytes)
        let interval: Duration? = if case .interval(let interval) = settings.sync { interval } else { nil }
        thread.start(interval: interval) {
            Committer(
                settings,
                logs: recovered,
                fileSystem: files,
                clock: clock,
                ages: ages,
                logger: logger,
                onSync: onSync,
                onRoom: onRoom
            )
        }
        return Journal(
            settings,
            recovered: recovered,
            defined: definitions.count,
            readThread: readThread,
            thread: thread,
            clock: clock,
            ages: ages,
            fileSystem: files,
            logger: logger,
            lock: lock
        )
    }

    var settings: JournalSettings { currentSettings.withLock { $0 } }

    /// Whether a record that came then is older than records may become, as far as the clock can be believed.
    ///
    /// Any thread.
    package func isTooOld(_ receivedAt: UnixTime) -> Bool { isOlder(than: settings.maxAge, receivedAt) }

    /// Whether a record that came then is older than that, as far as the clock can be believed.
    ///
    /// Any thread.
    package func isOlder(than age: Duration, _ receivedAt: UnixTime) -> Bool {
        ages.isOlder(than: age, receivedAt.nanoseconds)
    }

    /// What the machine's clock shows without the steps that are known of it: it goes on where that of an earlier process was.
    ///
    /// Any thread.
    package var steadyNow: UnixTime { ages.steadyNow }

    /// The logs that are defined now, in the order of their definitions.
    package var logs: [Log] { registry.withLock { $0.logs } }

    /// Also those that are no longer defined.
    var everyLog: [Log] { registry.withLock { $0.logs + $0.vanished } }

    /// The log of that name; nil where none is defined.
    package func log(_ id: LogID) -> Log? { registry.withLock { $0.byID[id] } }

    /// Which limit a group would be over even in an empty journal; nil for one that can be appended.
    ///
    /// Any thread, never blocks.
    package func excess(of group: RecordGroup) -> String? { registry.withLock { $0.limits }.excess(of: group) }

    /// Queues one group: all records of one request, over several logs.
    ///
    /// Any thread, never blocks.
    ///
    /// - Parameters:
    ///   - group: The records; at least one.
    ///   - ticket: Names the group in `observer.settled`.
    ///   - observer: Gets exactly one result for the ticket: on the journal's thread, or before this returns when the
    ///     journal is closed.
    ///   - notice: Follows the group to its end where it becomes durable.
    package func append(
        _ group: RecordGroup,
        ticket: UInt64,
        observer: any CommitObserver,
        notice: SettlementNotice? = nil
    ) {
        let submission = Submission(
            group: group,
            ticket: ticket,
            observer: observer,
            receivedAt: clock.now(),
            notice: notice
        )
        if !thread.submit(submission) { observer.settled([(ticket, .failed("the journal is closed"))]) }
    }

    /// Does `work` on the journal's thread between two rounds; false, and it is not done, once the journal is closed.
    func perform(_ work: @escaping JournalThread.Work) -> Bool { thread.perform(work) }

    /// Writes what was settled so far to the cursors; what a disk that fails leaves is tried again within a second.
    ///
    /// The calling thread waits for the disk: for the start, before anything runs.
    package func persistCursors() {
        let written = ThreadSignal()
        let isTaken = thread.perform { committer in
            committer.persistCursors()
            written.signal()
        }
        if isTaken { written.wait() }
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
                        "log": "\(log.id)", "reader": "\(reader.name)", "items": "\(reader.account.queued)",
                    ]
                )
            }
        }
    }
}
