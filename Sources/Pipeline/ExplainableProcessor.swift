package import OTLP

/// A per-span processor that can say what it does to each span and why, for people who ask.
package protocol ExplainableProcessor: SpanProcessor {
    /// Does what `process` does, and notes it.
    func process(_ work: inout SpanWork, noting notes: inout [SpanNote])
}

/// What a processor did to one span.
package struct SpanNote: Sendable, Equatable {
    /// What was done.
    package enum Finding: Sendable, Equatable {
        /// An attribute or event was changed, or a rule did nothing.
        case changed(AttributeDecision)
        /// The span goes to an experiment.
        case routed(Route, reason: String)
        /// The span stays although the processor takes others out.
        case kept(reason: String)
        /// The span is taken out.
        case removed(Removal, reason: String)
    }

    /// Position of the span in the batch.
    package let span: Int
    package let finding: Finding

    package init(_ span: Int, _ finding: Finding) {
        self.span = span
        self.finding = finding
    }
}
