import Logging
import Pipeline
import Synchronization

/// Whether the process takes requests, for `/readyz`.
final class Readiness: Sendable {
    private enum Phase: String {
        case starting, running, stopping
    }

    /// Told by the gateways what becomes of requests.
    let journal: JournalCondition
    private let phase = Mutex(Phase.starting)
    private let stoppingSince = Mutex<ContinuousClock.Instant?>(nil)

    init(logger: Logger) {
        journal = JournalCondition(logger: logger)
    }

    /// Every receiver listens.
    func receiversAreUp() {
        phase.withLock { $0 = .running }
    }

    /// The process has been told to stop.
    func stops() {
        phase.withLock { $0 = .stopping }
        stoppingSince.withLock { since in
            if since == nil { since = .now }
        }
    }

    /// Since the process was told to stop; zero before.
    var stoppingTime: Duration { stoppingSince.withLock { $0.map { .now - $0 } } ?? .zero }

    /// Why requests should go elsewhere; empty while all is well.
    var reasons: [String] {
        let phase = phase.withLock { $0 }
        let waiting = phase == .running ? nil : phase.rawValue
        return [waiting, journal.reason].compactMap { $0 }
    }
}
