package import Logging
import OTLP
import Synchronization

/// Counts what clients write against the OTLP specification and is read all the same, and names each client once.
package final class DeviationLog: Sendable {
    /// Clients remembered, at most; the others are counted and not named.
    private static let clientsMax = 1000

    private let meters: Meters
    private let logger: Logger
    private let named = Mutex<Set<String>>([])

    package init(meters: Meters, logger: Logger) {
        self.meters = meters
        self.logger = logger
    }

    /// Counts the deviations of one request.
    func note(_ counts: DeviationCounts, from source: RequestSource) {
        let client = source.client ?? "unknown"
        for (kind, count) in counts.byName {
            let labels = ["receiver": source.receiver, "signal": "traces", "kind": kind]
            meters.counter("millrace_receiver_deviations_total", labels).add(count)
            let isNew = named.withLock { $0.count < Self.clientsMax && $0.insert("\(kind) \(client)").inserted }
            guard isNew else { continue }
            logger.info(
                "a client deviates from OTLP and is understood",
                metadata: ["kind": "\(kind)", "client": "\(client)"]
            )
        }
    }
}
