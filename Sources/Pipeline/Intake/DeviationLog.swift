package import Basics
package import Logging
import OTLP
import Synchronization

/// Counts what clients write against the OTLP specification and is read all the same, and names each client once.
///
/// Any thread. Of 1,000 kinds and clients each is remembered for an hour after it last deviated; while there are more, the
/// others are counted and not named.
package final class DeviationLog: Sendable {
    /// Clients remembered, at most, each once for every kind of deviation.
    private static let clientsMax = 1000
    /// How long a client that no longer deviates is remembered while others want its place.
    private static let idleTime = Duration.seconds(3600)
    /// Characters of a client's name that tell it from others.
    private static let nameCharactersMax = 120

    private let meters: Meters
    private let logger: Logger
    private let clock: WallClock
    private let named = Mutex(
        IdleTable<String, Bool>(countMax: DeviationLog.clientsMax, idleTime: DeviationLog.idleTime)
    )
    private let forgotten: Counter
    private let unnamed: Counter

    /// - Parameters:
    ///   - meters: Counts the deviations, and clients that are not remembered.
    ///   - logger: Names the clients.
    ///   - clock: Tells who is idle.
    package init(meters: Meters, logger: Logger, clock: WallClock = .system) {
        self.meters = meters
        self.logger = logger
        self.clock = clock
        forgotten = meters.counter("millrace_receiver_forgotten_clients_total")
        unnamed = meters.counter("millrace_receiver_unnamed_clients_total")
    }

    /// Counts the deviations of one request.
    func note(_ counts: DeviationCounts, of signal: Signal, from source: RequestSource) {
        let client = String((source.client ?? "unknown").unicodeScalars.prefix(Self.nameCharactersMax))
        for (kind, count) in counts.byName {
            let labels = [
                "receiver": source.receiver, "signal": signal.name, "kind": kind, "client": client.excerpt(),
            ]
            meters.counter("millrace_receiver_deviations_total", labels).add(count)
            guard isNew("\(kind) \(client)") else { continue }
            logger.info(
                "a client deviates from OTLP and is understood",
                metadata: ["kind": "\(kind)", "client": "\(client.excerpt())"]
            )
        }
    }

    /// Counts one request that was refused, or in part, by its client.
    func note(
        _ answer: IntakeAnswer,
        items: Int,
        _ reason: IntakeTally.RefusalReason,
        of signal: Signal,
        from source: RequestSource
    ) {
        meters.refusals.add(answer, items: items, reason, of: signal, from: source, at: clock.now())
    }

    /// Whether that was not seen before, and is remembered from now on.
    private func isNew(_ name: String) -> Bool {
        let now = clock.now()
        return named.withLock { named in
            guard named.use(name, at: now) == nil else { return false }
            forgotten.add(named.makeRoom(at: now).count)
            guard !named.isFull else {
                unnamed.add()
                return false
            }
            named.insert(true, for: name, at: now)
            return true
        }
    }
}
