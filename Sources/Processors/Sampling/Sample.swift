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
    /// Spans and log records for which this holds are kept whatever the ratio says; nil for none.
    package var keep: JSONNode?

    package init() {}
}

extension SampleSettings: ProcessorSettings {
    package var signals: Set<Signal> { [.traces, .logs] }

    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Keeps a share of the traces, the same ones on every machine that samples by trace id, and the log records of these; log records without a trace stay.",
        SampleSettings(),
        [
            Field("ratio", \.ratio, .number(0...1), "The share of traces that is kept.", required: true),
            Field(
                "keep",
                optional: \.keep,
                .condition,
                "Spans and log records for which this holds are kept whatever the ratio says. `matches` takes RE2's syntax, found anywhere in "
                    + "the value, and at most \(RegularExpression.sizeMax) instructions of its program."
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
/// sampled before counts: the threshold that is written is the higher one. A span kept by the condition keeps the
/// `tracestate` it came with, because the ratio says nothing about it.
package struct Sample: SpanProcessor {
    private let name: String
    /// In 2⁵⁶ths.
    private let threshold: UInt64
    /// Of the condition; copied for each request.
    let keep: ConditionMatcher?
    /// For people.
    let ratio: Double
    private let freshTraceState: String

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file, under which it counts.
    ///   - settings: What it is to do.
    /// - Throws: What is wrong with the condition; offsets and pointers are those inside `keep`.
    package init(name: String, settings: SampleSettings) throws(DocumentProblems) {
        self.name = name
        ratio = min(max(settings.ratio, 0), 1)
        threshold = Self.whole - UInt64((ratio * Double(Self.whole)).rounded())
        if let node = settings.keep {
            keep = ConditionMatcher([try Condition(decoding: node)])
        } else {
            keep = nil
        }
        var state = TraceState("")
        state.threshold = threshold < Self.whole ? threshold : nil
        freshTraceState = state.text ?? ""
    }

    /// 2⁵⁶, above every randomness.
    private static let whole: UInt64 = 1 << 56

    package func process(_ work: inout SpanWork) {
        guard threshold > 0 else { return }
        var removed = 0
        var keep = keep
        for span in 0..<work.batch.unitCount where work.batch.removal(of: span) == nil {
            if work.satisfies(&keep, span) { continue }
            let stays = work.batch.signal == .traces ? sample(span, &work.batch) : staysWithTrace(span, work.batch)
            if !stays {
                work.batch.remove(span, as: .sampledOut)
                removed += 1
            }
        }
        work.tally.add(removed, .removed(.sampledOut), by: name)
        work.account.add(steps: keep?.steps ?? 0)
    }

    /// Decides on a log record by the id of its trace alone: what of a trace SDKs have sampled, it does not say.
    private func staysWithTrace(_ record: Int, _ batch: borrowing SpanBatch) -> Bool {
        let entry = batch.unit(record)
        return !entry.hasTrace || entry.traceID.low & (Self.whole - 1) >= threshold
    }

    /// Decides on one span and writes the threshold where it stays.
    private func sample(_ span: Int, _ batch: inout SpanBatch) -> Bool {
        let entry = batch.spans[span]
        let ofID = entry.traceID.low & (Self.whole - 1)
        guard !entry.traceState.isEmpty else {
            guard ofID >= threshold else { return false }
            batch.setTraceState(freshTraceState, of: span)
            return true
        }
        // No list of others is that long, and taking it apart would take a multiple of its size.
        guard entry.traceState.count <= TraceState.lengthMax else { return ofID >= threshold }
        let text = batch.text(entry.traceState)
        var state = TraceState(text)
        let randomness = state.randomness ?? ofID
        guard randomness >= threshold else { return false }
        // A threshold above the randomness contradicts that the span is here, so it cannot be true.
        let earlier = state.threshold.flatMap { $0 <= randomness ? $0 : nil } ?? 0
        state.threshold = max(earlier, threshold)
        if let changed = state.text, changed != text { batch.setTraceState(changed, of: span) }
        return true
    }
}
