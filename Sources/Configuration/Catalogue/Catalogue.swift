/// The one table of components: what a `type` in the pipeline file stands for.
///
/// A new component is a folder with its code, a line here with its case in `PipelineFile.swift`, an example under
/// `pipelines/`, and a test.
package enum Catalogue {
    static let receivers: [Component<ReceiverSettings>] = [
        Component("otlp_http", .otlpHTTPReceiver) { .otlpHTTP($0) },
        Component(unavailable: "otlp_grpc"),
        Component(unavailable: "otlp_file"),
    ]

    static let processors: [Component<ProcessorSettings>] = [
        Component("mlflow_map", .mlflowMap, .perSpan) { .mlflowMap($0) },
        Component("mlflow_experiment", .mlflowExperiment, .perSpan) { .mlflowExperiment($0) },
        Component("sample", .sample, .perSpan) { .sample($0) },
        Component("batch", .batch, .reading) { .batch($0) },
        Component(unavailable: "attributes", .perSpan),
        Component(unavailable: "filter", .perSpan),
        Component(unavailable: "redact", .perSpan),
        Component(unavailable: "truncate", .perSpan),
        Component(unavailable: "assemble", .windowed),
        Component(unavailable: "tail_sample", .windowed),
    ]

    static let exporters: [Component<ExporterSettings>] = [
        Component("mlflow", .mlflowExporter) { $0.settings },
        Component("otlp_http", .otlpHTTPExporter) { $0.settings },
        Component("file", .fileExporter) { $0.settings },
        Component("console", .consoleExporter) { $0.settings },
        Component(unavailable: "otlp_grpc"),
    ]

    /// The groups of settings that stand in more than one place or beside the components, for the reference.
    static let groups: [(name: String, summary: String, rows: [ReferenceRow])] = [
        row("retry", .retry), row("tls", .tls), row("rotate", .rotation),
        row("backlog", .backlog), row("dead_letters", .deadLetters), row("request_cost", .requestCost),
        row("journal", .journal), row("admin", .admin), row("log", .log),
        row("tests[]", .test), row("tests[].expect", .expectation), row("tests[].expect.spans[]", .expectedSpan),
    ]

    private static func row<Settings>(
        _ name: String,
        _ shape: Shape<Settings>
    ) -> (name: String, summary: String, rows: [ReferenceRow]) {
        (name, shape.summary, shape.referenceRows())
    }
}
