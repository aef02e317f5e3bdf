import Basics
import OTLP
package import Pipeline

extension MLflowExperiment: ExplainableProcessor {
    /// Why a trace has another experiment than its sources say.
    private static let otherReason = "the trace had it before, or there are more than max_routes experiments"

    package func process(_ work: inout SpanWork, noting notes: inout [SpanNote]) {
        let traces = RequestTraces(work.batch)
        var choices = choices
        let reasons = traces.traces.map {
            reason(for: choices.choice(for: work.trace?.top ?? $0.root ?? $0.first, work))
        }
        process(&work)
        for span in work.batch.spans.indices {
            guard let trace = traces.trace(of: span) else { continue }
            let (wanted, reason) = reasons[trace]
            let route = work.route(of: span)
            notes.append(SpanNote(span, .routed(route, reason: route == wanted ? reason : Self.otherReason)))
        }
    }

    /// What the sources say about a trace, and which of them said it.
    private func reason(for choice: ExperimentChoice) -> (route: Route, reason: String) {
        let names = sources.map(\.description)
        guard let source = choice.source else {
            return (
                defaultRoute, names.isEmpty ? "from default" : "from default, without \(names.joined(separator: ", "))"
            )
        }
        guard let route = choice.route else {
            let limit = "more than \(Route.nameCharactersMax) characters"
            return (defaultRoute, "from default, because \(names[source]) has \(limit)")
        }
        let mapping = choice.mapped.map { " \"\($0.excerpt(max: 80))\" by map" } ?? ""
        return (route, "from \(names[source])\(mapping)")
    }
}
