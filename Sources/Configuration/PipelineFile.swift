package import Basics
package import Exporters
package import Journal
package import Logging
import OTLP
package import Processors
package import Receivers
package import Settings
package import TLS

/// A pipeline file that was checked: every value is valid, every name is that of a component.
package struct PipelineFile: Sendable {
    package var receivers: [Configured<any ReceiverSettings>] = []
    package var processors: [Configured<any ProcessorSettings>] = []
    package var exporters: [Configured<ExporterSettings>] = []
    /// At least one.
    package var pipelines: [Named<PipelineSettings>] = []
    package var journal = JournalSettings()
    package var admin = AdminSettings()
    package var log = LogSettings()
    /// What the process sends about itself; nil for nothing.
    package var telemetry: TelemetrySettings?
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
    /// Where everything stands in the text.
    var source = PipelineFileSource()
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
    /// What it takes, at least one.
    var signals: [Signal] = [.traces]

    /// The same, each once.
    var takenSignals: [Signal] { Signal.allCases.filter(signals.contains) }
}

/// The administration endpoint.
package struct AdminSettings: Sendable {
    package var listen = ListenAddress.tcp(host: "127.0.0.1", port: 13133)
    /// Nil for plaintext.
    package var tls: ServerTLSSettings?
    /// What clients show for what is not for everybody; nil for a new one with each process, in the journal's directory.
    package var token: Secret?
    /// Whether `/metrics` needs no token wherever the endpoint listens.
    package var opensMetrics = false
    /// Whether it listens at any port where another process has that of `listen`; no pipeline file says so.
    package var takesAnyPort = false

    /// Bytes of a token that nobody finds by trying.
    static let tokenBytesMin = 16

    /// Whether clients must show certificates.
    package var wantsCertificates: Bool { tls?.clientCA != nil }
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
