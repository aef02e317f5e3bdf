package import Conditions
package import OTLP

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
    package internal(set) var decisions: [AttributeDecision]?
}
