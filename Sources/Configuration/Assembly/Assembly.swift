package import Basics
package import Console
package import Journal
package import Logging
package import Pipeline
package import Receivers

/// Every part of the process, built from a pipeline file and connected, not yet running.
package struct Assembly: Sendable {
    package let journal: Journal
    package let deliveries: [Delivery]
    package let exporters: ExporterSet
    private let receivers: [any Receiver]
    private let eventLoops: EventLoops
    package let admin: AdminEndpoint
    private let readiness: Readiness
    /// Where requests wait for room.
    private let lines: [WaitingLine]
    private let shares: RouteShares
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
        let meters = Meters()
        let clock = WallClock.system
        let memory = MemoryBudget(limit: file.receiversMemory, waiting: meters.heldRequests(for: "memory"))
        let line = WaitingLine(
            bytesMax: ByteCount(bytes: file.receiversMemory.bytes / 2),
            held: meters.heldRequests(for: "journal_full")
        )
        lines = [memory.line, line]
        let journal = try file.openJournal(
            abandoning: abandoning,
            meters: meters,
            clock: clock,
            logger: logger,
            onRoom: { line.roomIsFreed() }
        )
        self.journal = journal
        let deadLetters = file.deadLetterBoxes(of: journal)
        for box in deadLetters { box.recover() }
        journal.persistCursors()
        let shares = file.routeShares(of: journal, waiting: meters.heldRequests(for: "over_share"))
        self.shares = shares
        exporters = ExporterSet(file, logger: logger)
        deliveries = try file.deliveries(
            from: journal,
            to: exporters,
            deadLetters: deadLetters,
            shares: shares,
            meters: meters,
            logger: logger
        )
        let fronts = try file.fronts(of: journal, meters: meters, clock: clock)
        let deviations = DeviationLog(meters: meters, logger: logger)
        let (readiness, eventLoops) = (Readiness(), EventLoops())
        self.eventLoops = eventLoops
        let bounded = file.receivers(within: descriptors, eventLoops: eventLoops.count, logger: logger)
        receivers = bounded.map { receiver in
            let gateway = Gateway(
                fronts: fronts.filter { $0.receiver == receiver.name }.map(\.front),
                journal: journal,
                clock: clock,
                deviations: deviations,
                shares: shares,
                condition: readiness.journal,
                costs: file.requestCost,
                line: line,
                hold: receiver.settings.hold
            )
            return file.build(
                receiver,
                on: sockets[receiver.name],
                before: gateway,
                memory: memory,
                eventLoops: eventLoops,
                meters: meters,
                logger: logger
            )
        }
        let observatory = Observatory(
            journal: journal,
            fronts: fronts.map(\.front),
            deadLetters: DeadLetterOffice(deadLetters),
            meters: meters,
            readiness: readiness,
            clock: clock
        )
        observatory.registerReadings()
        self.readiness = readiness
        // With a journal in memory nothing else creates its directory.
        try? SystemFileSystem().createDirectories(file.journal.directory)
        let token = AdminToken.create(in: file.journal.directory, logger: logger)
        admin = AdminEndpoint(
            listen: file.admin.listen,
            sockets: sockets[GivenSockets.adminName],
            source: observatory,
            token: token,
            logger: logger
        )
        drainTimeout = file.drainTimeout
        keepsUndelivered = file.journal.storage == .disk
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
        shares.closeLines()
        for receiver in receivers { await receiver.prepareToStop(refusing: !keepsUndelivered) }
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
            log.readers.map { ("\(log.name)/\($0.name)", journal.account(of: $0, in: log.name).queued) }
        }
    }
}

extension Meters {
    fileprivate func heldRequests(for reason: String) -> Counter {
        counter("millrace_receiver_held_requests_total", ["reason": reason])
    }
}

extension ReceiverSettings {
    /// How long a request may wait for room.
    fileprivate var hold: Duration {
        switch self {
        case .otlpHTTP(let settings): settings.hold
        }
    }
}

extension PipelineFile {
    fileprivate func build(
        _ receiver: Configured<ReceiverSettings>,
        on sockets: [GivenSocket],
        before gateway: Gateway,
        memory: MemoryBudget,
        eventLoops: EventLoops,
        meters: Meters,
        logger: Logger
    ) -> any Receiver {
        switch receiver.settings {
        case .otlpHTTP(let settings):
            OTLPHTTPReceiver(
                name: receiver.name,
                settings: settings,
                sockets: sockets,
                processorHeaders: processorHeaders(after: receiver.name),
                intake: gateway,
                memory: memory,
                eventLoops: eventLoops,
                meters: meters,
                logger: logger
            )
        }
    }
}

extension OTLPHTTPReceiver: Receiver {}
