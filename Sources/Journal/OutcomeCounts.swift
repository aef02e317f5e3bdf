package import Basics

/// Items by what became of them.
package struct OutcomeCounts: Sendable, ExpressibleByDictionaryLiteral {
    /// By the code of the outcome; in place, because every record that is settled has one.
    private var counts = [8 of UInt64](repeating: 0)

    package init() {}

    /// Outcomes that are not named count zero.
    package init(dictionaryLiteral elements: (Outcome, UInt64)...) {
        for (outcome, count) in elements { self[outcome] = count }
    }

    package subscript(outcome: Outcome) -> UInt64 {
        get { counts[Int(outcome.rawValue)] }
        set { counts[Int(outcome.rawValue)] = newValue }
    }

    /// All of them.
    package var sum: UInt64 { counts.indices.reduce(0) { $0 &+ counts[$1] } }

    package static func + (lhs: OutcomeCounts, rhs: OutcomeCounts) -> OutcomeCounts {
        var sum = lhs
        for index in sum.counts.indices { sum.counts[index] &+= rhs.counts[index] }
        return sum
    }

    /// The same outcomes cut down to `count` items, or filled up to it with `lost`, so that an account always balances.
    func fitted(to count: UInt64) -> OutcomeCounts {
        if sum == count { return self }
        var fitted = OutcomeCounts()
        var left = count
        for outcome in Outcome.allCases {
            fitted[outcome] = min(self[outcome], left)
            left -= fitted[outcome]
        }
        fitted[.lost] &+= left
        return fitted
    }
}

extension OutcomeCounts: Hashable {
    package static func == (lhs: OutcomeCounts, rhs: OutcomeCounts) -> Bool {
        lhs.counts.indices.allSatisfy { lhs.counts[$0] == rhs.counts[$0] }
    }

    package func hash(into hasher: inout Hasher) {
        for index in counts.indices { hasher.combine(counts[index]) }
    }
}

extension OutcomeCounts: CustomStringConvertible {
    /// Those that are not zero, such as `delivered 3, lost 1`.
    package var description: String {
        Outcome.allCases.filter { self[$0] > 0 }.map { "\($0.word) \(self[$0])" }.joined(separator: ", ")
    }
}
