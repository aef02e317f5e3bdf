/// What a processor did about one attribute or event of a span, or why a rule did nothing; for people who ask why.
package struct AttributeDecision: Sendable, Equatable {
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
        /// Something in it was taken out, which nobody is told.
        case redacted
        /// Some of it was cut.
        case truncated
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
