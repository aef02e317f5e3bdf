package import Basics
package import Journal
package import Logging
import Synchronization

/// Whether the journal takes records, as far as the last requests showed; for `/readyz` and the log.
///
/// A refusal stands until a later request gets in, and for ten seconds at most: whoever is sent no requests because he
/// is not ready would never find out that he is again.
package final class JournalCondition: Sendable {
    /// How long a refusal is news.
    package static let memory = Duration.seconds(10)

    private struct Trouble {
        let reason: String
        let until: Duration
    }

    /// A reason that goes on is logged as often.
    private static let logInterval = Duration.seconds(60)

    private let clock: MonotonicClock
    private let logger: Logger?
    private let trouble = Mutex<Trouble?>(nil)
    /// What was logged last, and when it may be logged again.
    private let logged = Mutex<Trouble?>(nil)

    /// - Parameters:
    ///   - clock: For the age of what is known.
    ///   - logger: Told of refusals, of each reason once a minute.
    package init(clock: MonotonicClock = .system, logger: Logger? = nil) {
        self.clock = clock
        self.logger = logger
    }

    /// Why the journal takes nothing; nil while it does.
    package var reason: String? {
        trouble.withLock { trouble in trouble.flatMap { $0.until > clock.now() ? $0.reason : nil } }
    }

    /// Takes in what became of groups that were committed together.
    ///
    /// A group that is too large says nothing about others.
    package func note(_ results: some Sequence<CommitResult>) {
        var latest: Trouble?
        for result in results {
            switch result {
            case .durable: return trouble.withLock { $0 = nil }
            case .tooLarge: continue
            case .full, .failed: latest = Trouble(reason: result.trouble, until: clock.now() + Self.memory)
            }
        }
        guard let latest else { return }
        trouble.withLock { $0 = latest }
        log(latest.reason)
    }

    private func log(_ reason: String) {
        guard let logger else { return }
        let now = clock.now()
        let isNews = logged.withLock { logged in
            if let logged, logged.reason == reason, logged.until > now { return false }
            logged = Trouble(reason: reason, until: now + Self.logInterval)
            return true
        }
        if isNews { logger.warning("requests are refused", metadata: ["reason": "\(reason)"]) }
    }
}

extension CommitResult {
    /// Why the group is not in the journal, for clients and operators; empty where it is.
    var trouble: String {
        switch self {
        case .durable: ""
        case .full: "the journal is full"
        case .tooLarge(let reason): "the request is too large for the journal: \(reason)"
        case .failed(let reason): "the journal cannot be written: \(reason)"
        }
    }
}
