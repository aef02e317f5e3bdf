import OTLP
package import Pipeline

extension MLflowExperiment: ForeseeingProcessor {
    package func routes(foreseenFor work: SpanWork) -> Set<Route> {
        var choices = choices
        var routes: Set<Route> = []
        for span in work.batch.spans.indices where work.batch.removal(of: span) == nil {
            routes.insert(choices.choice(for: span, work).route ?? defaultRoute)
        }
        return routes
    }
}
