import Basics
import Journal
import Pipeline
import Processors
import Receivers

extension PipelineFile {
    /// What receivers may hold at once: `memory_limit` without the exporters' quarter.
    var receiversMemory: ByteCount { ByteCount(bytes: memoryLimit.bytes - exportersMemory.bytes) }
    /// What deliveries may hold at once.
    var exportersMemory: ByteCount { ByteCount(bytes: memoryLimit.bytes / 4) }
    /// What they may hold of records: as much again goes into what is encoded from these.
    var recordsMemory: ByteCount { ByteCount(bytes: exportersMemory.bytes / 2) }

    /// The front half of every pipeline, once for each receiver it reads.
    ///
    /// Blocks while processors that remember learn from the journal what they knew before the process started.
    func fronts(
        of journal: Journal,
        meters: Meters,
        clock: WallClock
    ) throws -> [(receiver: String, front: PipelineFront)] {
        try pipelines.enumerated().flatMap { log, pipeline in
            let processors = try pipeline.value.processors.compactMap { name in
                try self.processors.first { $0.name == name }?.spanProcessor()
            }
            for case let processor as any RememberingProcessor in processors {
                processor.restore(from: journal.logs[log], at: clock.now())
            }
            return pipeline.value.receivers.map { receiver in
                let tally = IntakeTally(meters, pipeline: pipeline.name, receiver: receiver, signal: "traces")
                let front = PipelineFront(
                    name: pipeline.name,
                    log: log,
                    processors: processors,
                    forwardedHeaders: forwardedHeaders(of: receiver),
                    itemsMax: recordItems(of: pipeline.value),
                    tally: tally
                )
                return (receiver, front)
            }
        }
    }

    /// Names of the headers that processors behind a receiver ask for.
    func processorHeaders(after receiver: String) -> [String] {
        let names = pipelines.filter { $0.value.receivers.contains(receiver) }.flatMap(\.value.processors)
        let asksForExperiment = processors.contains { processor in
            guard names.contains(processor.name), case .mlflowExperiment = processor.settings else { return false }
            return true
        }
        return asksForExperiment ? [MLflowExperiment.headerName] : []
    }

    private func forwardedHeaders(of receiver: String) -> Set<String> {
        switch receivers.first(where: { $0.name == receiver })?.settings {
        case .otlpHTTP(let settings): Set(settings.forwardHeaders.map { $0.lowercased() })
        case nil: []
        }
    }
}

extension Configured<ProcessorSettings> {
    /// The processor that works on single spans; nil for one that only sets how exporters read.
    func spanProcessor() throws -> (any SpanProcessor)? {
        switch settings {
        case .mlflowMap(let settings): try MLflowMap(name: name, settings: settings)
        case .mlflowExperiment(let settings): MLflowExperiment(name: name, settings: settings)
        case .sample(let settings): try Sample(name: name, settings: settings)
        case .batch: nil
        }
    }
}
