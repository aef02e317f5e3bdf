import Basics
import Conditions
import MLflow
import OTLP
import Pipeline

/// Experiments by value or by a glob that the value matches.
struct ExperimentMap: Sendable {
    private var exact: [ExactText: String] = [:]
    private var globs: [(glob: Glob, experiment: String)] = []

    init(_ entries: [(value: String, experiment: String)]) {
        for (value, experiment) in entries {
            if Glob.isPattern(value) {
                globs.append((Glob(value), experiment))
            } else {
                exact[ExactText(value)] = experiment
            }
        }
    }

    /// The experiment of the value itself or, without one, of the first glob that it matches.
    func experiment(for value: String) -> String? {
        exact[ExactText(value)] ?? globs.first { $0.glob.matches(value) }?.experiment
    }
}

/// What the sources say about a trace.
struct ExperimentChoice: Sendable {
    /// Nil where the name is over the limit.
    let route: Route?
    /// The source that gave it, by its position; nil for the default.
    var source: Int?
    /// What the source said, where `map` turned it into the route.
    var mapped: String?
}

/// What the sources say about the traces of one request; a header and a resource are looked at once, however many traces
/// there are.
struct ExperimentChoices {
    /// What one source said, by the resource; a source that is the same for the whole request has one place, 0.
    private struct Memory {
        var latest: (place: Int, finding: ExperimentChoice?)?
        var earlier: [Int: ExperimentChoice?] = [:]

        mutating func finding(at place: Int, look: () -> ExperimentChoice?) -> ExperimentChoice? {
            if let latest, latest.place == place { return latest.finding }
            let finding = earlier[place] ?? look()
            if let latest { earlier.updateValue(latest.finding, forKey: latest.place) }
            latest = (place, finding)
            return finding
        }
    }

    private let sources: [ExperimentSource]
    private let map: ExperimentMap
    private let defaultRoute: Route
    private var memories: [Memory]

    init(_ sources: [ExperimentSource], _ map: ExperimentMap, defaultRoute: Route) {
        self.sources = sources
        self.map = map
        self.defaultRoute = defaultRoute
        memories = Array(filledWith: Memory(), count: sources.count)
    }

    /// What the first source that says anything about the trace of a span says; the default without one.
    mutating func choice(for span: Int, _ work: SpanWork) -> ExperimentChoice {
        for index in sources.indices {
            if let found = finding(of: index, for: span, work) { return found }
        }
        return ExperimentChoice(route: defaultRoute)
    }

    private mutating func finding(of index: Int, for span: Int, _ work: SpanWork) -> ExperimentChoice? {
        let place: Int
        switch sources[index] {
        case .header, .identity: place = 0
        case .resource: place = work.batch.scopes[work.batch.spans[span].scope].resource
        case .attribute: return Self.look(at: index, of: sources, map, for: span, work)
        }
        let (sources, map) = (sources, map)
        return memories[index].finding(at: place) { Self.look(at: index, of: sources, map, for: span, work) }
    }

    private static func look(
        at index: Int,
        of sources: [ExperimentSource],
        _ map: ExperimentMap,
        for span: Int,
        _ work: SpanWork
    ) -> ExperimentChoice? {
        guard let value = sources[index].value(for: span, work) else { return nil }
        if let experiment = map.experiment(for: value) {
            return ExperimentChoice(route: Route(experiment: experiment), source: index, mapped: value)
        }
        let route = sources[index] == .header ? Route(experiment: value) : .experimentName(value)
        return ExperimentChoice(route: route.isOverLong ? nil : route, source: index)
    }
}
