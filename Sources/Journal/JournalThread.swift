import Basics
import Synchronization

/// The journal's thread and the queue in front of it.
///
/// All groups that wait when the thread comes round are written and synced together.
final class JournalThread: Sendable {
    private struct State {
        var submissions: [Submission] = []
        var bytes = 0
        var isClosing = false
        /// Nothing is taken any more.
        var isClosed = false
        var hasEnded = false
        var closers: [CheckedContinuation<Void, Never>] = []
        /// What is to be done between two rounds.
        var tasks: [Work] = []
    }

    /// What the thread does besides groups.
    typealias Work = @Sendable (Committer) -> Void

    private static let tick = Duration.seconds(1)
    /// When a client may come back after the queue was full: the next round takes all of it.
    private static let retryAfter = Duration.seconds(1)

    private let state = Mutex(State())
    let signal: ThreadSignal
    private let bytesMax: Int

    init(signal: ThreadSignal, bytesMax: Int) {
        self.signal = signal
        self.bytesMax = bytesMax
    }

    /// Starts the thread; `makeCommitter` runs on it.
    func start(interval: Duration?, _ makeCommitter: @escaping @Sendable () -> Committer) {
        let pause = max(min(interval ?? Self.tick, Self.tick), .milliseconds(1))
        spawnThread(named: "journal") { self.loop(makeCommitter(), pause: pause) }
    }

    /// Queues a group, or what it is refused with; false once the thread has ended.
    func submit(_ submission: Submission) -> Bool {
        var submission = submission
        let bytes = submission.group.byteCount
        let (taken, wasEmpty) = state.withLock { state -> (Bool, Bool) in
            guard !state.isClosed else { return (false, false) }
            let wasEmpty = state.submissions.isEmpty
            if !wasEmpty && state.bytes + bytes > bytesMax {
                submission = submission.refused(with: .full(retryAfter: Self.retryAfter))
            } else {
                state.bytes += bytes
            }
            state.submissions.append(submission)
            return (true, wasEmpty)
        }
        if wasEmpty { signal.signal() }
        return taken
    }

    /// Does `work` on the thread between two rounds; false, and it is not done, once the thread has ended.
    func perform(_ work: @escaping Work) -> Bool {
        let isTaken = state.withLock { state in
            if !state.isClosed { state.tasks.append(work) }
            return !state.isClosed
        }
        if isTaken { signal.signal() }
        return isTaken
    }

    /// Ends the thread after everything that was queued before.
    func close() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                state.isClosing = true
                if !state.hasEnded { state.closers.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() } else { signal.signal() }
        }
    }

    private func loop(_ committer: Committer, pause: Duration) {
        committer.start()
        var nextTick = ContinuousClock.now + pause
        while true {
            waitForWork(until: nextTick)
            let (submissions, tasks, isClosing) = state.withLock { state in
                defer {
                    state.submissions = []
                    state.tasks = []
                    state.bytes = 0
                }
                return (state.submissions, state.tasks, state.isClosing)
            }
            if !submissions.isEmpty { committer.commit(submissions) }
            // Some came while the queue was full, which is empty now.
            if submissions.contains(where: { $0.refusal != nil }) { committer.onRoom() }
            for task in tasks { task(committer) }
            committer.collect()
            if ContinuousClock.now >= nextTick {
                committer.tick()
                nextTick = .now + pause
            }
            if isClosing && end(committer) { return }
        }
    }

    /// Returns at once where the deadline has passed.
    private func waitForWork(until deadline: ContinuousClock.Instant) {
        _ = signal.wait(for: deadline - .now)
    }

    /// Ends everything, unless more was queued meanwhile.
    private func end(_ committer: Committer) -> Bool {
        let isEmpty = state.withLock { state in
            let isEmpty = state.submissions.isEmpty && state.tasks.isEmpty
            if isEmpty { state.isClosed = true }
            return isEmpty
        }
        guard isEmpty else { return false }
        committer.close()
        let closers = state.withLock { state in
            state.hasEnded = true
            return state.closers
        }
        for closer in closers { closer.resume() }
        return true
    }
}

extension Submission {
    /// The same without the group's records, which go nowhere.
    fileprivate func refused(with refusal: CommitResult) -> Submission {
        Submission(
            group: RecordGroup(entries: []),
            ticket: ticket,
            observer: observer,
            receivedAt: receivedAt,
            refusal: refusal
        )
    }
}
