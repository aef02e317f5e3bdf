import Basics
import Logging
import Synchronization

/// A group on its way to the disk.
struct Submission: Sendable {
    let group: RecordGroup
    let ticket: UInt64
    let observer: any CommitObserver
    let receivedAt: UnixTime
    var notice: SettlementNotice?
    /// Set where the group never gets to the disk.
    var refusal: CommitResult?
}

/// Writes groups to all logs, syncs them together and keeps cursors and segments in order.
///
/// Lives on the journal's thread; one call of `commit` is one round. No lock is held while it writes or syncs.
final class Committer {
    let settings: JournalSettings
    let fileSystem: any FileSystem
    let clock: WallClock
    let ages: RecordAges
    let logger: Logger
    /// In the order of their definitions, logs that are no longer defined behind the others.
    let writers: [SegmentWriter]
    private let writersByID: [LogID: SegmentWriter]
    var generator = SystemRandomNumberGenerator()
    /// Dead-letter logs without room in reserve, which was said.
    var unreserved: Set<LogID> = []
    private let limits: GroupLimits
    private let onSync: @Sendable (Duration) -> Void
    /// Told when room for further groups became free.
    let onRoom: @Sendable () -> Void
    /// Of the round under way, by position; nil while a group is neither refused nor failed.
    private var results: [CommitResult?] = []
    private static let reportPause = Duration.seconds(60)
    private var lastSync = ContinuousClock.now
    /// When expired items were last reported.
    private var lastReport: UnixTime?

    init(
        _ settings: JournalSettings,
        logs: [RecoveredLog],
        fileSystem: any FileSystem,
        clock: WallClock,
        ages: RecordAges,
        logger: Logger,
        onSync: @escaping @Sendable (Duration) -> Void,
        onRoom: @escaping @Sendable () -> Void = {}
    ) {
        self.settings = settings
        self.fileSystem = fileSystem
        self.clock = clock
        self.ages = ages
        self.logger = logger
        self.onSync = onSync
        self.onRoom = onRoom
        limits = GroupLimits(settings, logs.map(\.core))
        writers = logs.map { SegmentWriter($0, publishesUnsynced: settings.sync != .everyGroup) }
        writersByID = Dictionary(uniqueKeysWithValues: writers.map { ($0.core.id, $0) })
    }

    /// The writer of a log, also of one that is no longer defined.
    func writer(of log: LogID) -> SegmentWriter? { writersByID[log] }

    /// What is due once, before the first round.
    func start() {
        collect()
        reserveDeadLetters()
    }

    /// Writes, syncs and settles a round of groups.
    func commit(_ submissions: [Submission]) {
        results = submissions.map(\.refusal)
        for (position, submission) in submissions.enumerated() where submission.refusal == nil {
            if let refusal = place(submission, at: position) { results[position] = refusal }
        }
        for writer in writers { write(writer) }
        if settings.sync == .everyGroup {
            settle(submissions.indices.filter { submissions[$0].group.holdsOnlyCounts }, of: submissions)
            for writer in writers where writer.isAwaited { sync(writer) }
            settle(submissions.indices.filter { !submissions[$0].group.holdsOnlyCounts }, of: submissions)
        } else {
            settle(Array(submissions.indices), of: submissions)
        }
        // Groups of counts only are acknowledged already; later sync errors do not affect them.
        for writer in writers { forgetGroups(of: writer) }
    }

    /// What is due about once a second, besides commits.
    func tick() {
        if isSyncDue {
            for writer in writers { sync(writer) }
            lastSync = .now
        }
        expireByAge()
        boundDeadLetters()
        reserveDeadLetters()
        persistCursors()
        for writer in writers { writer.core.notes.withLock(\.self)?.flush(sync: false) }
        collect()
        reportExpiries(atOnce: false)
    }

    /// Writes the cursors of all logs that changed.
    func persistCursors() {
        for writer in writers { _ = persistCursors(of: writer) }
    }

    /// Ends everything in order; nothing may be committed afterwards.
    func close() {
        for writer in writers {
            if settings.sync != .never { sync(writer) }
            writer.seal()
            _ = persistCursors(of: writer)
            writer.core.notes.withLock(\.self)?.flush(sync: settings.sync != .never)
            for waiter in writer.core.update({ $0.close() }) { waiter.resume() }
        }
        reportExpiries(atOnce: true)
    }

    /// Says what expired, at most once a minute: a log that gives way all the time would fill the other kind of log.
    private func reportExpiries(atOnce: Bool) {
        let now = clock.now()
        if !atOnce, let lastReport, (.zero..<Self.reportPause).contains(now.since(lastReport)) { return }
        for writer in writers {
            for (expiry, items) in writer.core.state.withLock({ $0.takeExpiries() }) {
                lastReport = now
                logger.warning(
                    "Items expired.",
                    metadata: [
                        "log": "\(writer.core.id)", "reader": "\(expiry.reader)", "cause": "\(expiry.cause)",
                        "items": "\(items)",
                    ]
                )
            }
        }
    }

    private var isSyncDue: Bool {
        switch settings.sync {
        case .everyGroup: true
        case .interval(let interval): ContinuousClock.now - lastSync >= interval
        case .never: false
        }
    }
}

extension Committer {
    /// Places a group in all its logs; a refusal leaves it in none.
    private func place(_ submission: Submission, at position: Int) -> CommitResult? {
        let entries = submission.group.entries
        let parts = submission.group.parts
        var writers: [SegmentWriter] = []
        for part in parts {
            guard let writer = writersByID[part.log] else { return .failed("there is no log \(part.log)") }
            writers.append(writer)
        }
        if let excess = limits.excess(of: submission.group) { return .tooLarge(excess) }
        // What moves was let in when it came.
        for writer in writers where submission.group.moves.isEmpty {
            if let refusal = backlogRefusal(of: writer) { return refusal }
        }
        for (writer, part) in zip(writers, parts) where !writer.fits(part.bytes) {
            finishSegment(of: writer)
            let refusal = startSegment(
                of: writer,
                for: part.bytes,
                receivedAt: submission.receivedAt,
                sparing: parts.map(\.log),
                replays: !entries.contains { $0.kind == .deadLetter }
            )
            if let refusal { return refusal }
        }
        for move in submission.group.moves {
            // What gave way meanwhile counts where it was.
            guard let id = move.reader.firstFinished(among: move.settled) else { continue }
            return .failed("the record \(id) of \(move.reader.logID) is finished already")
        }
        submission.notice?.begin(submission.group)?()
        for writer in writers {
            if let notice = submission.notice { writer.follow(entries, notice) }
            writer.place(entries.filter { $0.log == writer.core.id }, receivedAt: submission.receivedAt)
            writer.settle(submission.group.moves)
            writer.awaitingSync.append(position)
            if !submission.group.holdsOnlyCounts { writer.isAwaited = true }
        }
        return nil
    }

    /// Brings everything in the open segment to the disk, and ends it.
    ///
    /// Synced before the next one is created, so that only the newest segment of a log can have a torn tail.
    func finishSegment(of writer: SegmentWriter) {
        write(writer)
        if settings.sync != .never { sync(writer) }
        writer.seal()
    }

    private func write(_ writer: SegmentWriter) {
        guard writer.hasUnwritten else { return }
        do throws(FileSystemError) {
            try writer.write()
            if settings.sync != .everyGroup { forgetGroups(of: writer) }
        } catch {
            fail(writer, error)
        }
    }

    func sync(_ writer: SegmentWriter) {
        guard writer.hasUnsynced else { return }
        let start = ContinuousClock.now
        do throws(FileSystemError) {
            try writer.sync()
            forgetGroups(of: writer)
        } catch {
            fail(writer, error)
        }
        onSync(.now - start)
    }

    /// The results of the groups in a log are known.
    private func forgetGroups(of writer: SegmentWriter) {
        writer.awaitingSync = []
        writer.isAwaited = false
    }

    private func fail(_ writer: SegmentWriter, _ error: FileSystemError) {
        logger.error(
            "The disk failed; the log goes on in a new segment.",
            metadata: ["log": "\(writer.core.id)", "cause": "\(error)"]
        )
        for position in writer.awaitingSync { results[position] = .failed("\(error)") }
        forgetGroups(of: writer)
        writer.giveUp()
    }

    /// Tells each observer once about all of its groups among `positions`.
    private func settle(_ positions: [Int], of submissions: [Submission]) {
        var order: [any CommitObserver] = []
        var commits: [ObjectIdentifier: [(ticket: UInt64, result: CommitResult)]] = [:]
        for position in positions {
            let observer = submissions[position].observer
            let key = ObjectIdentifier(observer)
            if commits[key] == nil { order.append(observer) }
            commits[key, default: []].append((submissions[position].ticket, results[position] ?? .durable))
        }
        for observer in order { observer.settled(commits[ObjectIdentifier(observer)] ?? []) }
    }
}
