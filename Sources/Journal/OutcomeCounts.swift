/// Items by what became of them.
package struct OutcomeCounts: Sendable, Equatable {
    package var delivered: UInt64 = 0
    package var filtered: UInt64 = 0
    package var sampledOut: UInt64 = 0
    /// Turned away by a destination's partial success.
    package var rejected: UInt64 = 0
    package var deadLettered: UInt64 = 0
    /// Given up by age, budget or order.
    package var expired: UInt64 = 0
    /// Destroyed by disk damage.
    package var lost: UInt64 = 0

    package init(
        delivered: UInt64 = 0,
        filtered: UInt64 = 0,
        sampledOut: UInt64 = 0,
        rejected: UInt64 = 0,
        deadLettered: UInt64 = 0,
        expired: UInt64 = 0,
        lost: UInt64 = 0
    ) {
        self.delivered = delivered
        self.filtered = filtered
        self.sampledOut = sampledOut
        self.rejected = rejected
        self.deadLettered = deadLettered
        self.expired = expired
        self.lost = lost
    }

    static let fields: [any WritableKeyPath<OutcomeCounts, UInt64> & Sendable] = [
        \.delivered, \.filtered, \.sampledOut, \.rejected, \.deadLettered, \.expired, \.lost,
    ]

    /// All of them.
    package var sum: UInt64 {
        delivered &+ filtered &+ sampledOut &+ rejected &+ deadLettered &+ expired &+ lost
    }

    package static func + (lhs: OutcomeCounts, rhs: OutcomeCounts) -> OutcomeCounts {
        OutcomeCounts(
            delivered: lhs.delivered &+ rhs.delivered,
            filtered: lhs.filtered &+ rhs.filtered,
            sampledOut: lhs.sampledOut &+ rhs.sampledOut,
            rejected: lhs.rejected &+ rhs.rejected,
            deadLettered: lhs.deadLettered &+ rhs.deadLettered,
            expired: lhs.expired &+ rhs.expired,
            lost: lhs.lost &+ rhs.lost
        )
    }

    /// The same outcomes cut down to `count` items, or filled up to it with `lost`, so that an account always balances.
    func fitted(to count: UInt64) -> OutcomeCounts {
        var fitted = OutcomeCounts()
        var left = count
        for field in Self.fields {
            fitted[keyPath: field] = min(self[keyPath: field], left)
            left -= fitted[keyPath: field]
        }
        fitted.lost &+= left
        return fitted
    }
}
