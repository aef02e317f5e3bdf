package import Admin
package import Basics
package import Journal
package import Logging
package import Pipeline
import Receivers
import Settings
import TLS

/// Every part of the process, built from a pipeline file and connected, not yet running.
package struct Assembly: Sendable {
    package let journal: Journal
    package let deliveries: [Delivery]
    package let windows: [WindowStage]
    package let exporters: ExporterSet
    private let receivers: [any Receiver]
    private let eventLoops: EventLoops
    package let admin: AdminEndpoint
    private let readiness: Readiness
    /// Where requests wait for room.
    private let lines: [WaitingLine]
    private let shares: RouteShares
    /// Where answers wait for exporters.
    private let answers: [DeliveryAnswers]
    /// Sends what the process records about itself; nil where that is nothing.
    package let telemetry: TelemetrySender?
    package let drainTimeout: Duration
    /// Whether what is undelivered at the end waits in the journal.
    package let keepsUndelivered: Bool

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
        let (meters, clock) = (Meters(), WallClock.system)
        let memory = MemoryBudget(limit: file.receiversMemory, waiting: meters.heldRequests(for: "memory"))
        let line = file.waitingLine(meters)
        (lines, eventLoops) = ([memory.line, line], EventLoops())
        let store = try file.openStore(abandoning: abandoning, before: line, meters: meters, logger: logger)
        (journal, shares) = (store.journal, store.shares)
        (exporters, readiness) = (ExporterSet(file, logger: logger), Readiness(logger: logger))
        let telemetry = try file.telemetryParts(to: exporters, meters: meters, logger: logger)
        self.telemetry = telemetry?.sender
        deliveries = try file.deliveries(
            from: store,
            to: exporters,
            recording: telemetry?.recorder,
            meters: meters,
            logger: logger
        )
        let chains = try file.chains(of: journal, clock: clock)
        windows = file.windowStages(of: store, chains: chains, memory: memory, meters: meters, logger: logger)
        let fronts = file.fronts(chains, meters: meters)
        let intake = IntakeParts(
            fronts: fronts,
            journal: journal,
            deviations: DeviationLog(meters: meters, logger: logger),
            shares: shares,
            readiness: readiness,
            memory: memory,
            line: line,
            eventLoops: eventLoops,
            meters: meters,
            answers: file.answers(of: deliveries),
            telemetry: telemetry?.recorder
        )
        let connections = file.connectionLimits(within: descriptors, eventLoops: eventLoops.count, logger: logger)
        answers = Array(intake.answers.values)
        receivers = file.receivers.map { receiver in
            file.make(receiver, on: sockets, within: connections[receiver.name], before: intake, logger: logger)
        }
        OTLPReceiver.shareListeners(among: receivers)
        let status = AdminStatus(
            journal: journal,
            fronts: fronts.map(\.front),
            deadLetters: DeadLetterOffice(store.deadLetters + DeadLetterBox.gone(from: journal)),
            meters: meters,
            readiness: readiness,
            windows: windows,
            clock: clock
        )
        status.registerReadings()
        // With a journal in memory nothing else creates its directory.
        try? SystemFileSystem().createDirectories(file.journal.directory)
        admin = file.adminEndpoint(on: sockets[GivenSockets.adminName], showing: status, logger: logger)
        (drainTimeout, keepsUndelivered) = (file.drainTimeout, file.journal.storage == .disk)
    }

    /// Opens every receiver; the error says which address and why.
    package func startReceiving() async throws {
        for receiver in receivers { try await receiver.start() }
        readiness.receiversAreUp()
    }

    /// The least that requests in hand get to be completed after the drain, so that both together end before 10 s.
    private static let completionMin = Duration.seconds(2)

    /// Prepares for the end: receivers go on, with answers that tell clients to connect again for the next request.
    ///
    /// Where nothing would keep what is undelivered, new requests are refused from now on, and everything acknowledged is
    /// in the journal when this returns.
    package func prepareToStop() async {
        readiness.stops()
        for line in lines { line.close() }
        for answers in answers { answers.prepareToStop() }
        shares.closeLines()
        for receiver in receivers { await receiver.prepareToStop(refusing: !keepsUndelivered) }
    }

    /// Ends the waits of clients for exporters: nothing more is delivered.
    package func endWaits() {
        for answers in answers { answers.close() }
    }

    /// Answers what was received, closes the receivers, and ends their threads.
    package func stopReceiving() async {
        readiness.stops()
        let limit = max(Self.completionMin, drainTimeout - readiness.stoppingTime)
        await withDiscardingTaskGroup { group in
            for receiver in receivers {
                group.addTask { await receiver.stop(within: limit) }
            }
        }
        await eventLoops.shutdown()
    }

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
        logger: Logger
    ) -> AdminEndpoint {
        AdminEndpoint(
            listen: admin.listen,
            sockets: sockets,
            source: source,
            token: adminToken(logger: logger),
            opensMetrics: admin.opensMetrics,
            tls: admin.tls.map { tls in
                ServerTLS(tls, listener: GivenSockets.adminName, meters: source.meters, logger: logger)
            },
            logger: logger
        )
    }

    /// The pipeline file's token, else a new one that commands find beside the journal.
    private func adminToken(logger: Logger) -> AdminToken? {
        // Who listens where an earlier process did is not to be asked with it.
        AdminPlace.remove(from: journal.directory)
        guard let text = admin.token?.text else { return AdminToken.create(in: journal.directory, logger: logger) }
        AdminToken.remove(from: journal.directory)
        return AdminToken(text: text)
    }

    /// Where the answers of receivers wait that have `answer_after`, by receiver.
    fileprivate func answers(of deliveries: [Delivery]) -> [String: DeliveryAnswers] {
        let records = AwaitedRecords()
        return receivers.reduce(into: [:]) { answers, receiver in
            guard let exporter = receiver.settings.answerAfter else { return }
            let read = pipelines.filter { $0.value.receivers.contains(receiver.name) }.map(\.name)
            let awaited = deliveries.filter { delivery in
                delivery.name == exporter && delivery.log.map { read.contains($0.pipeline) } ?? false
            }
            answers[receiver.name] = DeliveryAnswers(
                exporter: exporter,
                timeout: receiver.settings.answerTimeout,
                deliveries: awaited,
                awaited: records
            )
        }
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

    fileprivate func make(
        _ receiver: Configured<any ReceiverSettings>,
        on sockets: GivenSockets,
        within connections: Int?,
        before intake: IntakeParts,
        logger: Logger
    ) -> any Receiver {
        let gateway = Gateway(
            fronts: intake.fronts.filter { $0.receiver == receiver.name }.map(\.front),
            journal: intake.journal,
            clock: .system,
            deviations: intake.deviations,
            shares: intake.shares,
            condition: intake.readiness.journal,
            costs: requestCost,
            identities: IdentityMeters(intake.meters, receiver: receiver.name),
            line: intake.line,
            hold: receiver.settings.hold,
            answers: intake.answers[receiver.name]
        )
        var context = ReceiverContext(
            name: receiver.name,
            intake: intake.telemetry.map { TracedIntake(gateway, $0) } ?? gateway,
            memory: intake.memory,
            eventLoops: intake.eventLoops,
            meters: intake.meters,
            logger: logger
        )
        let sharers = listeners.first { $0.contains { $0.name == receiver.name } } ?? []
        context.sockets = sharers.flatMap { sockets[$0.name] }
        context.connectionsMax = connections
        context.processorHeaders = processorHeaders(after: receiver.name)
        if intake.telemetry != nil { context.processorHeaders.append(TraceParent.headerName) }
        return receiver.settings.makeReceiver(in: context)
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

/// What all receivers share.
private struct IntakeParts {
    let fronts: [(receiver: String, front: PipelineFront)]
    let journal: Journal
    let deviations: DeviationLog
    let shares: RouteShares
    let readiness: Readiness
    let memory: MemoryBudget
    let line: WaitingLine
    let eventLoops: EventLoops
    let meters: Meters
    /// By receiver.
    let answers: [String: DeliveryAnswers]
    /// Nil where nothing is recorded.
    let telemetry: Telemetry?
}
