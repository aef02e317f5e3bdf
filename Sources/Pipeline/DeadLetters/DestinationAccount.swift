package import Basics
package import Journal

/// What became of the spans of one destination, its dead letters included.
///
/// `accepted == outcomes.sum + queued`, at every moment, because `outcomes[.deadLettered]` is what remains of the spans that
/// ever became dead letters after those that were replayed, purged, expired or lost since.
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
    ///   - boxed: That of its box, read before `main`; nil for a destination without one.
    package init(_ main: ReaderAccount, boxed: ReaderAccount?) {
        since = main.since
        accepted = main.accepted
        guard let boxed else {
            outcomes = main.outcomes
            queued = main.queued
            oldestQueued = main.oldestQueued
            return
        }
        let replayed = boxed.queued - min(boxed.queued, boxed.held)
        var outcomes = main.outcomes
        // What became a dead letter in the box was replayed before, or moved within it.
        var gone = boxed.outcomes
        gone[.deadLettered] = 0
        let deadLettered = outcomes[.deadLettered]
        outcomes = outcomes + gone
        outcomes[.deadLettered] = deadLettered - min(deadLettered, gone.sum + replayed)
        self.outcomes = outcomes
        queued = main.queued + replayed
        oldestQueued = [main.oldestQueued, replayed > 0 ? boxed.oldestQueued : nil].compactMap { $0 }.min()
    }

    /// How long ago the oldest item that still waits was received, in seconds; 0 when none waits.
    package func oldestQueuedAge(now: UnixTime) -> Double {
        oldestQueued.map { max(0, now.since($0).inSeconds) } ?? 0
    }
}
