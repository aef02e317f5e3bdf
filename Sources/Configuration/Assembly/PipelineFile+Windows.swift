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
    let settings: any ProcessorSettings
    /// Whether it joins log records.
    private let joinsLogs: Bool
    /// The names of the processors behind it, in their order.
    let behind: [String]

    fileprivate init(
        _ processor: Configured<any ProcessorSettings>,
        joinsLogs: Bool,
        behind: [String]
    ) {
        name = processor.name
        settings = processor.settings
        self.joinsLogs = joinsLogs
        self.behind = behind
    }

    /// Whether it reads the log of that signal.
    func reads(_ signal: Signal) -> Bool { signal == .traces || signal == .logs && joinsLogs }
}

extension PipelineFile {
    /// The windowed processor of a pipeline that takes spans; nil where it has none.
    func window(of pipeline: PipelineSettings) -> PipelineWindow? {
        guard pipeline.signals.contains(.traces) else { return nil }
        for (index, name) in pipeline.processors.enumerated() {
            guard let processor = processors.first(where: { $0.name == name }), let traits = processor.settings.window
            else { continue }
            let behind = Array(pipeline.processors[(index + 1)...])
            return PipelineWindow(
                processor,
                joinsLogs: traits.joinsLogs && pipeline.signals.contains(.logs),
                behind: behind
            )
        }
        return nil
    }

    /// Settles what an earlier process moved behind the windows.
    ///
    /// - Returns: The traces that it decided, by pipeline.
    func recoverWindows(of journal: Journal) -> [String: [TraceKey]] {
        var decided: [String: [TraceKey]] = [:]
        for pipeline in pipelines {
            guard let window = window(of: pipeline.value),
                let output = journal.log(LogID(windowOf: pipeline.name)),
                let spans = journal.log(LogID(pipeline.name, .traces))?.reader(named: window.name)
            else { continue }
            let logs = journal.log(LogID(pipeline.name, .logs))?.reader(named: window.name)
            decided[pipeline.name] = WindowRecovery(of: output, spans: spans, logs: logs, in: journal).decided
        }
        return decided
    }

    /// What chooses the routes of whole traces, by pipeline; none where each trace keeps that of its root.
    ///
    /// Blocks while it learns from the journal what it knew before the process started.
    func routers(of journal: Journal, clock: WallClock) throws -> [String: any SpanProcessor] {
        var routers: [String: any SpanProcessor] = [:]
        for pipeline in pipelines {
            guard let window = window(of: pipeline.value) else { continue }
            let router = try processors.first { window.behind.contains($0.name) && $0.settings.routing != nil }.flatMap {
                try $0.settings.makeProcessor(named: $0.name)
            }
            if let router = router as? any RoutingProcessor { router.keepRoom(for: namedExperiments(of: pipeline.value)) }
            if let router = router as? any RememberingProcessor, let log = journal.log(LogID(windowOf: pipeline.name)) {
                router.restore(from: log, at: clock.now())
            }
            routers[pipeline.name] = router
        }
        return routers
    }

    /// The windows of all pipelines, between the log of their spans and that which the exporters read.
    func windowStages(
        in journal: Journal,
        decided: [String: [TraceKey]],
        shares: RouteShares,
        routers: [String: any SpanProcessor],
        meters: Meters,
        logger: Logger
    ) -> [WindowStage] {
        pipelines.compactMap { pipeline in
            guard let window = window(of: pipeline.value),
                let output = journal.log(LogID(windowOf: pipeline.name)),
                let processor = window.settings.makeWindow(named: window.name, routing: routers[pipeline.name])
            else { return nil }
            let readers = journal.pipelines.reduce(0) { $0 + $1.readers.count }
            let inputs = [(WindowSource.spans, Signal.traces), (.logs, .logs)].compactMap { source, signal in
                input(of: window, journal.log(LogID(pipeline.name, signal)), shares).map { (source, $0) }
            }
            let windowMeters = WindowMeters(meters, pipeline: pipeline.name, processor: window.name)
            let stage = WindowStage(
                name: window.name,
                processor: processor,
                inputs: Dictionary(uniqueKeysWithValues: inputs),
                output: output,
                journal: journal,
                decided: decided[pipeline.name] ?? [],
                forwardedHeaders: pipeline.value.receivers.reduce(into: []) { $0.formUnion(forwardedHeaders(of: $1)) },
                bytesMax: recordsMemory.bytes / max(1, readers),
                clock: .system,
                meters: windowMeters,
                logger: logger
            )
            windowMeters.register(stage)
            return stage
        }
    }

    private func input(of window: PipelineWindow, _ log: Log?, _ shares: RouteShares) -> WindowInput? {
        guard let log, let reader = log.reader(named: window.name) else { return nil }
        return WindowInput(log: log, reader: reader, shares: shares.destination(window.name, of: log.id))
    }
}
