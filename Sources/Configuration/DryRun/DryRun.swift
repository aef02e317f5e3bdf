package import Basics
import Conditions
import MLflow
import OTLP
package import Pipeline
import Processors
import Settings

/// A request of a dry run.
struct DryRunRequest: Sendable {
    let batch: Envelope
    /// Names in lower case.
    var headers: [HTTPHeader] = []
    /// When it comes, since the first one.
    var moment = Duration.zero
}

/// A pipeline's processors without its journal and its network: they run on one request and say what they do.
///
/// Its processors are its own: what they remember of a request, the next dry run does not know.
package struct DryRun: Sendable {
    private struct Stage: Sendable {
        let name: String
        let type: String
        let processor: any SpanProcessor
        /// Whether it runs before all others, on requests of every signal.
        var isFirst = false
    }

    private let pipeline: Named<PipelineSettings>
    private let stages: [Stage]
    /// What works on whole traces, for what it finds in a request.
    private let wholeStages: [Stage]
    private let window: (name: String, type: String, processor: any WindowedProcessor)?
    private let unrouted: Route?

    init(_ pipeline: Named<PipelineSettings>, of file: PipelineFile) throws {
        self.pipeline = pipeline
        unrouted = file.unrouted(in: pipeline.value)
        let processors = file.processors(of: pipeline.value)
        let windowed = processors.firstIndex(where: \.settings.isWindowed)
        var stages: (front: [Stage], whole: [Stage]) = ([], [])
        for (index, processor) in processors.enumerated() {
            guard let made = try processor.settings.makeProcessor(named: processor.name) else { continue }
            let stage = Stage(
                name: processor.name,
                type: processor.type,
                processor: made,
                isFirst: processor.settings.turn < .listed
            )
            let isOfTraces = windowed.map { index > $0 || processor.settings.isOfWholeTraces } ?? false
            if isOfTraces { stages.whole.append(stage) } else { stages.front.append(stage) }
        }
        (self.stages, wholeStages) = stages
        window = try windowed.flatMap { index in
            try ProcessorChain(processors).window.map { (processors[index].name, processors[index].type, $0) }
        }
    }

    /// Runs the processors over one request, as if it had come with these headers from that client; names of headers are in
    /// lower case.
    package func run(_ body: DryRunBody, headers: [HTTPHeader] = [], from identity: Identity? = nil) -> DryRunResult {
        run([DryRunRequest(batch: body.batch, headers: headers)], from: identity)
    }

    /// Runs the processors over several requests of one client; those of spans are shown, each span once.
    ///
    /// Spans are looked for that satisfy the condition behind what works on single spans; all where there is none. Where it is not
    /// `explained`, spans have no attributes and no steps, only what becomes of them, which costs what it costs on their way.
    func run(
        _ requests: [DryRunRequest],
        from identity: Identity? = nil,
        looking condition: Condition? = nil,
        explained isExplained: Bool = true
    ) -> DryRunResult {
        var spans: [DryRunSpan] = []
        var matcher = condition.map { ConditionMatcher([$0]) }
        var rehearsal = window.map { WindowRehearsal($0.processor) }
        for request in requests {
            var (work, own) = run(request, from: identity, explained: isExplained)
            matcher?.begin()
            for span in own.indices {
                own[span].route = work.route(of: span)
                let mapped = work.mapped.isEmpty ? nil : work.mapped[span]
                own[span].isLookedFor = matcher?.matches(0, span, in: work.batch, mapped: mapped) ?? true
            }
            rehearsal?.take(work, at: request.moment)
            if isExplained, request.batch.signal == .traces {
                var copy = work
                for stage in wholeStages { run(stage, on: &copy, &own, explained: true) }
            }
            spans += own
        }
        if let window, var rehearsal {
            spans = spans.decided(by: (window.name, window.type), rehearsal.finish(), explained: isExplained)
        }
        let places = spans.lazy.filter { $0.removal == nil }.compactMap { $0.route == .none ? unrouted : $0.route }
        return DryRunResult(
            pipeline: pipeline.name,
            exporters: pipeline.value.exporters,
            spans: spans,
            refusal: places.compactMap { identity?.refusal(of: $0) }.first
        )
    }

    /// Runs what works on single spans.
    private func run(
        _ request: DryRunRequest,
        from identity: Identity?,
        explained isExplained: Bool
    ) -> (work: SpanWork, spans: [DryRunSpan]) {
        let receiver = pipeline.value.receivers.first ?? ""
        let source = RequestSource(receiver: receiver, headers: request.headers, identity: identity)
        var work = SpanWork(batch: request.batch, source: source, receivedAt: WallClock.system.now())
        if window != nil { work.leaveTombstones() }
        let first = stages.prefix { $0.isFirst }
        guard request.batch.signal == .traces else {
            for stage in first { stage.processor.process(&work) }
            return (work, [])
        }
        var spans = request.batch.spans.indices.map { DryRunSpan(request.batch, $0, explained: isExplained) }
        for stage in first { run(stage, on: &work, &spans, explained: isExplained) }
        // What these take out is shown nowhere.
        for span in spans.indices { spans[span].reread(work.batch, span, explained: isExplained) }
        for stage in stages.dropFirst(first.count) { run(stage, on: &work, &spans, explained: isExplained) }
        return (work, spans)
    }

    private func run(
        _ stage: Stage,
        on work: inout SpanWork,
        _ spans: inout [DryRunSpan],
        explained isExplained: Bool
    ) {
        guard isExplained else {
            stage.processor.process(&work)
            for span in spans.indices where spans[span].removal == nil {
                if let removal = work.batch.removal(of: span) { spans[span].removal = (removal, stage.name) }
            }
            return
        }
        var notes: [SpanNote] = []
        if let noting = stage.processor as? any ExplainableProcessor {
            noting.process(&work, noting: &notes)
        } else {
            stage.processor.process(&work)
        }
        let views = work.views()
        var findings = [[DryRunSpan.Finding]](repeating: [], count: spans.count)
        for note in notes {
            let view = views[note.span]
            let value = note.target.flatMap { view?[$0] }
            let isEvent = value == nil && note.target.map { view?.events.contains($0) == true } == true
            findings[note.span].append(.init(finding: note.finding, value: value, isEvent: isEvent))
        }
        for span in spans.indices where spans[span].removal == nil {
            spans[span].steps.append(.init(processor: stage.name, type: stage.type, findings: findings[span]))
            if let view = views[span] { spans[span].view = view }
            if let removal = work.batch.removal(of: span) { spans[span].removal = (removal, stage.name) }
        }
    }
}

extension PipelineFile {
    /// A dry run of one pipeline; nil where the file has no pipeline of that name.
    package func dryRun(of name: String) throws -> DryRun? {
        try pipelines.first { $0.name == name }.map { try DryRun($0, of: self) }
    }
}

extension SpanNote {
    /// The key of the attribute, or the name of the event, that it left.
    fileprivate var target: String? {
        guard case .changed(let decision) = finding else { return nil }
        switch decision.action {
        case .set, .repaired, .renamed: return decision.target
        case .removed, .redacted, .truncated, .dropped, .ignored: return nil
        }
    }
}
