package import Admin
package import Basics
package import Journal
package import Logging
package import Pipeline
import Processors
import Receivers
import Settings
import Synchronization
import TLS

/// Every part of the process, built from a pipeline file and connected, not yet running.
///
/// What a reload leaves alone is in `ground`; what it may change, in `parts`, each of which stands behind a joint that lasts:
/// receivers hand requests to a `CurrentIntake`. How another file is taken is in Assembly+Reload.swift. Any thread.
package final class Assembly: Sendable {
    package let journal: Journal
    package let admin: AdminEndpoint
    let ground: Ground
    let status: AdminStatus
    let parts: Mutex<RunningParts>
    /// What clients show to the admin endpoint.
    let adminToken: Mutex<AdminToken?>
    /// What is at work; a delivery by itself, so that it can come and go.
    let work = TaskPool()
    /// Sends what the process records about itself; nil where that is nothing.
    package let telemetry: TelemetrySender?
    /// Whether what is undelivered at the end waits in the journal.
    package let keepsUndelivered: Bool
    /// Reads the pipeline file again; nil while nobody may ask for it.
    let reloading = Mutex<(@Sendable (ReloadRequest) async -> ReloadAnswer)?>(nil)

    /// Opens the journal and builds the rest around it: exporters behind the logs, pipelines and receivers before them.
    ///
    /// - Parameters:
    ///   - file: What to build.
    ///   - sockets: The service manager's, which take the place of addresses in the file.
    ///   - abandoning: Exporters that are gone from the file and whose undelivered spans are given up.
    ///   - descriptors: How many files the process may have open; receivers take no more connections than that allows.
    ///   - logger: For everything that the parts have to say.
    /// - Throws: `JournalError` where the directory cannot be used, `AssemblyError` where the file does not fit what it
    ///   holds.
    package init(
        _ file: PipelineFile,
        sockets: GivenSockets = GivenSockets(),
        abandoning: [String] = [],
        descriptors: Int = .max,
        logger: Logger
    ) throws {
        let meters = Meters()
        let line = file.waitingLine(meters)
        let store = try file.openStore(abandoning: abandoning, before: line, meters: meters, logger: logger)
        let report = ProcessReport()
        let exporters = ExporterSet(file, report: report, meters: meters, logger: logger)
        let telemetry = try file.telemetryParts(to: exporters, meters: meters, logger: logger)
        let ground = Ground(
            store: store,
            meters: meters,
            report: report,
            memory: MemoryBudget(limit: file.receiversMemory, waiting: meters.heldRequests(for: "memory")),
            line: line,
            readiness: Readiness(logger: logger),
            telemetry: telemetry?.recorder,
            sockets: sockets,
            descriptors: descriptors,
            logger: logger
        )
        let parts = try RunningParts(file, exporters: exporters, on: ground)
        let status = AdminStatus(journal: store.journal, ground: ground)
        status.registerReadings()
        // With a journal in memory nothing else creates its directory.
        try? SystemFileSystem().createDirectories(file.journal.directory)
        let version = "version \(Product.version)"
        meters.events.start(in: file.journal.directory, version, at: status.start, logger: logger)
        AdminPlace.remove(from: file.journal.directory)
        let token = file.adminToken(logger: logger)
        adminToken = Mutex(token)
        admin = file.adminEndpoint(on: sockets[GivenSockets.adminName], showing: status, token: token, logger: logger)
        (journal, self.ground, self.status, self.telemetry) = (store.journal, ground, status, telemetry?.sender)
        self.parts = Mutex(parts)
        keepsUndelivered = file.journal.storage == .disk
        status.assembly.withLock { $0 = WeakAssembly(self) }
        report.use { [weak status] in status?.report ?? [:] }
        noteConfiguration(of: file)
    }

    /// How long a stopping process goes on delivering.
    package var drainTimeout: Duration { parts.withLock { $0.file.drainTimeout } }
    package var deliveries: [Delivery] { parts.withLock { $0.deliveries } }
    /// Those of exporters that are gone from the file, as long as they have something left.
    package var leaving: [Delivery] { parts.withLock { $0.leaving } }
    package var windows: [WindowStage] { parts.withLock { Array($0.windows.values) } }
    package var exporters: ExporterSet { parts.withLock { $0.exporters } }

    /// Opens every receiver; the error says which address and why.
    package func startReceiving() async throws {
        for (_, receiver) in parts.withLock({ $0.receivers }) { try await receiver.start() }
        ground.readiness.receiversAreUp()
    }

    /// Begins to deliver.
    package func startDelivering() {
        for delivery in deliveries { work.start(delivery) { await delivery.run() } }
        for window in windows { work.start(window) { await window.run() } }
        if let telemetry { work.start(telemetry) { await telemetry.run() } }
    }

    /// Returns once nothing is delivered any more.
    package func stopDelivering() async { await work.endAll() }

    /// The least that requests in hand get to be completed after the drain, so that both together end before 10 s.
    private static let completionMin = Duration.seconds(2)

    /// Prepares for the end: receivers go on, with answers that tell clients to connect again for the next request.
    ///
    /// Where nothing would keep what is undelivered, new requests are refused from now on, and everything acknowledged is
    /// in the journal when this returns. No other pipeline file is taken any more.
    package func prepareToStop() async {
        let parts = parts.withLock { parts in
            parts.isStopping = true
            return parts
        }
        ground.readiness.stops()
        ground.meters.events.add(.stopping, at: WallClock.system.now())
        for line in [ground.memory.line, ground.line] { line.close() }
        for answers in parts.allAnswers { answers.prepareToStop() }
        ground.store.shares.closeLines()
        for (_, receiver) in parts.receivers { await receiver.prepareToStop(refusing: !keepsUndelivered) }
    }

    /// Ends the waits of clients for exporters: nothing more is delivered.
    package func endWaits() {
        for answers in parts.withLock({ $0.allAnswers }) { answers.close() }
    }

    /// Answers what was received, closes the receivers, and ends their threads.
    package func stopReceiving() async {
        ground.readiness.stops()
        let limit = max(Self.completionMin, drainTimeout - ground.readiness.stoppingTime)
        let receivers = parts.withLock { $0.receivers.values.map { $0 } + $0.leavingReceivers.map(\.receiver) }
        await withDiscardingTaskGroup { group in
            for receiver in receivers {
                group.addTask { await receiver.stop(within: limit) }
            }
        }
        await ground.eventLoops.shutdown()
    }

    /// Notes that the process has ended as it should, the journal aside.
    package func noteEnd() async { await ground.meters.events.end(at: WallClock.system.now()) }

    /// What every destination has not got yet, by pipeline and exporter.
    package var queuedByDestination: [(name: String, queued: UInt64)] {
        journal.pipelines.flatMap { log in
            log.readers.filter { !$0.isWindow }.map { reader in
                ("\(log.id.front.name)/\(reader.name)", journal.account(of: reader, in: log.id).queued)
            }
        }
    }
}

extension Meters {
    fileprivate func heldRequests(for reason: String) -> Counter {
        counter("millrace_receiver_held_requests_total", ["reason": reason])
    }
}

extension PipelineFile {
    /// Where requests wait while the journal is full.
    fileprivate func waitingLine(_ meters: Meters) -> WaitingLine {
        WaitingLine(
            bytesMax: ByteCount(bytes: receiversMemory.bytes / 2),
            held: meters.heldRequests(for: "journal_full")
        )
    }

    fileprivate func adminEndpoint(
        on sockets: [GivenSocket],
        showing source: AdminStatus,
        token: AdminToken?,
        logger: Logger
    ) -> AdminEndpoint {
        AdminEndpoint(
            listen: admin.listen,
            takesAnyPort: admin.takesAnyPort,
            sockets: sockets,
            source: source,
            token: token,
            opensMetrics: admin.opensMetrics,
            tls: admin.tls.map { tls in
                ServerTLS(tls, listener: GivenSockets.adminName, meters: source.ground.meters, logger: logger)
            },
            logger: logger
        )
    }

    /// The pipeline file's token, else the one beside the journal, where commands find it.
    ///
    /// Where nobody but this process has noted the place of its endpoint there: who listens where an earlier one did is not to be asked with it.
    func adminToken(logger: Logger) -> AdminToken? {
        guard let text = admin.token?.text else { return AdminToken.keep(in: journal.directory, logger: logger) }
        AdminToken.remove(from: journal.directory)
        return AdminToken(text: text)
    }

    /// Opens the journal; requests that wait in `line` are told when room in it becomes free.
    fileprivate func openStore(
        abandoning: [String],
        before line: WaitingLine,
        meters: Meters,
        logger: Logger
    ) throws -> Store {
        let journal = try openJournal(
            abandoning: abandoning,
            meters: meters,
            clock: .system,
            logger: logger,
            onRoom: { line.roomIsFreed() }
        )
        let deadLetters = deadLetterBoxes(of: journal)
        for box in deadLetters { box.recover() }
        let recovered = recoverWindows(of: journal)
        journal.persistCursors()
        let shares = routeShares(of: journal, waiting: meters.heldRequests(for: "over_share"))
        return Store(journal: journal, deadLetters: deadLetters, recovered: recovered, shares: shares)
    }
}

/// What requests are kept in until every exporter has them.
struct Store {
    let journal: Journal
    let deadLetters: [DeadLetterBox]
    /// What windows decided in an earlier process, by pipeline.
    let recovered: [String: WindowRecovery]
    let shares: RouteShares
}
