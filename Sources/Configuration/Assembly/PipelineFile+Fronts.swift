import Basics
import Exporters
import Journal
import OTLP
import Pipeline
import Processors
import Receivers
import Settings

extension PipelineFile {
    /// What receivers may hold at once: `memory_limit` without the exporters' quarter.
    var receiversMemory: ByteCount { ByteCount(bytes: memoryLimit.bytes - exportersMemory.bytes) }
    /// What deliveries may hold at once.
    var exportersMemory: ByteCount { ByteCount(bytes: memoryLimit.bytes / 4) }
    /// What they may hold of records: as much again goes into what is encoded from these.
    var recordsMemory: ByteCount { ByteCount(bytes: exportersMemory.bytes / 2) }

    /// The front half of every pipeline, once for each signal it takes and each receiver it reads.
    ///
    /// Blocks while processors that remember learn from the journal what they knew before the process started.
    func fronts(
        of journal: Journal,
        meters: Meters,
        clock: WallClock
    ) throws -> [(receiver: String, front: PipelineFront)] {
        try pipelines.flatMap { pipeline in
            let window = window(of: pipeline.value)
            let names = pipeline.value.processors.filter { !(window?.behind.contains($0) ?? false) }
            let processors = try names.compactMap { name in
                try self.processors.first { $0.name == name }.flatMap { processor in
                    try processor.settings.makeProcessor(named: name).map { (processor.settings.signals, made: $0) }
                }
            }
            let named = namedExperiments(of: pipeline.value)
            for case let router as any RoutingProcessor in processors.map(\.made) { router.keepRoom(for: named) }
            return pipeline.value.takenSignals.flatMap { signal in
                let id = LogID(pipeline.name, signal)
                let processors = processors.filter { $0.0.contains(signal) }.map(\.made)
                if let log = journal.log(id) {
                    for case let processor as any RememberingProcessor in processors {
                        processor.restore(from: log, at: clock.now())
                    }
                }
                return pipeline.value.receivers.map { receiver in
                    let tally = IntakeTally(meters, pipeline: pipeline.name, receiver: receiver, signal: signal)
                    let isDivided = window != nil && signal == .traces
                    // What chooses a trace's route reads them behind the window.
                    let routing = self.processors.filter { isDivided && window?.behind.contains($0.name) ?? false }
                    let front = PipelineFront(
                        log: id,
                        processors: processors,
                        forwardedHeaders: forwardedHeaders(of: receiver).union(routing.flatMap(\.settings.headers)),
                        itemsMax: recordItems(of: pipeline.value),
                        unrouted: signal == .traces ? unrouted(in: pipeline.value) : nil,
                        dividesTraces: isDivided,
                        tally: tally
                    )
                    return (receiver, front)
                }
            }
        }
    }

    /// Headers that processors behind a receiver read.
    func processorHeaders(after receiver: String) -> [String] {
        let headers = processors(in: pipelines.filter { $0.value.receivers.contains(receiver) }).flatMap(\.headers)
        return Set(headers).sorted()
    }

    /// What the pipelines that end at an exporter say about routes.
    func routing(before exporter: String) -> Routing {
        let pipelines = pipelines.filter { $0.value.exporters.contains(exporter) }
        var routing = Routing(processors(in: pipelines).compactMap(\.routing))
        for pipeline in pipelines { routing.named.formUnion(namedExperiments(of: pipeline.value)) }
        return routing
    }

    /// Experiments that members of the file are bound to by name, on the receivers that a pipeline reads.
    func namedExperiments(of pipeline: PipelineSettings) -> Set<Route> {
        let read = receivers.filter { pipeline.receivers.contains($0.name) }
        return read.reduce(into: []) { $0.formUnion($1.settings.auth?.namedExperiments ?? []) }
    }

    /// Where an exporter of a pipeline files spans that no processor routed; nil where none has such places.
    func unrouted(in pipeline: PipelineSettings) -> Route? {
        pipeline.exporters.lazy.compactMap { settings(of: $0)?.destination.unrouted }.first
    }

    /// The settings of all processors in these pipelines.
    private func processors(in pipelines: [Named<PipelineSettings>]) -> [any ProcessorSettings] {
        let names = pipelines.flatMap(\.value.processors)
        return processors.filter { names.contains($0.name) }.map(\.settings)
    }

    func forwardedHeaders(of receiver: String) -> Set<String> {
        let settings = receivers.first { $0.name == receiver }?.settings
        return Set((settings?.forwardHeaders ?? []).map { $0.lowercased() })
    }
}
