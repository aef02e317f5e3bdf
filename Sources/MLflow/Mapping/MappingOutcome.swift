/// What mapping did to one request.
package struct MappingOutcome: Sendable {
    /// By position in the batch: what was found out about each span.
    package internal(set) var spans: [MappedSpan]
    /// Spans that got at least one attribute or event.
    package internal(set) var mappedSpans = 0
    /// Spans of which a value that MLflow would refuse was mended or taken away.
    package internal(set) var repairedSpans = 0
    /// What was decided, in order; nil unless it was asked for.
    package internal(set) var decisions: [MappingDecision]?
}

/// One attribute or event that mapping set, mended or took away.
package struct MappingDecision: Sendable, Equatable {
    /// What was done.
    package enum Action: Sendable, Equatable {
        /// Set from the convention's attributes.
        case set
        /// What the app set was mended.
        case repaired
        /// What the app set was taken away.
        case removed
    }

    /// Position of the span in the batch.
    package let span: Int
    package let action: Action
    /// The key of the attribute, or the name of the event.
    package let target: String
    /// The rule that won, as `CONVENTION.RULE`; `app` for the app's own attributes, `root` for what every root gets.
    package let rule: String
}
