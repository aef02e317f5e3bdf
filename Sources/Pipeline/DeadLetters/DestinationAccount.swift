package import Basics
package import Journal

/// What became of the items of one destination along its way: before a window, behind it, among its dead letters, parked.
///
/// `accepted + created == outcomes.sum + joined + queued`, at every moment, because `outcomes[.deadLettered]` is what remains of
/// the items that ever left the pipeline's log for the exporter's own after those that wait there or have come to another end.
package struct DestinationAccount: Sendable, Equatable {
    package private(set) var since: UnixTime
    package private(set) var accepted: UInt64
    /// `.deadLettered` is what lies in the box now.
    package private(set) var outcomes: OutcomeCounts
    package private(set) var queued: UInt64
    /// When the oldest queued item was received; nil when nothing is queued.
    package private(set) var oldestQueued: UnixTime?
    /// Items that nobody sent and that came to an end.
    package private(set) var created: UInt64
    /// Log records that became content of spans.
    package private(set) var joined: UInt64 = 0

    /// - Parameters:
    ///   - main: The account of the exporter's cursor on the pipeline's log.
    ///   - past: That of its cursor on the log that it read before a window came or went; nil where there is none.
    ///   - aside: Those of its other logs, dead letters and parked, read before `main`: what moved to them is dead-lettered in
    ///     `main` or `past`, and what moves between them or within one is so there.
    ///   - windows: Those of the windows before that log, read in one moment with `main`: what they moved is accepted there.
    package init(
        _ main: ReaderAccount,
        past: ReaderAccount? = nil,
        aside: [ReaderAccount],
        behind windows: [ReaderAccount] = []
    ) {
        since = min(main.since, past?.since ?? main.since)
        accepted = main.accepted + (past?.accepted ?? 0)
        created = main.created + (past?.created ?? 0)
        var outcomes = main.outcomes + (past?.outcomes ?? [:])
        var (queued, gone): (UInt64, UInt64) = (main.queued + (past?.queued ?? 0), 0)
        var oldest = [main.oldestQueued, past?.oldestQueued].compactMap { $0 }.min()
        for account in aside {
            let waiting = account.queued - min(account.queued, account.held)
            var ended = account.outcomes
            ended[.deadLettered] = 0
            outcomes = outcomes + ended
            gone += ended.sum + waiting
            queued += waiting
            if waiting > 0 { oldest = [oldest, account.oldestQueued].compactMap { $0 }.min() }
        }
        let netted = min(outcomes[.deadLettered], gone)
        outcomes[.deadLettered] -= netted
        self.outcomes = outcomes
        // What is durable in another log and not settled yet in the pipeline's is queued in both.
        self.queued = queued - min(queued, gone - netted)
        oldestQueued = oldest
        for window in windows { add(window) }
    }

    /// The account of a window as the end of log records.
    package init(joining window: ReaderAccount) {
        self.init(window, aside: [])
        (joined, outcomes[.delivered]) = (outcomes[.delivered], 0)
    }

    /// Adds what a window has not moved: what waits before it, and what did not get behind it.
    private mutating func add(_ window: ReaderAccount) {
        var ended = window.outcomes
        ended[.delivered] = 0
        outcomes = outcomes + ended
        queued += window.queued
        accepted += window.queued + ended.sum
        oldestQueued = [oldestQueued, window.oldestQueued].compactMap { $0 }.min()
    }

    /// Adds an account that the same destination has in another log of the pipeline.
    mutating func add(_ other: DestinationAccount) {
        since = min(since, other.since)
        accepted += other.accepted
        outcomes = outcomes + other.outcomes
        queued += other.queued
        oldestQueued = [oldestQueued, other.oldestQueued].compactMap { $0 }.min()
        created += other.created
        joined += other.joined
    }

    /// How long ago the oldest item that still waits was received, in seconds; 0 when none waits.
    package func oldestQueuedAge(now: UnixTime) -> Double {
        oldestQueued.map { max(0, now.since($0).inSeconds) } ?? 0
    }
}
