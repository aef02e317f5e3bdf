package import Basics
import Conditions
import MLflow
package import OTLP
package import Pipeline
package import Settings

/// The settings of `sample`.
package struct SampleSettings: Sendable {
    /// The share of the traces that is kept, from 0 to 1.
    package var ratio = 1.0
    /// What is kept whatever the ratio says; nil for nothing.
    package var keep: JSONNode?
    /// How the ratio relates to what was sampled before.
    var mode = SamplingRatio.Mode.equalizing
    /// Hexadecimal digits of a threshold behind those that are `f`.
    var precision = 4
    /// Whether spans go whose `tracestate` contradicts itself.
    var failClosed = true

    package init() {}
}

extension SampleSettings: ProcessorSettings {
    package var signals: Set<Signal> { [.traces, .logs] }
    package var conditions: [String] { ["keep"] }

    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Keeps a share of the traces, the same ones on every machine that samples by trace id, and the log records of these by the ratio and the id of their trace alone: what else keeps or drops spans, `keep`, `sampling.priority`, `rv` and what was sampled before, says nothing of their log records. Log records without a trace stay. The attribute `sampling.priority` of a span, where it is 0, drops its trace, and above 0 keeps it, as far as both are in one request.",
        SampleSettings(),
        [
            Field("ratio", \.ratio, .number(0...1), "The share of traces that is kept.", required: true),
            Field(
                "keep",
                optional: \.keep,
                .condition,
                "What is kept whatever the ratio says: log records for which this holds, and of a trace all spans of the request where it holds "
                    + "for one. `matches` takes RE2's syntax, found anywhere in "
                    + "the value, and at most \(RegularExpression.sizeMax) instructions of its program."
            ),
            Field(
                "mode",
                \.mode,
                .choice(["equalizing": .equalizing, "proportional": .proportional]),
                "What becomes of spans that were sampled before, as `ot=th:` of their `tracestate` says: `equalizing` keeps the ratio of what "
                    + "was recorded at first, and no less of what is below it; `proportional` keeps the ratio of what comes."
            ),
            Field(
                "precision",
                \.precision,
                .integer(1...14),
                "Hexadecimal digits of the threshold, those not counted that are `f` at its start."
            ),
            Field(
                "fail_closed",
                \.failClosed,
                .flag,
                "Whether spans go whose `tracestate` cannot be right: `th` or `rv` is malformed, or the trace's randomness is below the threshold "
                    + "that it is said to have passed. With `false` what is wrong is ignored, and the ratio decides."
            ),
        ]
    )

    package var readsMapping: Bool { keep != nil }

    package func makeProcessor(named name: String) throws -> (any SpanProcessor)? {
        try Sample(name: name, settings: self)
    }
}

/// Keeps a share of the traces: the same ones wherever traces are sampled consistently (OpenTelemetry specification, "Trace
/// Context in TraceState: Probability Sampling").
///
/// A trace is kept where its randomness, the last 56 bits of its id or `ot=rv:`, is at least the threshold. What an SDK has
/// sampled before counts: the threshold that is written is never below that. What is kept by the condition or by
/// `sampling.priority` keeps the `tracestate` it came with, because the ratio says nothing about it.
package struct Sample: SpanProcessor {
    /// What is decided about one span or log record, and why.
    enum Verdict: Equatable {
        /// The condition, or the priority of one of its trace, keeps it.
        case exempt(Exemption.Reason)
        /// The share decides.
        case share(isKept: Bool)
        /// Its `tracestate` cannot be right.
        case contradictory

        var isKept: Bool {
            switch self {
            case .exempt(let reason): reason != .unwanted
            case .share(let isKept): isKept
            case .contradictory: false
            }
        }
    }

    private let name: String
    let ratio: SamplingRatio
    /// Of the condition; copied for each request.
    private let keep: ConditionMatcher?
    private let failsClosed: Bool
    private let freshTraceState: String

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file, under which it counts.
    ///   - settings: What it is to do.
    /// - Throws: What is wrong with the condition; offsets and pointers are those inside `keep`.
    package init(name: String, settings: SampleSettings) throws(DocumentProblems) {
        self.name = name
        ratio = SamplingRatio(min(max(settings.ratio, 0), 1), settings.mode, precision: settings.precision)
        failsClosed = settings.failClosed
        if let node = settings.keep {
            keep = ConditionMatcher([try Condition(decoding: node)])
        } else {
            keep = nil
        }
        var state = TraceState("")
        state.threshold = ratio.threshold(after: nil)
        freshTraceState = state.text
    }

    package func process(_ work: inout SpanWork) {
        decide(&work) { _, _ in }
    }

    /// Decides on everything that is still in, takes out what does not stay, and tells what was decided.
    func decide(_ work: inout SpanWork, _ tell: (Int, Verdict) -> Void) {
        var keep = keep
        let isTraces = work.batch.signal == .traces
        let exemptions = isTraces ? Exemption.ofTraces(in: &work, &keep) : [:]
        var removed = 0
        for unit in 0..<work.batch.unitCount where work.batch.removal(of: unit) == nil {
            let verdict =
                isTraces ? decide(span: unit, exemptions, &work.batch) : decide(record: unit, &keep, &work)
            tell(unit, verdict)
            guard !verdict.isKept else { continue }
            work.batch.remove(unit, as: .sampledOut)
            removed += 1
        }
        work.tally.add(removed, .removed(.sampledOut), by: name)
        work.account.add(steps: keep?.steps ?? 0)
    }

    /// Decides on a log record by the id of its trace alone: what of a trace SDKs have sampled, it does not say.
    private func decide(record: Int, _ keep: inout ConditionMatcher?, _ work: inout SpanWork) -> Verdict {
        if work.satisfies(&keep, record) { return .exempt(.condition) }
        let entry = work.batch.unit(record)
        guard entry.hasTrace else { return .share(isKept: true) }
        return .share(isKept: ratio.threshold(after: nil).map { entry.traceID.randomness >= $0 } ?? false)
    }

    /// Decides on one span and writes the threshold where the share keeps it.
    private func decide(span: Int, _ exemptions: [TraceID: Exemption.Reason], _ batch: inout SpanBatch) -> Verdict {
        let entry = batch.spans[span]
        if !exemptions.isEmpty, let reason = exemptions[entry.traceID] { return .exempt(reason) }
        // No list of others is that long, and taking it apart would take a multiple of its size.
        guard !entry.traceState.isEmpty, entry.traceState.count <= TraceState.lengthMax else {
            guard let threshold = ratio.threshold(after: nil), entry.traceID.randomness >= threshold else {
                return .share(isKept: false)
            }
            if entry.traceState.isEmpty { batch.setTraceState(freshTraceState, of: span) }
            return .share(isKept: true)
        }
        let text = batch.text(entry.traceState)
        var state = TraceState(text)
        let randomness = state.randomness ?? entry.traceID.randomness
        // A threshold above the randomness contradicts that the span is here, so it cannot be true.
        if state.isMalformed || (state.threshold ?? 0) > randomness {
            if failsClosed { return .contradictory }
            if (state.threshold ?? 0) > randomness { state.threshold = nil }
        }
        guard let threshold = ratio.threshold(after: state.threshold), randomness >= threshold else {
            return .share(isKept: false)
        }
        state.threshold = threshold
        let changed = state.text
        if changed != text { batch.setTraceState(changed, of: span) }
        return .share(isKept: true)
    }
}

extension TraceID {
    /// The last 56 bits.
    fileprivate var randomness: UInt64 { low & (SamplingRatio.whole - 1) }
}
