import Basics

/// What a destination has shown of the sizes that it takes, within the configured limits.
///
/// Bytes: below the smallest request that was too large, found by halving. Items: halved by each time-out, and a
/// sixteenth of the configured limit more after each success.
package struct LearnedSize: Sendable {
    private var configured: BatchLimits
    private var items: Int
    private var largestTaken = 0
    private var smallestTooLarge: Int?

    package init(_ configured: BatchLimits) {
        self.configured = configured
        items = configured.items
    }

    /// How large the next request may be.
    package var limits: BatchLimits {
        var limits = configured
        limits.items = items
        if let smallestTooLarge {
            let bytes = max(1, smallestTooLarge / 2, largestTaken)
            limits.bytes = min(configured.bytes, ByteCount(bytes: bytes))
        }
        return limits
    }

    /// Other limits from now on; what was learned stays.
    package mutating func change(_ limits: BatchLimits) {
        items = items == configured.items ? limits.items : min(items, limits.items)
        configured = limits
    }

    /// A request was delivered.
    package mutating func taken(bytes: Int) {
        largestTaken = max(largestTaken, bytes)
        // The destination takes more than it did: what was too large once need not be any more.
        if let known = smallestTooLarge, bytes >= known { smallestTooLarge = nil }
        items = min(configured.items, items + max(1, configured.items / 16))
    }

    /// A request was over the destination's limit.
    package mutating func tooLarge(bytes: Int) {
        smallestTooLarge = min(smallestTooLarge ?? .max, bytes)
        if largestTaken >= bytes { largestTaken = 0 }
    }

    /// A request was not answered in time.
    package mutating func timedOut(items: Int) {
        self.items = max(1, min(self.items, items) / 2)
    }
}
