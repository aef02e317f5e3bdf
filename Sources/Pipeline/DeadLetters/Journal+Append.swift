import Journal
import Synchronization

extension Journal {
    /// Appends one group and suspends until it is settled.
    func append(_ group: RecordGroup) async -> CommitResult {
        await withCheckedContinuation { continuation in
            append(group, ticket: 0, observer: SingleCommit(continuation))
        }
    }
}

/// Waits for one group.
private final class SingleCommit: CommitObserver {
    private let continuation: Mutex<CheckedContinuation<CommitResult, Never>?>

    init(_ continuation: CheckedContinuation<CommitResult, Never>) {
        self.continuation = Mutex(continuation)
    }

    func settled(_ commits: [(ticket: UInt64, result: CommitResult)]) {
        let waiting = continuation.withLock { $0.take() }
        if let commit = commits.first { waiting?.resume(returning: commit.result) }
    }
}
