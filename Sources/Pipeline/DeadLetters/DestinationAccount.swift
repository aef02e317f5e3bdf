package import Basics
package import Journal

/// What became of the spans of one destination, its dead letters and parked records included.
///
/// `accepted == outcomes.sum + queued`, at every moment, because `outcomes[.deadLettered]` is what remains of the spans that
/// ever left the pipeline's log for the exporter's own after those that wait there or have come to another end.
package struct DestinationAccount: Sendable, Equatable {
    package let since: UnixTime
    package let accepted: UInt64
    /// `.deadLettered` is what lies in the box now.
    package let outcomes: OutcomeCounts
    package let queued: UInt64
    /// When the oldest queued item was received; nil when nothing is queued.
    package let oldestQueued: UnixTime?

    /// - Parameters:
    ///   - main: The account of the exporter's cursor on the pipeline's log.
    ///   - aside: Those of its other logs, dead letters and parked, read before `main`: what moved to them is dead-lettered in
    ///     `main`, and what moves between them or within one is so there.
    package init(_ main: ReaderAccount, aside: [ReaderAccount]) {
        since = main.since
        accepted = main.accepted
        var outcomes = main.outcomes
        var (queued, gone): (UInt64, UInt64) = (main.queued, 0)
        var oldest = main.oldestQueued
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
    }

    /// How long ago the oldest item that still waits was received, in seconds; 0 when none waits.
    package func oldestQueuedAge(now: UnixTime) -> Double {
        oldestQueued.map { max(0, now.since($0).inSeconds) } ?? 0
    }
}
