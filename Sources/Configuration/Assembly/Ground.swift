import Basics
import Journal
import Logging
import Pipeline
import Receivers
import Synchronization

/// What stays as long as the process lives, whatever pipeline files it takes.
final class Ground: Sendable {
    let store: Store
    let meters: Meters
    /// What is said of the process where others of its cluster ask.
    let report: ProcessReport
    /// Bounds what receivers hold.
    let memory: MemoryBudget
    /// Where requests wait while the journal is full.
    let line: WaitingLine
    let eventLoops: EventLoops
    let readiness: Readiness
    let deviations: DeviationLog
    let tallies: IntakeTallies
    /// What clients of all receivers wait for.
    let awaited = AwaitedRecords()
    /// Nil where nothing is recorded.
    let telemetry: Telemetry?
    /// The service manager's, which take the place of addresses in the file.
    let sockets: GivenSockets
    /// How many files the process may have open.
    let descriptors: Int
    let logger: Logger
    let lastReload = LastReload()
    private let identities = Mutex<[String: IdentityMeters]>([:])

    init(
        store: Store,
        meters: Meters,
        report: ProcessReport,
        memory: MemoryBudget,
        line: WaitingLine,
        readiness: Readiness,
        telemetry: Telemetry?,
        sockets: GivenSockets,
        descriptors: Int,
        logger: Logger
    ) {
        (self.store, self.meters, self.report) = (store, meters, report)
        (self.memory, self.line) = (memory, line)
        (self.readiness, self.telemetry, self.sockets) = (readiness, telemetry, sockets)
        (self.descriptors, self.logger) = (descriptors, logger)
        eventLoops = EventLoops()
        deviations = DeviationLog(meters: meters, logger: logger)
        tallies = IntakeTallies(meters)
    }
    /// Counts by identity at a receiver; who has series of its own keeps them, so that their number is bounded across files.
    func identities(at receiver: String) -> IdentityMeters {
        identities.withLock { known in
            if let meters = known[receiver] { return meters }
            let meters = IdentityMeters(meters, receiver: receiver)
            known[receiver] = meters
            return meters
        }
    }
}
