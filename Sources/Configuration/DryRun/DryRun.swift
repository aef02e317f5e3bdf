package import Basics
import MLflow
import OTLP
package import Pipeline
import Processors
import Settings

/// A pipeline's processors without its journal and its network: they run on one request and say what they do.
///
/// Its processors are its own: what they remember of a request, the next dry run does not know.
package struct DryRun: Sendable {
    private struct Stage: Sendable {
        let name: String
        let type: String
        let processor: any SpanProcessor
    }

    private let pipeline: Named<PipelineSettings>
    private let stages: [Stage]
    private let unrouted: Route?

    init(_ pipeline: Named<PipelineSettings>, of file: PipelineFile) throws {
        self.pipeline = pipeline
        unrouted = file.unrouted(in: pipeline.value)
        stages = try pipeline.value.processors.compactMap { name in
            guard let processor = file.processors.first(where: { $0.name == name }) else { return nil }
            return try processor.settings.makeProcessor(named: name).map {
                Stage(name: name, type: processor.type, processor: $0)
            }
        }
    }

    /// Runs the processors over one request, as if it had come with these headers from that client; names of headers are in
    /// lower case.
    package func run(_ body: DryRunBody, headers: [HTTPHeader] = [], from identity: Identity? = nil) -> DryRunResult {
        run(body.batch, headers: headers, from: identity)
    }

    func run(_ batch: SpanBatch, headers: [HTTPHeader], from identity: Identity? = nil) -> DryRunResult {
        let receiver = pipeline.value.receivers.first ?? ""
        let source = RequestSource(receiver: receiver, headers: headers, identity: identity)
        var work = SpanWork(batch: batch, source: source, receivedAt: WallClock.system.now())
        var spans = batch.spans.indices.map { DryRunSpan(batch, $0) }
        for stage in stages { run(stage, on: &work, &spans) }
        for span in spans.indices { spans[span].route = work.route(of: span) }
        let places = spans.lazy.filter { $0.removal == nil }.compactMap { $0.route == .none ? unrouted : $0.route }
        return DryRunResult(
            pipeline: pipeline.name,
            exporters: pipeline.value.exporters,
            spans: spans,
            refusal: places.compactMap { identity?.refusal(of: $0) }.first
        )
    }

    private func run(_ stage: Stage, on work: inout SpanWork, _ spans: inout [DryRunSpan]) {
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
        case .removed, .dropped, .ignored: return nil
        }
    }
}
