import Basics
import OTLP

/// The random number of a trace, by which shares are drawn, and what its spans say of earlier draws.
///
/// It is `ot=rv:` of its `tracestate`, else the session's where that is wanted, else the last 56 bits of the trace id (W3C Trace Context
/// level 2).
struct TraceDraw: Sendable {
    let randomness: UInt64
    /// With which threshold the topmost span was sampled before; nil where that is not known.
    let earlier: UInt64?
    /// Whether the number is the session's, which others cannot know from the trace id.
    private let isOfSession: Bool
    /// Whether it is the trace id's, because no span has another.
    let isOfTraceID: Bool

    /// - Parameters:
    ///   - batch: The trace.
    ///   - top: Its root, else its topmost span.
    ///   - bySession: Whether the session's number is wanted, where it has one.
    init(_ batch: SpanBatch, top: Int, bySession: Bool) {
        let own = Self.state(of: top, batch)
        var randomness = own?.randomness
        if randomness == nil {
            for span in batch.spans.indices where randomness == nil {
                randomness = Self.state(of: span, batch)?.randomness
            }
        }
        let session = randomness == nil && bySession ? Self.session(of: batch, top: top) : nil
        isOfSession = session != nil
        isOfTraceID = randomness == nil && session == nil
        let drawn = randomness ?? session ?? batch.spans[top].traceID.low & (SamplingRatio.whole - 1)
        self.randomness = drawn
        earlier = own?.threshold.flatMap { $0 <= drawn ? $0 : nil }
    }

    /// Writes with which threshold spans are kept, where there is one, never below that with which they were before.
    ///
    /// - Returns: How many traces this one stands for, by its topmost span.
    func write(_ threshold: UInt64?, to batch: inout SpanBatch, top: Int) -> Double {
        guard let threshold else { return Self.count(earlier ?? 0) }
        let fresh = text(TraceState(""), threshold)
        for span in batch.spans.indices where batch.removal(of: span) == nil {
            guard let state = Self.state(of: span, batch) else {
                // No list of others is so long that it would be taken apart.
                if batch.spans[span].traceState.isEmpty { batch.setTraceState(fresh, of: span) }
                continue
            }
            let changed = text(state, threshold)
            if changed != batch.text(batch.spans[span].traceState) { batch.setTraceState(changed, of: span) }
        }
        return Self.count(max(earlier ?? 0, threshold))
    }

    private func text(_ state: TraceState, _ threshold: UInt64) -> String {
        var state = state
        // One above the number contradicts that the span is here.
        let before = state.threshold.flatMap { $0 <= randomness ? $0 : nil }
        state.threshold = max(before ?? 0, threshold)
        if isOfSession { state.giveRandomness(randomness) }
        return state.text
    }

    private static func state(of span: Int, _ batch: SpanBatch) -> TraceState? {
        let range = batch.spans[span].traceState
        guard !range.isEmpty, range.count <= TraceState.lengthMax else { return nil }
        return TraceState(batch.text(range))
    }

    private static func session(of batch: SpanBatch, top: Int) -> UInt64? {
        for span in [top] + Array(batch.spans.indices) {
            guard let found = batch.attribute("session.id", in: batch.spans[span].attributes),
                case .string(let range) = batch.value(of: found), !range.isEmpty
            else { continue }
            return SHA256.hash(Array(batch.bytes[range])).prefix(7).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        return nil
    }

    /// How many a trace stands for that was kept with a threshold.
    static func count(_ threshold: UInt64) -> Double {
        Double(SamplingRatio.whole) / Double(SamplingRatio.whole - min(threshold, SamplingRatio.whole - 1))
    }

    /// A number of traces, with two digits behind the point where it is not whole.
    static func text(of count: Double) -> String {
        let hundredths = UInt64((min(count, 1e15) * 100).rounded())
        let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
        return rest == 0 ? "\(whole)" : "\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }
}
