import Basics
import OTLP
package import Pipeline

extension MLflowExperiment: NotingProcessor {
    /// Why a trace has another experiment than its sources say.
    private static let otherReason = "the trace had it before, or there are more than max_routes experiments"

    package func process(_ work: inout SpanWork, noting notes: inout [SpanNote]) {
        let traces = RequestTraces(work.batch)
        let reasons = traces.traces.map { reason(for: $0.root ?? $0.first, work) }
        process(&work)
        for span in work.batch.spans.indices {
            guard let trace = traces.trace(of: span) else { continue }
            let (wanted, reason) = reasons[trace]
            let route = work.route(of: span)
            notes.append(SpanNote(span, .routed(route, reason: route == wanted ? reason : Self.otherReason)))
        }
    }

    /// What the sources say about the trace of a span, and which of them said it.
    private func reason(for span: Int, _ work: SpanWork) -> (route: Route, reason: String) {
        for (name, source) in zip(sourceNames, sources) {
            guard let value = source.value(for: span, work) else { continue }
            let found = "from \(name)"
            let isMapped = map.experiment(for: value) != nil
            return (choose(span, work), isMapped ? "\(found) \"\(value.excerpt(max: 80))\" by map" : found)
        }
        let none = sourceNames.isEmpty ? "from default" : "from default, without \(sourceNames.joined(separator: ", "))"
        return (defaultRoute, none)
    }

    private var sourceNames: [String] { sources.map(\.description) }
}
