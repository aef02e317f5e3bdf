package import Basics
package import Exporters
package import Journal
package import Logging
package import Pipeline
package import Processors
package import Receivers

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
    /// What one request may cost for its size.
    package var requestCost = CostLimits()
    /// What `millrace test` runs.
    package var tests: [PipelineTest] = []
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
    package var level: Logger.Level
    package var format: LogFormat

    package init(level: Logger.Level = .info, format: LogFormat = .text) {
        self.level = level
        self.format = format
    }
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
    case batch(BatchLimits)
}

/// An exporter's settings.
package struct ExporterSettings: Sendable {
    package var destination: DestinationSettings
    package var reading: ReadingSettings
}

/// Where an exporter sends, and how.
package enum DestinationSettings: Sendable {
    case mlflow(MLflowSettings)
    case otlpHTTP(OTLPHTTPSettings)
    case file(FileSettings)
    case console(ConsoleSettings)
}

/// How an exporter reads the journal.
package struct ReadingSettings: Sendable {
    /// Wins over the pipeline's `batch` processor; nil for that, or for its defaults.
    package var batch: BatchLimits?
    package var retry = RetrySettings.standard
    /// Where an exporter that is new to the journal begins.
    package var start = ReaderDefinition.Start.newest
    /// What may wait for this exporter; nil for as much as the journal takes.
    package var backlog: Backlog?
    /// What may lie among its dead letters.
    package var deadLetters = DeadLetterLimits()
}
