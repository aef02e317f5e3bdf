import Basics
import Conditions
import OTLP
import Pipeline
import Settings

/// Decides about whole traces by policies, and writes into those that are kept what was decided.
///
/// What is decided about a trace depends on its spans alone, besides what came before for `rate` and `rare`; not on the order in which they
/// came. A trace that was decided before gets the same again.
struct TailSampler: Sendable {
    /// Stands for the policy of traces that none is asked for.
    static let noPolicy = "no_policy"

    /// What was decided, and what the trace had.
    struct Decision {
        let verdict: TraceVerdict
        let totals: TraceTotals
    }

    /// The processor's key in the pipeline file.
    let name: String
    private let policies: [TailPolicy]
    /// Of their conditions; copied for each trace.
    private let matcher: TraceMatcher
    /// Whether what no policy is asked for is kept.
    private let keepsRest: Bool
    private let drawsBySession: Bool
    /// Conditions that keep a trace as soon as they hold for some of it.
    private let lasting: [TraceCondition]
    /// Conditions that drop one.
    private let drops: [TraceCondition]
    /// Of both, in this order.
    private let foreseeing: TraceMatcher

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file.
    ///   - settings: What it is to do.
    /// - Throws: What is wrong with a condition.
    init(name: String, settings: TailSampleSettings) throws(DocumentProblems) {
        self.name = name
        var conditions: [TraceCondition] = []
        var policies: [TailPolicy] = []
        for policy in settings.policies { policies.append(try TailPolicy(policy, &conditions)) }
        self.policies = policies
        matcher = TraceMatcher(conditions)
        keepsRest = policies.allSatisfy(\.isDrop)
        drawsBySession = settings.sessions
        func all(_ kind: (TailPolicy) -> Int?) -> [TraceCondition] {
            policies.compactMap { policy in
                kind(policy).map { index in
                    policy.when.map { TraceCondition.all([conditions[$0], conditions[index]]) } ?? conditions[index]
                }
            }
        }
        lasting = all { if case .keep(let index) = $0.kind { index } else { nil } }.filter(\.isLasting)
        drops = all { if case .drop(let index) = $0.kind { index } else { nil } }
        foreseeing = TraceMatcher(lasting + drops)
    }

    /// Decides about a trace and, where it is kept, writes that into it.
    ///
    /// - Parameters:
    ///   - work: The trace, after its processors.
    ///   - trace: What came of it.
    ///   - created: How many spans at its begin nobody sent.
    ///   - top: Its root, else its topmost span.
    ///   - route: Where it goes.
    /// - Returns: What was decided, and what the trace had.
    func decide(
        _ work: inout SpanWork,
        of trace: WholeTrace,
        created: Int,
        top: Int,
        _ route: Route
    ) -> Decision {
        let reading = TraceReading(work, created: created)
        // What comes of it later, or came in another request, was counted and signed with the rest.
        let isFirst = trace.reason != .late && !trace.isContinued
        let draw = TraceDraw(work.batch, top: top, bySession: drawsBySession)
        let moment = trace.decidedAt ?? .nanoseconds(Int64(clamping: work.receivedAt.nanoseconds))
        var verdict = trace.decided?.verdict ?? self.verdict(of: work, reading, draw, top: top, route, at: moment)
        if !verdict.isKept, !trace.ahead.isEmpty {
            // Spans went ahead because a policy kept it, which is in the file no longer.
            verdict = TraceVerdict(policy: Self.noPolicy, isKept: true)
        }
        if verdict.isKept {
            // Which number a session has is not known from a span that does not name it.
            let isDrawKnown = isFirst || !drawsBySession || !draw.isOfTraceID
            let adjusted = draw.write(isDrawKnown ? verdict.threshold : nil, to: &work.batch, top: top)
            if isFirst { sign(&work, top, verdict.policy, adjusted) }
        }
        return Decision(verdict: verdict, totals: reading.totals(route, isWhole: isFirst))
    }

    /// When it is certain that an open trace is not dropped.
    var dropCertainty: DropCertainty {
        guard !lasting.isEmpty else { return .never }
        if drops.isEmpty { return .always }
        return drops.allSatisfy { $0.isOfRoot && $0.isPlain } ? .withRoot : .never
    }

    /// What records of an open trace say of the decision about it.
    func foresee(_ payload: [UInt8]) -> TraceForesight {
        guard dropCertainty != .never, let batch = try? SpanBatch(payload) else { return TraceForesight() }
        var matcher = foreseeing
        let work = SpanWork(
            batch: batch,
            source: RequestSource(receiver: ""),
            receivedAt: UnixTime(nanoseconds: 0)
        )
        matcher.look(at: batch, mapped: work.mapped)
        let figures = TraceReading(work, created: 0).figures
        return TraceForesight(
            keeps: lasting.indices.contains { matcher.holds($0, figures) },
            drops: drops.indices.contains { matcher.holds(lasting.count + $0, figures) },
            hasRoot: batch.spans.contains { $0.parentID == nil }
        )
    }

    private func verdict(
        of work: SpanWork,
        _ reading: TraceReading,
        _ draw: TraceDraw,
        top: Int,
        _ route: Route,
        at moment: Duration
    ) -> TraceVerdict {
        var matcher = matcher
        matcher.look(at: work.batch, mapped: work.mapped)
        func holds(_ condition: Int?) -> Bool { condition.map { matcher.holds($0, reading.figures) } ?? true }
        let asked = policies.filter { holds($0.when) }
        for policy in asked {
            if case .drop(let condition) = policy.kind, holds(condition) {
                return TraceVerdict(policy: policy.name, isKept: false)
            }
        }
        for policy in asked {
            switch policy.kind {
            case .keep(let condition) where holds(condition): break
            case .rare(let rare) where rare.takes(sort(of: work.batch, reading, top: top, route), at: moment): break
            default: continue
            }
            return TraceVerdict(policy: policy.name, isKept: true)
        }
        let shares = asked.compactMap { policy -> (policy: TailPolicy, threshold: UInt64)? in
            switch policy.kind {
            case .share(let ratio): (policy, ratio.threshold(after: nil) ?? SamplingRatio.whole)
            case .rate(let rate): (policy, rate.threshold(after: draw.earlier, at: moment) ?? SamplingRatio.whole)
            case .drop, .keep, .rare: nil
            }
        }
        guard let least = shares.min(by: { $0.threshold < $1.threshold }) else {
            return TraceVerdict(policy: Self.noPolicy, isKept: keepsRest)
        }
        let isKept = draw.randomness >= least.threshold
        return TraceVerdict(policy: least.policy.name, isKept: isKept, threshold: isKept ? least.threshold : nil)
    }

    private func sort(
        of batch: SpanBatch,
        _ reading: TraceReading,
        top: Int,
        _ route: Route
    ) -> RareTraces.Sort {
        let name = Array(batch.bytes[batch.spans[top].name].prefix(256))
        return RareTraces.Sort(route: route, name: name, models: reading.models, tools: reading.tools)
    }

    private static let keys: [StaticString] = ["millrace.sampling.policy", "millrace.sampling.adjusted_count"]
    private static let tags: [StaticString] = [
        "mlflow.traceTag.millrace.sampling.policy", "mlflow.traceTag.millrace.sampling.adjusted_count",
    ]

    /// Writes on the root why its trace is there, and how many it stands for, in the place of what another gateway wrote.
    private func sign(_ work: inout SpanWork, _ top: Int, _ policy: String, _ adjusted: Double) {
        let body = work.batch.bytes
        for attribute in work.batch.spans[top].attributes {
            let key = work.batch.attributes[attribute].key
            if (Self.keys + Self.tags).contains(where: { body.span.bytes.equals($0, key) }) {
                work.batch.removeAttribute(attribute)
            }
        }
        work.batch.addAttribute(Self.keys[0], to: .span(top)) { $0.string(policy) }
        work.batch.addAttribute(Self.keys[1], to: .span(top)) { $0.double(adjusted) }
        // What MLflow shows of a trace, where the trace was mapped for it.
        guard !work.mapped.isEmpty else { return }
        work.batch.addAttribute(Self.tags[0], to: .span(top)) { $0.string(policy) }
        work.batch.addAttribute(Self.tags[1], to: .span(top)) { $0.string(TraceDraw.text(of: adjusted)) }
    }
}
