import Basics
import Synchronization
import TestKit

@testable import Journal

/// A journal on a faulty disk that can be opened again and again.
struct Disk {
    static let directory = "/data"
    static let tracesSegments = "/data/traces/"

    let files: FaultyFileSystem
    let clock = SettableClock()
    let log = LogLines()
    var settings: JournalSettings

    init(
        seed: UInt64 = 1,
        sync: SyncMode = .everyGroup,
        maxBytes: ByteCount = .mebibytes(8),
        segment: ByteCount = .kibibytes(64),
        whenFull: FullPolicy = .reject
    ) {
        files = FaultyFileSystem(seed: seed)
        settings = JournalSettings(
            directory: Self.directory,
            sync: sync,
            maxBytes: maxBytes,
            minFree: .kibibytes(0),
            segment: segment,
            whenFull: whenFull
        )
    }

    func open(_ logs: [LogDefinition] = [.traces()]) throws -> Journal {
        try Journal.open(
            settings,
            logs: logs,
            fileSystem: files,
            clock: clock.wall,
            logger: log.logger
        )
    }

    /// The same without a journal's thread: the test makes the rounds.
    func openStepped(_ logs: [LogDefinition] = [.traces()], clock: WallClock? = nil) throws -> SteppedJournal {
        try SteppedJournal(self, logs, clock: clock ?? self.clock.wall)
    }

    var segments: [String] { files.paths(endingWith: ".log") }
}

/// A journal whose rounds are made by the test.
final class SteppedJournal {
    let logs: [Log]
    let committer: Committer
    let commits = Commits()
    private let readThread = SerialThread(name: "journal-read")

    init(_ disk: Disk, _ definitions: [LogDefinition], clock: WallClock) throws {
        let logger = disk.log.logger
        let recovery = Recovery(
            fileSystem: disk.files,
            settings: disk.settings,
            now: clock.now(),
            logger: logger
        )
        let recovered = try recovery.logs(definitions, readThread: readThread, signal: ThreadSignal())
        logs = recovered.prefix(definitions.count).map { Log($0.core) }
        committer = Committer(
            disk.settings,
            logs: recovered,
            fileSystem: disk.files,
            clock: clock,
            ages: RecordAges(clock),
            logger: logger,
            onSync: { _ in }
        )
        committer.start()
    }

    deinit {
        readThread.stop()
    }

    /// Commits groups in one round; their tickets are their positions.
    func commit(_ groups: [NewRecord]...) -> [CommitResult] { commit(groups) }

    /// Commits one group that is followed.
    func commit(_ entries: [NewRecord], following notice: SettlementNotice) -> CommitResult {
        let group = RecordGroup(entries: entries)
        let now = committer.clock.now()
        committer.commit([Submission(group: group, ticket: 0, observer: commits, receivedAt: now, notice: notice)])
        return commits.results[0] ?? .failed("no result")
    }

    func commit(_ groups: [[NewRecord]]) -> [CommitResult] {
        let submissions = groups.enumerated().map { ticket, entries in
            Submission(
                group: RecordGroup(entries: entries),
                ticket: UInt64(ticket),
                observer: commits,
                receivedAt: committer.clock.now()
            )
        }
        committer.commit(submissions)
        return submissions.map { commits.results[$0.ticket] ?? .failed("no result") }
    }
}

extension LogID {
    static let traces = LogID("traces")
    static let logs = LogID("logs")
    /// What the reader "one" of `traces` could not deliver.
    static let letters = LogID(deadLettersOf: "one", in: .traces)
}

extension LogDefinition {
    /// A log of the name that most tests use.
    static func traces(_ readers: String..., start: ReaderDefinition.Start = .newest) -> LogDefinition {
        let names = readers.isEmpty ? ["one"] : readers
        return LogDefinition(.traces, readers: names.map { ReaderDefinition(name: $0, start: start) })
    }
}

extension LogDefinition {
    /// The dead letters of `traces`' reader.
    static func deadLetters(
        of exporter: String = "one",
        maxBytes: ByteCount = .kibibytes(256),
        maxAge: Duration = .seconds(3600)
    ) -> LogDefinition {
        let limits = DeadLetterLimits(maxBytes: maxBytes, maxAge: maxAge)
        let readers = [ReaderDefinition(name: exporter)]
        let id = LogID(deadLettersOf: exporter, in: .traces)
        return LogDefinition(id, role: .deadLetters(limits), readers: readers)
    }
}

extension Log {
    /// The texts of all records, in order.
    var retainedTexts: [String] {
        var texts: [String] = []
        visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: ByteCount(bytes: .max)) { texts.append($0.text) }
        return texts
    }
}

/// A wall clock that stands until a test moves it.
final class SettableClock: Sendable {
    private let nanoseconds = Mutex<UInt64>(1_800_000_000_000_000_000)

    var wall: WallClock { WallClock { UnixTime(nanoseconds: self.nanoseconds.withLock { $0 }) } }

    func advance(by duration: Duration) {
        nanoseconds.withLock { $0 += UInt64(duration.wholeNanoseconds) }
    }
}

extension LogReader {
    /// Reads until a record with the payload `text` has come.
    func read(through text: String) async throws -> [StoredRecord] {
        var records: [StoredRecord] = []
        while records.last?.text != text { records += try await next(bytesMax: 100_000, recordsMax: 1000) }
        return records
    }
}
