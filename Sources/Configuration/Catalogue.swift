import Exporters
import Pipeline
import Processors
import Receivers
import Settings

/// The one table of components: what a `type` in the pipeline file stands for.
///
/// A new component is a folder with its code and its settings, a line here, an example under `pipelines/`, and a test.
package enum Catalogue {
    static let receivers: [ReceiverType] = [
        ReceiverType("otlp_http", OTLPHTTPReceiverSettings.shape),
        ReceiverType("otlp_grpc", OTLPGRPCReceiverSettings.shape),
        ReceiverType(unavailable: "otlp_file"),
    ]

    static let processors: [ProcessorType] = [
        ProcessorType("mlflow_map", MLflowMapSettings.shape),
        ProcessorType("mlflow_experiment", MLflowExperimentSettings.shape),
        ProcessorType("sample", SampleSettings.shape),
        ProcessorType("attributes", AttributesSettings.shape),
        ProcessorType("filter", FilterSettings.shape),
        ProcessorType("batch", .batch, stage: .batching),
        ProcessorType("redact", RedactSettings.shape),
        ProcessorType("truncate", TruncateSettings.shape),
        ProcessorType("assemble", AssembleSettings.shape, stage: .windowed),
        ProcessorType("tail_sample", TailSampleSettings.shape, stage: .windowed),
    ]

    static let exporters: [ExporterType] = [
        ExporterType("mlflow", MLflowSettings.shape),
        ExporterType("otlp_http", OTLPHTTPSettings.shape),
        ExporterType("otlp_grpc", OTLPGRPCSettings.shape),
        ExporterType("file", FileSettings.shape),
        ExporterType("console", ConsoleSettings.shape),
        ExporterType("discard", DiscardSettings.shape),
    ]
}
