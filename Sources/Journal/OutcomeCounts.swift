package import Basics

/// Items by what became of them, and those that were sampled out also by why.
package struct OutcomeCounts: Sendable, ExpressibleByDictionaryLiteral {
    /// By the code of the outcome; in place, because every record that is settled has one.
    private var counts = [8 of UInt64](repeating: 0)
    /// Those of `sampledOut` that a policy dropped, by its name; a cursor keeps at most `policiesMax` names.
    package private(set) var sampledOutBy: [String: UInt64] = [:]

    package init() {}

    /// Outcomes that are not named count zero.
    package init(dictionaryLiteral elements: (Outcome, UInt64)...) {
        for (outcome, count) in elements { self[outcome] = count }
    }

    package subscript(outcome: Outcome) -> UInt64 {
        get { counts[Int(outcome.rawValue)] }
        set { counts[Int(outcome.rawValue)] = newValue }
    }

    /// How many policies are told apart; what further ones drop is counted without a name.
    package static let policiesMax = 128
    /// Bytes of a policy's name, at most.
    package static let policyBytesMax = 64

    /// Counts items that a policy dropped.
    package mutating func addSampledOut(_ count: UInt64, by policy: String) {
        guard count > 0 else { return }
        self[.sampledOut] &+= count
        note(count, by: policy)
    }

    private mutating func note(_ count: UInt64, by policy: String) {
        let isKnown = sampledOutBy[policy] != nil
        guard isKnown || sampledOutBy.count < Self.policiesMax, policy.utf8.count <= Self.policyBytesMax else { return }
        sampledOutBy[policy, default: 0] &+= count
    }

    /// All of them.
    package var sum: UInt64 { counts.indices.reduce(0) { $0 &+ counts[$1] } }

    package static func + (lhs: OutcomeCounts, rhs: OutcomeCounts) -> OutcomeCounts {
        var sum = lhs
        for index in sum.counts.indices { sum.counts[index] &+= rhs.counts[index] }
        for (policy, count) in rhs.sampledOutBy { sum.note(count, by: policy) }
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
        var named = fitted[.sampledOut]
        for (policy, count) in sampledOutBy.sorted(by: { $0.key < $1.key }) where named > 0 {
            fitted.note(min(count, named), by: policy)
            named -= min(count, named)
        }
        return fitted
    }
}

extension OutcomeCounts: Hashable {
    package static func == (lhs: OutcomeCounts, rhs: OutcomeCounts) -> Bool {
        lhs.counts.indices.allSatisfy { lhs.counts[$0] == rhs.counts[$0] } && lhs.sampledOutBy == rhs.sampledOutBy
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

extension OutcomeCounts {
    /// Appends the names of policies with their counts, in the order of the names.
    func appendPolicies(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: UInt32(sampledOutBy.count))
        for (policy, count) in sampledOutBy.sorted(by: { $0.key < $1.key }) {
            bytes.append(UInt8(policy.utf8.count))
            bytes += policy.utf8
            bytes.append(littleEndian: count)
        }
    }

    /// Reads what `appendPolicies` wrote.
    ///
    /// - Returns: Where it ends; nil where the bytes are something else.
    mutating func readPolicies(_ bytes: RawSpan, from start: Int) -> Int? {
        guard start + 4 <= bytes.byteCount else { return nil }
        var position = start + 4
        for _ in 0..<bytes.uint32(at: start) {
            guard position < bytes.byteCount else { return nil }
            let end = position + 1 + Int(bytes.byte(at: position))
            guard end + 8 <= bytes.byteCount else { return nil }
            note(bytes.word(at: end), by: bytes.text(position + 1..<end))
            position = end + 8
        }
        return position
    }
}
