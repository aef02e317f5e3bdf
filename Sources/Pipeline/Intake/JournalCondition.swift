package import Basics
package import Journal
import Synchronization

/// Whether the journal takes records, as far as the last requests showed; for `/readyz`.
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

    private let clock: MonotonicClock
    private let trouble = Mutex<Trouble?>(nil)

    /// - Parameter clock: For the age of what is known.
    package init(clock: MonotonicClock = .system) {
        self.clock = clock
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
        if let latest { trouble.withLock { $0 = latest } }
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
