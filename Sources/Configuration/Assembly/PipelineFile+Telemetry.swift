import Exporters
import Logging
import OTLP
import Pipeline

/// What the process records about itself, and who sends it.
struct TelemetryParts {
    /// Nil where no spans are wanted, so that nobody looks for any.
    let recorder: Telemetry?
    let sender: TelemetrySender
}

extension PipelineFile {
    /// Nil where the file wants none.
    func telemetryParts(to exporters: ExporterSet, meters: Meters, logger: Logger) throws -> TelemetryParts? {
        guard let telemetry else { return nil }
        guard let exporter = exporters[telemetry.exporter], let settings = settings(of: telemetry.exporter) else {
            throw AssemblyError(description: "no exporter \"\(telemetry.exporter)\"")
        }
        let recorder = Telemetry(ratio: telemetry.traces, meters: meters)
        let sender = TelemetrySender(
            recorder,
            to: exporter,
            taking: settings.signals.intersection(telemetry.signals),
            meters: meters,
            interval: telemetry.interval,
            logger: logger
        )
        return TelemetryParts(recorder: telemetry.signals.contains(.traces) ? recorder : nil, sender: sender)
    }
}
