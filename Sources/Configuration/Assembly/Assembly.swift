import Basics
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
    private let readiness = Readiness()
    package let drainTimeout: Duration
    /// Whether what is undelivered at the end waits in the journal.
    package let keepsUndelivered: Bool

    /// Opens the journal and builds the rest around it: exporters behind the logs, pipelines and receivers before them.
    ///
    /// - Throws: `JournalError` where the directory cannot be used, `AssemblyError` where the file does not fit what it
    ///   holds.
    package init(_ file: PipelineFile, logger: Logger) throws {
        let meters = Meters()
        let clock = WallClock.system
        journal = try file.openJournal(meters: meters, clock: clock, logger: logger)
        exporters = ExporterSet(file, logger: logger)
        deliveries = try file.deliveries(from: journal, to: exporters, meters: meters, logger: logger)
        let fronts = try file.fronts(of: journal, meters: meters, clock: clock)
        let deviations = DeviationLog(meters: meters, logger: logger)
        let memory = MemoryBudget(limit: file.receiversMemory)
        eventLoops = EventLoops()
        var receivers: [any Receiver] = []
        for receiver in file.receivers {
            let gateway = Gateway(
                fronts: fronts.filter { $0.receiver == receiver.name }.map(\.front),
                journal: journal,
                clock: clock,
                deviations: deviations
            )
            switch receiver.settings {
            case .otlpHTTP(let settings):
                receivers.append(
                    OTLPHTTPReceiver(
                        name: receiver.name,
                        settings: settings,
                        processorHeaders: file.processorHeaders(after: receiver.name),
                        intake: gateway,
                        memory: memory,
                        eventLoops: eventLoops,
                        meters: meters,
                        logger: logger
                    )
                )
            }
        }
        self.receivers = receivers
        let observatory = Observatory(
            journal: journal,
            fronts: fronts.map(\.front),
            meters: meters,
            readiness: readiness,
            clock: clock
        )
        observatory.registerReadings()
        admin = AdminEndpoint(listen: file.admin.listen, source: observatory, logger: logger)
        drainTimeout = file.drainTimeout
        keepsUndelivered = file.journal.storage == .disk
    }

    /// Opens every receiver; the error says which address and why.
    package func startReceiving() async throws {
        for receiver in receivers { try await receiver.start() }
        readiness.receiversAreUp()
    }

    /// Accepts nothing new, answers what was received, and ends the receivers' threads.
    package func stopReceiving() async {
        readiness.receiversStop()
        for receiver in receivers { await receiver.stop(within: drainTimeout) }
        await eventLoops.shutdown()
    }

    /// What every destination has not got yet, by pipeline and exporter.
    package var queuedByDestination: [(name: String, queued: UInt64)] {
        journal.logs.flatMap { log in log.readers.map { ("\(log.name)/\($0.name)", $0.account.queued) } }
    }
}

extension OTLPHTTPReceiver: Receiver {
    package func stop(within limit: Duration) async {
        await stopAccepting()
        await finish(within: limit)
        await close()
    }
}
