import Basics
import Journal
import Logging
import Pipeline

extension PipelineFile {
    /// The back half of every pipeline: one delivery for each of its exporters.
    func deliveries(
        from journal: Journal,
        to exporters: ExporterSet,
        meters: Meters,
        logger: Logger
    ) throws -> [Delivery] {
        let readers = zip(pipelines, journal.logs).flatMap { pipeline, log in log.readers.map { (pipeline, $0) } }
        return try readers.map { pipeline, reader in
            guard let exporter = exporters[reader.name],
                let reading = self.exporters.first(where: { $0.name == reader.name })?.settings.reading
            else { throw AssemblyError(description: "no exporter \"\(reader.name)\"") }
            let limits = reading.batch ?? batchLimits(of: pipeline.value)
            return Delivery(
                name: reader.name,
                exporter: exporter,
                reader: reader,
                limits: limits,
                retry: reading.retry,
                bytesMax: max(exportersMemory.bytes / readers.count, limits.bytes.bytes),
                clock: .system,
                meters: DeliveryMeters(meters, pipeline: pipeline.name, exporter: reader.name, signal: "traces"),
                logger: logger
            )
        }
    }

    private func batchLimits(of pipeline: PipelineSettings) -> BatchLimits {
        for processor in processors where pipeline.processors.contains(processor.name) {
            if case .batch(let limits) = processor.settings { return limits }
        }
        return .standard
    }
}
