import Synchronization

/// Whether the process takes requests, for `/readyz`.
final class Readiness: Sendable {
    private enum Phase: String {
        case starting, running, stopping
    }

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
        return phase == .running ? [] : [phase.rawValue]
    }
}
