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

    /// The processors of every pipeline, made.
    ///
    /// Blocks while those that remember learn from the journal what they knew before the process started; those that take the
    /// place of `earlier` ones learn it from these.
    func chains(
        of journal: Journal,
        clock: WallClock,
        continuing earlier: [String: ProcessorChain] = [:]
    ) throws -> [String: ProcessorChain] {
        var chains: [String: ProcessorChain] = [:]
        for pipeline in pipelines {
            let chain = try ProcessorChain(processors(of: pipeline.value))
            let known = earlier[pipeline.name]?.remembering ?? []
            var new = chain.remembering
            new.removeAll { processor in known.contains { processor.goOn(from: $0) } }
            let named = namedExperiments(of: pipeline.value)
            for case let router as any RoutingProcessor in chain.perSpan.map(\.processor) + chain.behind {
                router.keepRoom(for: named)
            }
            for signal in pipeline.value.takenSignals where !new.isEmpty {
                guard let log = journal.log(LogID(pipeline.name, signal)) else { continue }
                for (signals, processor) in chain.perSpan where signals.contains(signal) {
                    guard let processor = processor as? any RememberingProcessor,
                        new.contains(where: { $0 === processor })
                    else { continue }
                    processor.restore(from: log, at: clock.now())
                }
            }
            chains[pipeline.name] = chain
        }
        return chains
    }

    /// The processors of a pipeline in the order in which they run.
    func processors(of pipeline: PipelineSettings) -> [Configured<any ProcessorSettings>] {
        let all = pipeline.processors.compactMap { name in processors.first { $0.name == name } }
        return all.indices.sorted { (all[$0].settings.turn, $0) < (all[$1].settings.turn, $1) }.map { all[$0] }
    }

    /// The front half of every pipeline, once for each signal it takes and each receiver it reads.
    func fronts(
        _ chains: [String: ProcessorChain],
        counting tallies: IntakeTallies
    ) -> [(receiver: String, front: PipelineFront)] {
        pipelines.flatMap { pipeline in
            pipeline.value.takenSignals.flatMap { signal in
                pipeline.value.receivers.map { receiver in
                    (receiver, front(of: pipeline, signal, receiver, chains[pipeline.name], tallies))
                }
            }
        }
    }

    private func front(
        of pipeline: Named<PipelineSettings>,
        _ signal: Signal,
        _ receiver: String,
        _ chain: ProcessorChain?,
        _ tallies: IntakeTallies
    ) -> PipelineFront {
        let window = window(of: pipeline.value)?.reads(signal) == true ? chain?.window : nil
        // What works on whole traces reads them behind the journal.
        let isWhole = window != nil && signal == .traces
        let headers = isWhole ? processors(of: pipeline.value).flatMap(\.settings.headers) : []
        return PipelineFront(
            log: LogID(pipeline.name, signal),
            processors: chain?.perSpan.filter { $0.signals.contains(signal) }.map(\.processor) ?? [],
            forwardedHeaders: forwardedHeaders(of: receiver).union(headers),
            itemsMax: recordItems(of: pipeline.value),
            unrouted: signal == .traces ? unrouted(in: pipeline.value) : nil,
            window: window,
            routers: signal == .traces ? chain?.behind.compactMap { $0 as? any ForeseeingProcessor } ?? [] : [],
            tally: tallies.tally(of: pipeline.name, receiver: receiver, signal)
        )
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
