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
        let parts = DeliveryParts(
            store: store,
            deadLetters: store.deadLetters,
            exporters: exporters,
            telemetry: telemetry,
            meters: meters,
            logger: logger
        )
        return try store.journal.destinations.map { try delivery(of: $1, from: $0, parts) }
    }

    /// The delivery of what one reader reads.
    func delivery(of reader: LogReader, from log: Log, _ parts: DeliveryParts) throws -> Delivery {
        let journal = parts.store.journal
        guard let exporter = parts.exporters[reader.name],
            let settings = deliverySettings(of: reader.name, from: log.id, among: journal.destinations.count)
        else { throw AssemblyError(description: "no exporter \"\(reader.name)\"") }
        let (pipeline, signal) = (log.id.pipeline, log.id.signal)
        let delivery = Delivery(
            name: reader.name,
            exporter: exporter,
            reader: reader,
            log: log,
            deadLetters: parts.deadLetters.first { $0.main == log.id && $0.exporter == reader.name },
            parkedLog: ParkedLog(of: reader.name, in: log.id, journal: journal),
            shares: parts.store.shares.destination(reader.name, of: log.id),
            settings: settings,
            clock: .system,
            telemetry: parts.telemetry,
            meters: DeliveryMeters(parts.meters, pipeline: pipeline, exporter: reader.name, signal: signal),
            logger: parts.logger
        )
        let labels = ["pipeline": pipeline, "exporter": reader.name, "signal": signal.name]
        parts.meters.gauge("millrace_exporter_circuit_open", labels) { [weak delivery] in
            delivery?.isCircuitOpen == true ? 1 : 0
        }
        return delivery
    }

    /// What the file says of a delivery, one of `count`; nil where it has none like it.
    func deliverySettings(of exporter: String, from log: LogID, among count: Int) -> DeliverySettings? {
        guard let own = settings(of: exporter),
            let pipeline = pipelines.first(where: { $0.name == log.pipeline })
        else { return nil }
        let limits = batchLimits(of: own, in: pipeline.value)
        return DeliverySettings(
            limits: limits,
            retry: own.reader.retry,
            bytesMax: max(recordsMemory.bytes / max(1, count), limits.bytes.bytes),
            isAwaited: receivers.contains { receiver in
                pipeline.value.receivers.contains(receiver.name)
                    && awaitedExporters(of: receiver).contains(exporter)
            },
            ageMax: own.destination.limits.age
        )
    }

    /// Items in one record at most: as many as any exporter of the pipeline sends at once, so that nobody gets less than that.
    func recordItems(of pipeline: PipelineSettings) -> Int {
        let own = batchLimits(of: pipeline).items
        return pipeline.exporters.map { exporter in
            settings(of: exporter).map { batchLimits(of: $0, in: pipeline).items } ?? own
        }.max() ?? own
    }

    /// The exporters that the answers of a receiver wait for; empty where the journal is enough.
    func awaitedExporters(of receiver: Configured<any ReceiverSettings>) -> Set<String> {
        guard !receiver.settings.awaitsAll else {
            return Set(pipelines.filter { $0.value.receivers.contains(receiver.name) }.flatMap(\.value.exporters))
        }
        return Set([receiver.settings.answerAfter].compactMap { $0 })
    }

    private func batchLimits(of exporter: ExporterSettings, in pipeline: PipelineSettings) -> BatchLimits {
        (exporter.reader.batch ?? batchLimits(of: pipeline)).within(exporter.destination.limits)
    }

    private func batchLimits(of pipeline: PipelineSettings) -> BatchLimits {
        processors.lazy.filter { pipeline.processors.contains($0.name) }.compactMap(\.settings.batching).first
            ?? .standard
    }
}

/// What deliveries are made of besides their settings.
struct DeliveryParts {
    let store: Store
    let deadLetters: [DeadLetterBox]
    let exporters: ExporterSet
    let telemetry: Telemetry?
    let meters: Meters
    let logger: Logger
}

extension Journal {
    /// The readers of pipelines' logs that exporters have, with their logs; those that are about to leave aside.
    var destinations: [(log: Log, reader: LogReader)] {
        pipelines.flatMap { log in
            log.readers.filter { !$0.isWindow && !$0.isLeaving }.map { (log, $0) }
        }
    }
}
