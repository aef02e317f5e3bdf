import Pipeline
import Synchronization

/// Whether the process takes requests, for `/readyz`.
final class Readiness: Sendable {
    private enum Phase: String {
        case starting, running, stopping
    }

    /// Told by the gateways what becomes of requests.
    let journal = JournalCondition()
    private let phase = Mutex(Phase.starting)

    /// Every receiver listens.
    func receiversAreUp() {
        phase.withLock { $0 = .running }
    }

    /// Nothing new is taken.
    func receiversStop() {
        phase.withLock { $0 = .stopping }
    }

    /// Why requests should go elsewhere; empty while all is well.
    var reasons: [String] {
        let phase = phase.withLock { $0 }
        let waiting = phase == .running ? nil : phase.rawValue
        return [waiting, journal.reason].compactMap { $0 }
    }
}
