package import Basics
package import Logging

/// A pipeline file that was checked: every value is valid, every name is that of a component.
package struct PipelineFile: Sendable {
    package var receivers: [Configured<ReceiverSettings>] = []
    package var processors: [Configured<ProcessorSettings>] = []
    package var exporters: [Configured<ExporterSettings>] = []
    /// At least one.
    package var pipelines: [Named<PipelineSettings>] = []
    package var journal = JournalSettings()
    package var admin = AdminSettings()
    package var log = LogSettings()
    /// How long a stopping process goes on delivering.
    package var drainTimeout = Duration.seconds(5)
    /// Bytes of telemetry held at once.
    ///
    /// A quarter of it is reserved for exporters.
    package var memoryLimit = ByteCount.mebibytes(256)
    /// For editors only.
    var schema: String?
    /// What is odd but does not keep the file from being used, as lines like those of `PipelineFileError`.
    package internal(set) var warnings: [String] = []
}

/// Which components make up one pipeline, by their names in the file.
package struct PipelineSettings: Sendable {
    /// At least one.
    package var receivers: [String] = []
    /// In the order they run.
    package var processors: [String] = []
    /// At least one.
    package var exporters: [String] = []
    var signals = ["traces"]
}

/// The administration endpoint.
package struct AdminSettings: Sendable {
    package var listen = ListenAddress.tcp(host: "127.0.0.1", port: 13133)
}

/// What the process writes about itself on standard error.
package struct LogSettings: Sendable {
    package var level = Logger.Level.info
    package var format = LogFormat.text
}

/// How one log record is written.
package enum LogFormat: Sendable {
    case text, json
}

/// A receiver's settings.
package enum ReceiverSettings: Sendable {
    case otlpHTTP(OTLPHTTPReceiverSettings)
}

/// A processor's settings.
package enum ProcessorSettings: Sendable {
    case mlflowMap(MLflowMapSettings)
    case mlflowExperiment(MLflowExperimentSettings)
    case sample(SampleSettings)
    case batch(BatchSettings)
}

/// An exporter's settings.
package enum ExporterSettings: Sendable {
    case mlflow(MLflowExporterSettings)
    case otlpHTTP(OTLPHTTPExporterSettings)
    case file(FileExporterSettings)
    case console(ConsoleExporterSettings)
}
