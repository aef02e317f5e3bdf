package import Basics
package import Console
package import Journal
package import Logging
import OTLP
package import Pipeline
import Receivers

/// Every part of the process, built from a pipeline file and connected, not yet running.
package struct Assembly: Sendable {
    package let journal: Journal
    package let deliveries: [Delivery]
    package let receivers: [any Receiver]
    package let admin: AdminEndpoint
    package let readiness: Readiness
    package let drainTimeout: Duration
    private let exporters: Exporters
    private let eventLoops: EventLoops

    /// Opens the journal and builds the rest around it: exporters behind the logs, pipelines and receivers before them.
    ///
    /// - Throws: `JournalError` where the directory cannot be used, `AssemblyError` where the file does not fit it.
    package init(_ file: PipelineFile, logger: Logger) throws {
        let meters = Meters()
        let clock = WallClock.system
        let syncs = meters.histogram("millrace_journal_sync_seconds")
        journal = try Journal.open(
            file.journal,
            logs: file.logs,
            clock: clock,
            logger: logger,
            onSync: { syncs.observe($0) }
        )
        try file.check(journal.vanishedReaders)
        exporters = try Exporters(file)
        deliveries = file.deliveries(reading: journal, through: exporters, meters: meters, logger: logger)
        eventLoops = EventLoops()
        let fronts = try file.fronts(meters: meters)
        receivers = file.receivers.map { receiver in
            let gateway = Gateway(
                fronts: fronts.filter { $0.receiver == receiver.name }.map(\.front),
                journal: journal,
                clock: clock,
                deviations: DeviationLog(meters: meters, logger: logger)
            )

        }
        readiness = Readiness()
        drainTimeout = file.drainTimeout
        let observatory = Observatory(
            journal: journal,
            fronts: fronts.map(\.front),
            meters: meters,
            readiness: readiness,
            clock: clock
        )
        observatory.registerReadings()
        admin = AdminEndpoint(listen: file.admin.listen, source: observatory, logger: logger)
    }
}
