import Basics
import Journal
import Logging
import OTLP
import Pipeline
import Processors
import Settings

/// The windowed processor of a pipeline.
struct PipelineWindow: Sendable {
    /// Its key in the pipeline file.
    let name: String
    /// Whether it joins log records.
    private let joinsLogs: Bool

    fileprivate init(name: String, joinsLogs: Bool) {
        self.name = name
        self.joinsLogs = joinsLogs
    }

    /// Whether it reads the log of that signal.
    func reads(_ signal: Signal) -> Bool { signal == .traces || signal == .logs && joinsLogs }
}

extension PipelineFile {
    /// The windowed processor of a pipeline that takes spans; nil where it has none.
    func window(of pipeline: PipelineSettings) -> PipelineWindow? {
        guard pipeline.signals.contains(.traces) else { return nil }
        let processors = processors(of: pipeline)
        guard let window = processors.first(where: \.settings.isWindowed) else { return nil }
        let joins = window.settings.makeWindow(named: window.name, mapping: [], routing: [])?.joinsLogs ?? false
        return PipelineWindow(name: window.name, joinsLogs: joins && pipeline.signals.contains(.logs))
    }

    /// Settles what an earlier process moved behind the windows, of all pipelines or of those named.
    ///
    /// - Returns: What it decided, by pipeline.
    func recoverWindows(of journal: Journal, only names: Set<String>? = nil) -> [String: WindowRecovery] {
        var recovered: [String: WindowRecovery] = [:]
        for pipeline in pipelines where names?.contains(pipeline.name) ?? true {
            guard let window = window(of: pipeline.value),
                let output = journal.log(LogID(windowOf: pipeline.name)),
                let front = journal.log(LogID(pipeline.name, .traces)), let spans = front.reader(named: window.name)
            else { continue }
            let logs = journal.log(LogID(pipeline.name, .logs))?.reader(named: window.name)
            recovered[pipeline.name] = WindowRecovery(
                of: output,
                front: front,
                spans: spans,
                logs: logs,
                in: journal
            )
        }
        return recovered
    }

    /// The windows of all pipelines, or of those named, between the log of their spans and that which the exporters read.
    func windowStages(
        of store: Store,
        _ recovered: [String: WindowRecovery],
        only names: Set<String>? = nil,
        chains: [String: ProcessorChain],
        memory: MemoryBudget,
        meters: Meters,
        logger: Logger
    ) -> [String: WindowStage] {
        let journal = store.journal
        return pipelines.reduce(into: [:]) { stages, pipeline in
            guard names?.contains(pipeline.name) ?? true, let window = window(of: pipeline.value),
                let output = journal.log(LogID(windowOf: pipeline.name)),
                let processor = chains[pipeline.name]?.window
            else { return }
            let readers = journal.pipelines.reduce(0) { $0 + $1.readers.count }
            let inputs = [(WindowSource.spans, Signal.traces), (.logs, .logs)].compactMap { source, signal in
                input(of: window, journal.log(LogID(pipeline.name, signal)), store.shares).map { (source, $0) }
            }
            let windowMeters = WindowMeters(meters, pipeline: pipeline.name, processor: window.name)
            let stage = WindowStage(
                name: window.name,
                processor: processor,
                inputs: Dictionary(uniqueKeysWithValues: inputs),
                output: output,
                journal: journal,
                decided: recovered[pipeline.name]?.decided ?? [],
                shown: recovered[pipeline.name]?.shown ?? [],
                isNoted: self.journal.storage == .disk,
                forwardedHeaders: forwardedHeaders(of: pipeline.value),
                bytesMax: recordsMemory.bytes / max(1, readers),
                traceBytesMax: assembledBytesMax,
                memory: memory,
                clock: .system,
                meters: windowMeters,
                logger: logger
            )
            windowMeters.register(stage)
            stages[pipeline.name] = stage
        }
    }

    /// Headers that the exporters of a pipeline send along.
    func forwardedHeaders(of pipeline: PipelineSettings) -> Set<String> {
        pipeline.receivers.reduce(into: []) { $0.formUnion(forwardedHeaders(of: $1)) }
    }

    /// How the window of a pipeline waits; nil for one without.
    func windowSettings(of pipeline: PipelineSettings) -> WindowSettings? {
        guard let window = window(of: pipeline), let settings = processors.first(where: { $0.name == window.name })
        else {
            return nil
        }
        return settings.settings.makeWindow(named: window.name, mapping: [], routing: [])?.window
    }

    private func input(of window: PipelineWindow, _ log: Log?, _ shares: RouteShares) -> WindowInput? {
        guard let log, let reader = log.reader(named: window.name) else { return nil }
        return WindowInput(log: log, reader: reader, shares: shares.destination(window.name, of: log.id))
    }
}
