import Basics
import Exporters
import Journal
import Logging
import OTLP
import Pipeline
import Processors
import Receivers
import Settings

extension PipelineFile {
    /// The back half of every pipeline: one delivery for each signal and exporter.
    func deliveries(
        from store: Store,
        to exporters: ExporterSet,
        recording telemetry: Telemetry? = nil,
        meters: Meters,
        logger: Logger
    ) throws -> [Delivery] {
        let journal = store.journal
        let readers = journal.pipelines.flatMap { log in log.readers.filter { !$0.isWindow }.map { (log, $0) } }
        return try readers.map { log, reader in
            guard let exporter = exporters[reader.name], let settings = settings(of: reader.name)?.reader,
                let pipeline = pipelines.first(where: { $0.name == log.id.pipeline })
            else { throw AssemblyError(description: "no exporter \"\(reader.name)\"") }
            let limits = settings.batch ?? batchLimits(of: pipeline.value)
            let delivery = Delivery(
                name: reader.name,
                exporter: exporter,
                reader: reader,
                log: log,
                deadLetters: store.deadLetters.first { $0.main == log.id && $0.exporter == reader.name },
                parkedLog: ParkedLog(of: reader.name, in: log.id, journal: journal),
                shares: store.shares.destination(reader.name, of: log.id),
                limits: limits,
                retry: settings.retry,
                bytesMax: max(recordsMemory.bytes / readers.count, limits.bytes.bytes),
                isAwaited: receivers.contains { receiver in
                    pipeline.value.receivers.contains(receiver.name)
                        && awaitedExporters(of: receiver).contains(reader.name)
                },
                clock: .system,
                telemetry: telemetry,
                meters: DeliveryMeters(meters, pipeline: pipeline.name, exporter: reader.name, signal: log.id.signal),
                logger: logger
            )
            let labels = ["pipeline": pipeline.name, "exporter": reader.name, "signal": log.id.signal.name]
            meters.gauge("millrace_exporter_circuit_open", labels) { delivery.isCircuitOpen ? 1 : 0 }
            return delivery
        }
    }

    /// Items in one record at most: as many as any exporter of the pipeline sends at once, so that nobody gets less than that.
    func recordItems(of pipeline: PipelineSettings) -> Int {
        let own = batchLimits(of: pipeline).items
        return pipeline.exporters.map { settings(of: $0)?.reader.batch?.items ?? own }.max() ?? own
    }

    /// The exporters that the answers of a receiver wait for; empty where the journal is enough.
    func awaitedExporters(of receiver: Configured<any ReceiverSettings>) -> Set<String> {
        guard !receiver.settings.awaitsAll else {
            return Set(pipelines.filter { $0.value.receivers.contains(receiver.name) }.flatMap(\.value.exporters))
        }
        return Set([receiver.settings.answerAfter].compactMap { $0 })
    }

    private func batchLimits(of pipeline: PipelineSettings) -> BatchLimits {
        processors.lazy.filter { pipeline.processors.contains($0.name) }.compactMap(\.settings.batching).first
            ?? .standard
    }
}
