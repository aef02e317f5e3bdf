/// What mapping did to one request.
package struct MappingOutcome: Sendable {
    /// By position in the batch: what was found out about each span.
    package internal(set) var spans: MappedSpans
    /// Spans that got at least one attribute or event.
    package internal(set) var mappedSpans = 0
    /// Spans that a rule took out.
    package internal(set) var droppedSpans = 0
    /// Spans of which a value that MLflow would refuse was mended or taken away.
    package internal(set) var repairedSpans = 0
    /// Spans that stay as they came, in whole or in what concerns their trace, because the budget does not suffice.
    package internal(set) var unmappedSpans = 0
    /// Bytes added, as `MappingBudget` counts them.
    package internal(set) var addedBytes = 0
    /// Steps taken, as `MappingBudget` counts them.
    package internal(set) var steps = 0
    /// What was decided, in order; nil unless it was asked for.
    package internal(set) var decisions: [MappingDecision]?
}

/// What mapping did about one attribute or event of a span, or why a rule did nothing.
package struct MappingDecision: Sendable, Equatable {
    /// What was done.
    package enum Action: Sendable, Equatable {
        /// Set from the convention's attributes.
        case set
        /// What the app set was mended.
        case repaired
        /// What the app set was taken away.
        case removed
        /// An attribute got another key.
        case renamed
        /// The whole span was taken out.
        case dropped
        /// A rule whose attributes are there did nothing; the text says why.
        case ignored(String)
    }

    /// Position of the span in the batch.
    package let span: Int
    package let action: Action
    /// The key of the attribute, or the name of the event; of an ignored rule its group, such as `type`; of a dropped span
    /// empty.
    package let target: String
    /// The rule, as `CONVENTION.RULE`; `app` for the app's own attributes, `root` for what every root gets.
    package let rule: String
    /// Keys of the attributes, or names of the events, that it was made of; a flattened list is `PREFIX.*`.
    package let sources: [String]

    package init(span: Int, action: Action, target: String, rule: String, sources: [String] = []) {
        self.span = span
        self.action = action
        self.target = target
        self.rule = rule
        self.sources = sources
    }
}
