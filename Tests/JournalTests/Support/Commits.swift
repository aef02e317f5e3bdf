import Basics
import Journal
import Synchronization

/// Collects results and lets a test wait for the one of a ticket.
final class Commits: CommitObserver {
    private struct State {
        var results: [UInt64: CommitResult] = [:]
        var rounds: [[UInt64]] = []
        var waiters: [UInt64: CheckedContinuation<CommitResult, Never>] = [:]
    }

    private let state = Mutex(State())

    /// The tickets of each call of `settled`, in order.
    var rounds: [[UInt64]] { state.withLock { $0.rounds } }
    var results: [UInt64: CommitResult] { state.withLock { $0.results } }

    func settled(_ commits: [(ticket: UInt64, result: CommitResult)]) {
        let woken = state.withLock { state in
            state.rounds.append(commits.map(\.ticket))
            return commits.compactMap { commit in
                state.results[commit.ticket] = commit.result
                return state.waiters.removeValue(forKey: commit.ticket).map { ($0, commit.result) }
            }
        }
        for (waiter, result) in woken { waiter.resume(returning: result) }
    }

    func result(of ticket: UInt64) async -> CommitResult {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state in
                if state.results[ticket] == nil { state.waiters[ticket] = continuation }
                return state.results[ticket]
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}

extension Journal {
    /// Appends one group and waits for its result.
    func append(_ entries: [NewRecord]) async -> CommitResult {
        let commits = Commits()
        append(RecordGroup(entries: entries), ticket: 1, observer: commits)
        return await commits.result(of: 1)
    }

    /// Appends groups of one record of one item each to the first log.
    func append(texts: String...) async -> [CommitResult] {
        var results: [CommitResult] = []
        for text in texts { results.append(await append([NewRecord(text)])) }
        return results
    }
}

extension NewRecord {
    init(_ text: String, items: UInt32 = 1, log: LogID = .traces, kind: RecordKind = .items) {
        self.init(log: log, kind: kind, items: items, metadata: Array("meta".utf8), payload: Array(text.utf8))
    }
}

extension StoredRecord {
    var text: String { String(decoding: payload, as: UTF8.self) }

    /// The record settled as delivered.
    var delivered: SettledRecord {
        SettledRecord(id: id, items: items, outcomes: [.delivered: UInt64(items)])
    }
}

extension ReaderAccount {
    var isBalanced: Bool { accepted == outcomes.sum + queued }
}
