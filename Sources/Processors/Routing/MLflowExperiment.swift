package import Basics
package import OTLP
package import Pipeline
import Synchronization

/// The settings of `mlflow_experiment`.
package struct MLflowExperimentSettings: Sendable {
    /// Where to look, in this order: `header`, `auth`, `resource.KEY`, `attribute.KEY`; may be empty.
    package var from = ["header", "resource.service.name"]
    /// The experiment by the value found, or by a glob that it matches; exact values win, then the first glob.
    package var map: [(value: String, experiment: String)] = []
    /// The experiment where nothing else gives one.
    package var defaultExperiment = "Default"
    /// Whether the exporter creates experiments that MLflow does not have.
    package var create = true
    /// How long a trace keeps the experiment that its first spans got.
    package var remember = Duration.seconds(600)
    /// Different experiments at most; traces of further ones go to the default and are counted.
    package var maxRoutes = 1000

    package init() {}
}

/// Chooses the MLflow experiment of each trace.
///
/// The first request that brings a span of a trace decides, by its root where it is among them, and all that come later
/// follow, because MLflow files a trace under one experiment. Never shared between identities: one client's choice says
/// nothing about another's trace of the same id.
package final class MLflowExperiment: RememberingProcessor {
    /// The header by which MLflow's own clients name the experiment.
    package static let headerName = "x-mlflow-experiment-id"
    /// Traces that are remembered at most.
    package static let tracesMax = 1_000_000

    private struct Tables {
        var routes: Numbering<Route>
        var identities = Numbering<String>(countMax: Int(UInt16.max))
    }

    package let remember: Duration
    private let name: String
    let sources: [ExperimentSource]
    let map: ExperimentMap
    let defaultRoute: Route
    private let remembered: RememberedTraces
    private let tables: Mutex<Tables>

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file, under which it counts.
    ///   - settings: What it is to do; a source that is none is left out.
    package init(name: String, settings: MLflowExperimentSettings) {
        self.name = name
        remember = settings.remember
        sources = settings.from.compactMap(ExperimentSource.init)
        map = ExperimentMap(settings.map)
        defaultRoute = Route(experiment: settings.defaultExperiment)
        remembered = RememberedTraces(remember: settings.remember, tracesMax: Self.tracesMax)
        var tables = Tables(routes: Numbering(countMax: settings.maxRoutes))
        _ = tables.routes.number(of: defaultRoute)
        self.tables = Mutex(tables)
    }

    package func process(_ work: inout SpanWork) {
        let identity = tables.withLock { $0.identities.number(of: work.source.identity ?? "") }
        let traces = RequestTraces(work.batch)
        var defaulted: [Bool] = []
        var routes: [Route] = []
        for trace in traces.traces {
            let (route, isOver) = route(of: trace, identity, work)
            routes.append(route)
            defaulted.append(isOver)
        }
        var defaultedSpans = 0
        for span in work.batch.spans.indices {
            guard let trace = traces.trace(of: span) else { continue }
            work.assign(routes[trace], to: span)
            if defaulted[trace] { defaultedSpans += 1 }
        }
        work.tally.add(defaultedSpans, .defaulted, by: name)
    }

    package func restore(_ record: RetainedRecord) {
        let metadata = record.metadata
        guard metadata.route != .none else { return }
        for trace in record.traceIDs {
            restore(trace, route: metadata.route, identity: metadata.identity, receivedAt: record.receivedAt)
        }
    }

    /// Remembers what a trace got before, from the records that the journal retains; oldest first.
    ///
    /// - Parameters:
    ///   - trace: The trace.
    ///   - route: The route of its record; `.none` is ignored.
    ///   - identity: The name that authentication gave to the record's client.
    ///   - receivedAt: When the record was received.
    package func restore(_ trace: TraceID, route: Route, identity: String?, receivedAt: UnixTime) {
        guard route != .none else { return }
        let numbers = tables.withLock { tables in
            (tables.routes.number(of: route), tables.identities.number(of: identity ?? ""))
        }
        guard let route = numbers.0, let identity = numbers.1 else { return }
        _ = remembered.note(route, of: .init(trace: trace, identity: identity), at: receivedAt)
    }

    private func route(
        of trace: RequestTraces.Trace,
        _ identity: UInt16?,
        _ work: SpanWork
    ) -> (route: Route, isOver: Bool) {
        let key = identity.map { RememberedTraces.Key(trace: trace.id, identity: $0) }
        if let number = key.flatMap({ remembered.route(of: $0, at: work.receivedAt) }) {
            return (tables.withLock { $0.routes.values[Int(number)] }, false)
        }
        let wanted = choose(trace.root ?? trace.first, work)
        let number = tables.withLock { $0.routes.number(of: wanted) }
        guard let number, let key else { return (number == nil ? defaultRoute : wanted, number == nil) }
        let decided = remembered.note(number, of: key, at: work.receivedAt)
        return (decided == number ? wanted : tables.withLock { $0.routes.values[Int(decided)] }, false)
    }

    func choose(_ span: Int, _ work: SpanWork) -> Route {
        for source in sources {
            guard let value = source.value(for: span, work) else { continue }
            if let experiment = map.experiment(for: value) { return Route(experiment: experiment) }
            return source == .header ? Route(experiment: value) : .experimentName(value)
        }
        return defaultRoute
    }
}

extension Route {
    /// An experiment as people write it: all digits are its id, everything else is its name.
    init(experiment: String) {
        let isID = !experiment.isEmpty && experiment.utf8.allSatisfy(\.isDigit)
        self = isID ? .experimentID(experiment) : .experimentName(experiment)
    }
}
