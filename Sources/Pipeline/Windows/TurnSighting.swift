package import OTLP

/// What log records say of a turn of a session: a question, the work on it, and its answer.
package struct TurnSighting: Sendable, Equatable {
    /// Its place in a window: that of the turn, or of the session where its records do not name the turn.
    package private(set) var key: TraceKey
    /// Whether the key is that of one turn, so that what comes later belongs to it.
    package let isOneTurn: Bool
    /// Whether the records hold what ends a turn.
    package let isAnswered: Bool
    /// Hashes of the ids of tool calls that began, and of those that ended.
    package let (begun, ended): ([Int], [Int])

    package init(_ trace: TraceID, isOneTurn: Bool, isAnswered: Bool, begun: [Int] = [], ended: [Int] = []) {
        key = TraceKey(trace)
        self.isOneTurn = isOneTurn
        self.isAnswered = isAnswered
        (self.begun, self.ended) = (begun, ended)
    }

    /// The same for a sender that is bound to experiments.
    func bound(to identity: String?) -> TurnSighting {
        var sighting = self
        sighting.key = TraceKey(key.trace, identity: identity)
        return sighting
    }
}

/// A turn of a session as spans that nobody sent.
package struct ComposedTurn: Sendable {
    package let key: TraceKey
    /// An export request of its spans, with the metadata of the log records that it was made of.
    package let part: WholeTrace.Part
    /// Spans in it; at least one.
    package let spans: Int
    /// Log records that it was made of.
    package let joined: Int

    package init(key: TraceKey, part: WholeTrace.Part, spans: Int, joined: Int) {
        self.key = key
        self.part = part
        self.spans = spans
        self.joined = joined
    }
}
