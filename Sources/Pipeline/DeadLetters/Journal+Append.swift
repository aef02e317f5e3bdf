import Journal
import Synchronization

extension Journal {
    /// Appends one group and suspends until it is settled.
    ///
    /// Where it is durable, `whenDurable` runs before anything else happens on the journal's thread; it must not block.
    func append(_ group: RecordGroup, whenDurable: @escaping @Sendable () -> Void = {}) async -> CommitResult {
        await withCheckedContinuation { continuation in
            append(group, ticket: 0, observer: SingleCommit(continuation, whenDurable: whenDurable))
        }
    }
}

/// Waits for one group.
private final class SingleCommit: CommitObserver {
    private let continuation: Mutex<CheckedContinuation<CommitResult, Never>?>
    private let whenDurable: @Sendable () -> Void

    init(_ continuation: CheckedContinuation<CommitResult, Never>, whenDurable: @escaping @Sendable () -> Void) {
        self.continuation = Mutex(continuation)
        self.whenDurable = whenDurable
    }

    func settled(_ commits: [(ticket: UInt64, result: CommitResult)]) {
        guard let commit = commits.first else { return }
        if commit.result == .durable { whenDurable() }
        continuation.withLock { $0.take() }?.resume(returning: commit.result)
    }
}
