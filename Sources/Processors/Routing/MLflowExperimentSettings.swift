package import Pipeline
package import Settings

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
    /// Different experiments at most, those that settings name not counted; one that no span went to for a minute (or `remember`, if
    /// that is less) makes room for another, and without room traces go to the default and are counted.
    package var maxRoutes = 1000

    package init() {}
}

extension MLflowExperimentSettings: ProcessorSettings {
    package var conditions: [String] { [] }
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Chooses the MLflow experiment of each trace.",
        MLflowExperimentSettings(),
        [
            Field(
                "from",
                \.from,
                .list(of: .routeSource),
                "Where to look, in this order: `header` is the request header `x-mlflow-experiment-id`, `auth` the name of who sends."
            ),
            Field("map", \.map, .experiments, "Experiments by the value found, or by a glob that it matches."),
            Field("default", \.defaultExperiment, .text, "The experiment where nothing else gives one."),
            Field("create", \.create, .flag, "Whether experiments that MLflow does not have are created."),
            Field("remember", \.remember, .pause, "How long a trace keeps the experiment that its first spans got."),
            Field(
                "max_routes",
                \.maxRoutes,
                .integer(1...60_000),
                "Different experiments at most, those of `map` and those that members are bound to by name aside; one without spans for a minute makes room for another, and traces that find none go to `default` and are counted."
            ),
        ]
    )

    package var headers: [String] { [MLflowExperiment.headerName] }
    package var readsIdentity: Bool { from.contains("auth") }
    package var routing: Routing? {
        let named = map.map(\.experiment) + [defaultExperiment]
        return Routing(createsMissing: create, named: Set(named.map(Route.init(experiment:))))
    }

    package func remembering(_ time: Duration) -> MLflowExperimentSettings {
        var settings = self
        settings.remember = max(remember, time)
        return settings
    }

    package func makeProcessor(named name: String) -> (any SpanProcessor)? {
        MLflowExperiment(name: name, settings: self)
    }
}

extension Kind<[(value: String, experiment: String)]> {
    /// Experiments by value or glob.
    fileprivate static let experiments = Kind<[Named<String>]>.map(.text, to: .text).matched(
        { entries in entries.map { (value: $0.name, experiment: $0.value) } },
        { entries in entries.map { entry in Named(name: entry.value, value: entry.experiment) } }
    )
}

extension Kind<String> {
    /// Where an experiment's name may come from.
    fileprivate static let routeSource = Kind.parsed(
        #""header", "auth", "resource.KEY", "attribute.KEY""#,
        brief: "`header` \\| `auth` \\| `resource.KEY` \\| `attribute.KEY`",
        schema: ["type": "string", "pattern": #"^(header|auth)$|^(resource|attribute)\..|\$\{"#],
        parse: { text in
            let isKey = ["resource.", "attribute."].contains { text.hasPrefix($0) && text.count > $0.count }
            return text == "header" || text == "auth" || isKey ? text : nil
        },
        format: { $0 }
    )
}
