import OTLP
import Pipeline

extension MLflowExperiment {
    /// Where a part of an open trace goes, if nothing that is still to come may say otherwise.
    ///
    /// A root that comes later decides by its own header, resource and attributes. So a header decides for good, as does a default where
    /// nothing else is asked; what resources say decides only where the root comes from there as well.
    ///
    /// - Parameters:
    ///   - work: The part.
    ///   - isOneService: Whether all spans of the trace are of one service, and none waits for a parent in another process.
    /// - Returns: Nil where it may go elsewhere.
    func sureRoute(of work: SpanWork, isOneService: Bool) -> Route? {
        var choices = choices
        var sure: Route?
        for span in work.batch.spans.indices {
            let choice = choices.choice(for: span, work)
            guard let route = choice.route, sure == nil || sure == route else { return nil }
            let source = choice.source.map { sources[$0] }
            let isFixed = source == .header || sources.isEmpty
            guard isFixed || isOneService && !asksSpans else { return nil }
            sure = route
        }
        return sure
    }

    /// Whether an attribute of the root may decide.
    private var asksSpans: Bool {
        sources.contains { if case .attribute = $0 { true } else { false } }
    }
}
