import Basics
import Exporters
import Journal
package import Logging
import OTLP
package import Pipeline
import Settings

/// Why a valid pipeline file cannot be run as things stand.
package struct AssemblyError: Error, CustomStringConvertible {
    package let description: String
}

extension PipelineFile {
    /// One log a pipeline and signal, with a reader for each of its exporters that takes the signal, then those of each
    /// exporter: dead letters, and parked.
    ///
    /// Behind a window the exporters read a log of whole traces, and the window reads that of the spans.
    var logs: [LogDefinition] {
        let pipelines = pipelines.flatMap { pipeline in
            pipeline.value.takenSignals.flatMap { logs(of: pipeline, $0) }
        }
        let own = pipelines.flatMap { log in
            log.readers.filter { !$0.isWindow }.flatMap { ownLogs(of: $0.name, in: log.id) }
        }
        return pipelines + own
    }

    private func logs(of pipeline: Named<PipelineSettings>, _ signal: Signal) -> [LogDefinition] {
        let exporters = pipeline.value.exporters.filter {
            settings(of: $0)?.signals.contains(signal) ?? false
        }
        let id = LogID(pipeline.name, signal)
        let readers = exporters.map(reader)
        guard let window = window(of: pipeline.value), signal == .traces || window.reads(signal) else {
            return [LogDefinition(id, readers: readers)]
        }
        let own = ReaderDefinition(name: window.name, isWindow: true)
        guard signal == .traces else { return [LogDefinition(id, readers: readers + [own])] }
        return [
            LogDefinition(id, readers: [own]),
            LogDefinition(LogID(windowOf: pipeline.name), readers: readers, source: id),
        ]
    }

    /// The logs of one exporter besides a pipeline's; none where its destination never refuses.
    private func ownLogs(of exporter: String, in main: LogID) -> [LogDefinition] {
        guard let settings = settings(of: exporter), settings.destination.mayRefuse else { return [] }
        let deadLetters = LogDefinition(
            LogID(deadLettersOf: exporter, in: main),
            role: .deadLetters(settings.reader.deadLetters),
            readers: [ReaderDefinition(name: exporter, start: .oldest)]
        )
        // As far behind as it may be there, too: an unimportant exporter takes no more by parking.
        let parked = ReaderDefinition(name: exporter, start: .oldest, backlog: settings.reader.backlog)
        return [deadLetters, LogDefinition(LogID(parkedBy: exporter, in: main), readers: [parked])]
    }

    private func reader(_ exporter: String) -> ReaderDefinition {
        let settings = settings(of: exporter)?.reader ?? ReaderSettings()
        return ReaderDefinition(name: exporter, start: settings.start, backlog: settings.backlog)
    }

    func settings(of exporter: String) -> ExporterSettings? {
        exporters.first { $0.name == exporter }?.settings
    }

    /// What the journal may use, and which logs it may find.
    private var journalSettings: JournalSettings {
        var settings = journal
        settings.parts = LogID.parts
        return settings
    }

    /// Opens the journal, unless that would give up silently what is left for an exporter that is gone from the file.
    ///
    /// The exporters in `abandoning` are given up.
    func openJournal(
        abandoning: [String] = [],
        meters: Meters,
        clock: WallClock,
        logger: Logger,
        onRoom: @escaping @Sendable () -> Void = {}
    ) throws -> Journal {
        let leftBehind = try refuseLeftovers(abandoning)
        let syncs = meters.histogram("millrace_journal_sync_seconds")
        let journal = try Journal.open(
            journalSettings,
            logs: logs,
            clock: clock,
            logger: logger,
            onSync: { syncs.observe($0) },
            onRoom: onRoom
        )
        let waiting = journal.vanishedReaders.filter { reader in
            !reader.abandoned && reader.waiting > 0 && !abandoning.contains(reader.name)
        }
        if !waiting.isEmpty {
            let destinations = Dictionary(grouping: waiting) { ReaderID($0.name, of: $0.log.main.front) }
            let left = destinations.map { reader, readers in
                (reader.log, reader.name, readers.reduce(0) { $0 + $1.waiting })
            }
            throw AssemblyError(leaving: left.sorted { $0.1 < $1.1 })
        }
        for name in abandoning where !leftBehind.contains(name) && !journal.abandon(reader: name) {
            throw AssemblyError(
                description: "no exporter \"\(name)\" is gone from the pipeline file: nothing to abandon"
            )
        }
        return journal
    }

    /// What a journal on disk still holds is not left behind silently when it is replaced by one in memory.
    ///
    /// - Returns: The exporters whose spans are left there, as `abandoning` allows.
    private func refuseLeftovers(_ abandoning: [String]) throws -> Set<String> {
        guard journal.storage == .memory else { return [] }
        let all = try Journal.leftovers(in: journal.directory, parts: LogID.parts)
        let left = all.filter { !abandoning.contains($0.reader) }
        guard left.isEmpty else {
            throw AssemblyError(
                leaving: left.map { ($0.log, $0.reader, $0.queued) },
                because: "journal.storage is \"memory\", and \(journal.directory) holds undelivered items",
                insteadOf: "set it to \"disk\" again to deliver them"
            )
        }
        return Set(all.map(\.reader))
    }

    /// Opens the journal without a process around it, for a command that looks at it or changes it.
    ///
    /// - Throws: `JournalError`, also where a process has the journal open.
    private func withStoredJournal<Value>(
        logger: Logger,
        _ body: (Journal) async throws -> Value
    ) async throws -> Value {
        try Journal.checkOwner(of: journal.directory)
        let journal = try Journal.open(journalSettings, logs: logs, clock: .system, logger: logger)
        for box in deadLetterBoxes(of: journal) { box.recover() }
        _ = recoverWindows(of: journal)
        let result: Result<Value, any Error>
        do { result = .success(try await body(journal)) } catch { result = .failure(error) }
        await journal.close()
        return try result.get()
    }

    /// The ledger in JSON as the journal on disk has it, for when no process runs.
    ///
    /// - Throws: `JournalError`, also where a process has the journal open.
    package func storedLedger(logger: Logger) async throws -> String {
        try await withStoredJournal(logger: logger) { journal in
            String(decoding: Ledger(of: journal) { _ in 0 }.json(now: WallClock.system.now()), as: UTF8.self)
        }
    }

    /// What the dead letters on disk answer, for when no process runs.
    ///
    /// - Throws: `JournalError`, also where a process has the journal open.
    package func answerFromDisk(
        _ request: DeadLetterOffice.Request,
        logger: Logger
    ) async throws -> DeadLetterOffice.Answer {
        try await withStoredJournal(logger: logger) { journal in
            await DeadLetterOffice(deadLetterBoxes(of: journal) + DeadLetterBox.gone(from: journal)).answer(request)
        }
    }

    /// What each route may hold of the journal, with what earlier processes accepted counted already.
    ///
    /// Blocks while the journal's undelivered records are read, the newest 512 MiB of each log.
    func routeShares(of journal: Journal, waiting: Counter) -> RouteShares {
        let pipelines = journal.pipelines
        let used = journal.logs.reduce(0) { $1.role == .items ? $0 + $1.statistics.bytes : $0 }
        let free = (try? SystemFileSystem().freeBytes(at: self.journal.directory)) ?? .max / 2
        // On a small disk the floor of free space is reached long before `max_bytes`.
        let reachable = self.journal.storage == .disk ? used + max(0, free - self.journal.minFree.bytes) : .max
        let budget = min(self.journal.maxBytes, ByteCount(bytes: reachable))
        let heldMax = ByteCount(bytes: receiversMemory.bytes / 4)
        let parkedLogs = journal.logs.filter { $0.id.kind == .parked }
        let shares = RouteShares(
            budget: budget,
            logs: pipelines,
            parkedLogs: parkedLogs,
            heldMax: heldMax,
            waiting: waiting
        )
        for log in pipelines + parkedLogs {
            log.visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: .mebibytes(512)) { record in
                let pending = log.readers.filter { !$0.isFinished(record.id) }.map(\.name)
                if !pending.isEmpty { shares.restore(record, of: log.id.main, pending: pending) }
            }
        }
        return shares
    }

    /// The boxes of every exporter in every pipeline.
    func deadLetterBoxes(of journal: Journal) -> [DeadLetterBox] {
        journal.pipelines.flatMap { log in
            log.readers.compactMap { DeadLetterBox(of: $0.name, in: log.id, journal: journal) }
        }
    }
}

extension VanishedReader {
    /// What somebody would have to deliver: dead letters wait for no one.
    fileprivate var waiting: UInt64 { account.queued - min(account.queued, account.held) }
}

extension AssemblyError {
    /// Undelivered items that nobody would deliver.
    fileprivate init(
        leaving left: [(log: LogID, exporter: String, items: UInt64)],
        because reason: String =
            "exporters, signals or windows of the pipeline file changed, and undelivered items are in the journal",
        insteadOf remedy: String = "have them as before to deliver these"
    ) {
        let items = left.map { "\($0.items) \($0.log.signal.items) for \($0.exporter) of pipeline \($0.log.name)" }
            .joined(separator: ", ")
        let options = Set(left.map { "--abandon \($0.exporter)" }).sorted().joined(separator: " ")
        description = "\(reason): \(items); \(remedy), or give them up with \(options)"
    }
}
