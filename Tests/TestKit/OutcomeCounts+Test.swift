import Basics
package import Journal

extension OutcomeCounts {
    /// For comparisons, whose literals have no type of their own.
    package init(
        delivered: UInt64 = 0,
        filtered: UInt64 = 0,
        sampledOut: UInt64 = 0,
        rejected: UInt64 = 0,
        deadLettered: UInt64 = 0,
        expired: UInt64 = 0,
        lost: UInt64 = 0
    ) {
        self = [
            .delivered: delivered, .filtered: filtered, .sampledOut: sampledOut, .rejected: rejected,
            .deadLettered: deadLettered, .expired: expired, .lost: lost,
        ]
    }
}
