package import Basics
package import OTLP
package import Pipeline

/// Makes one request of everything that came of a trace: joined with its log records, repaired, mapped and routed as a whole, its root first.
///
/// What it makes does not depend on the order in which the parts came.
package struct Assemble: WindowedProcessor {
    package let window: WindowSettings
    package let joinsLogs: Bool
    private let joinsEvents: Bool
    /// Whether log records of sessions become traces.
    let joinsSessions: Bool
    private let repairs: Bool
    let processors: [any SpanProcessor]
    /// Decides which traces are kept; nil where all are.
    let sampler: TailSampler?

    /// - Parameters:
    ///   - settings: What it is to do.
    ///   - processors: Those that work on the whole trace, in their order.
    package init(settings: AssembleSettings, processors: [any SpanProcessor]) {
        self.init(settings: settings, processors: processors, sampler: nil)
    }

    init(settings: AssembleSettings, processors: [any SpanProcessor], sampler: TailSampler?) {
        self.sampler = sampler
        window = settings.window
        (joinsEvents, joinsSessions) = (settings.joinLogEvents, settings.logSessions)
        joinsLogs = settings.joinLogEvents || settings.logSessions
        repairs = settings.repair
        self.processors = processors
    }

    package func joins(_ unit: Int, of logs: Envelope) -> Bool { joinsEvents && GenAIEvent(unit, of: logs) != nil }

    package var samples: Bool { sampler != nil }

    package var dropCertainty: DropCertainty { sampler?.dropCertainty ?? .never }

    package func foresee(_ payload: [UInt8]) -> TraceForesight { sampler?.foresee(payload) ?? TraceForesight() }

    package func restore(_ key: TraceKey, route: Route, receivedAt: UnixTime) {
        for case let router as MLflowExperiment in processors {
            router.restore(key.trace, route: route, identity: key.identity, receivedAt: receivedAt)
        }
    }

    package func assemble(_ trace: WholeTrace) -> AssembledTrace {
        if trace.reason == .late, let route = trace.decided?.route {
            restore(trace.key, route: route, receivedAt: trace.parts[0].receivedAt)
        }
        let known = ahead(of: trace)
        let draft = TraceDraft(trace.parts)
        guard var batch = try? SpanBatch(draft.bytes), batch.spans.count == draft.heads.count, !draft.heads.isEmpty
        else {
            return draft.asItCame(trace)
        }
        let joined = join(trace.logs, of: trace, draft, &batch)
        let adoption = Adoption(draft.heads, trace.parts.flatMap(\.metadata.tombstones))
        batch.setParents(adoption.links)
        for (heir, remains) in adoption.heirs { batch.inherit(remains, to: heir) }
        let repair = TraceRepair(adoption.heads)
        let isOver = trace.isOver || adoption.lacksRoot
        let created = repairs && isOver ? repair.apply(to: &batch, adoption.remains) : nil
        if repairs, !isOver { repair.breakCircles(of: &batch) }
        if created != nil || batch.isMarked {
            let changed = (created ?? []) + (batch.encoded()?.payload ?? [])
            guard let again = try? SpanBatch(changed) else { return draft.asItCame(trace) }
            batch = again
        }
        let rootPart = Int(draft.parts[repair.top])
        let top = created == nil ? repair.top : 0
        var work = work(batch, TracePlace(key: trace.key, top: top), of: trace.parts[rootPart])
        for processor in processors { processor.process(&work) }
        let route = work.route(of: top)
        let offset = created == nil ? 0 : 1
        let target = route == .none ? trace.parts[rootPart].metadata.route : route
        let decision = sampler?.decide(&work, of: trace, created: offset, top: top, target)
        if let decision, !decision.verdict.isKept {
            return sampledOut(decision, work, target, created: offset, joined: joined, rootPart: rootPart)
        }
        let isNew = { (span: Int) in
            span >= offset && !trace.ahead.contains(Int(draft.parts[span - offset]))
        }
        let services = work.services(counting: isNew) { _ in target }
        let written = WrittenTrace(&work.batch, first: top, known) { span in
            span >= offset && trace.ahead.contains(Int(draft.parts[span - offset]))
        }
        var assembled = AssembledTrace(
            route: target,
            payload: written.payload,
            items: written.items
        )
        (assembled.amended, assembled.services) = (written.amended, services)
        if route != .none { assembled.refusal = work.source.identity?.refusal(of: route) }
        assembled.rootPart = rootPart
        assembled.created = created == nil ? 0 : 1
        assembled.joined = joined
        assembled.filtered = work.batch.itemCount - work.batch.keptCount
        assembled.tally = work.tally
        (assembled.verdict, assembled.totals) = (decision?.verdict, decision?.totals)
        return assembled
    }

    /// A trace that a policy drops: nothing but what is counted.
    private func sampledOut(
        _ decision: TailSampler.Decision,
        _ work: SpanWork,
        _ route: Route,
        created: Int,
        joined: Int,
        rootPart: Int
    ) -> AssembledTrace {
        var made = AssembledTrace(route: route, payload: [], items: 0, rootPart: rootPart)
        made.sampledOut = work.batch.keptCount - created
        made.sampledOutLogs = joined
        made.filtered = work.batch.itemCount - work.batch.keptCount
        made.tally = work.tally
        made.tally.add(made.sampledOut, .sampledOut(policy: decision.verdict.policy), by: sampler?.name ?? "")
        (made.verdict, made.totals) = (decision.verdict, decision.totals)
        return made
    }

    /// Bytes that log records may add to any trace, besides twice those of it and of them: written as a message, text in JSON takes
    /// more room.
    private static let joinedBytesMin = 64 << 10

    /// Puts log records into the spans that they name; says how many.
    private func join(
        _ logs: [WholeTrace.Part],
        of trace: WholeTrace,
        _ draft: TraceDraft,
        _ batch: inout SpanBatch
    ) -> Int {
        guard !logs.isEmpty else { return 0 }
        let bytes = draft.bytes.count + logs.reduce(0) { $0 + $1.payload.count }
        let bytesMax = 2 * bytes + Self.joinedBytesMin
        let identity = { (span: Int) in trace.parts[Int(draft.parts[span])].metadata.identity }
        var count = 0
        if joinsEvents {
            var joined = JoinedLogs(logs, of: trace.key.trace)
            count += joined.apply(to: &batch, bytesMax: bytesMax, identity: identity)
        }
        guard joinsSessions else { return count }
        return count + SessionTools(logs).apply(to: &batch, bytesMax: bytesMax, identity: identity)
    }

    func work(_ batch: SpanBatch, _ place: TracePlace, of part: WholeTrace.Part) -> SpanWork {
        let source = RequestSource(
            receiver: "",
            headers: part.metadata.headers,
            identity: part.metadata.identity.map { Identity($0, experiments: part.metadata.boundExperiments) },
            address: part.metadata.address
        )
        var work = SpanWork(batch: batch, source: source, receivedAt: part.receivedAt)
        work.trace = place
        return work
    }
}

extension RecordMetadata {
    /// Where its client may write; nil for anywhere.
    fileprivate var boundExperiments: ExperimentList? { experiments.isEmpty ? nil : ExperimentList(experiments) }
}

extension WholeTrace {
    /// Whether nothing more is waited for, though something is missing.
    fileprivate var isOver: Bool { reason == .waited || reason == .closed }
}
