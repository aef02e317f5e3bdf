/// What became of an accepted item: every item has exactly one outcome, once it has left the queue.
///
/// The raw value is its code on the disk: a code is never given to another outcome.
package enum Outcome: UInt8, Sendable, Hashable, CaseIterable {
    case delivered = 0
    /// A filter removed it.
    case filtered = 1
    /// Sampling did not choose it.
    case sampledOut = 2
    /// Turned away by a destination's partial success.
    case rejected = 3
    case deadLettered = 4
    /// Given up by age, budget or order.
    case expired = 5
    /// Destroyed by disk damage.
    case lost = 6

    /// What ledgers, metrics and the pipeline file call it.
    package var word: String {
        switch self {
        case .delivered: "delivered"
        case .filtered: "filtered"
        case .sampledOut: "sampled_out"
        case .rejected: "rejected"
        case .deadLettered: "dead_lettered"
        case .expired: "expired"
        case .lost: "lost"
        }
    }
}
