package import Basics
import OTLP
import Synchronization

/// What Millrace records about itself (`telemetry`): spans of requests and delivery attempts, kept until they are sent.
///
/// They wait in memory, not in the journal: a journal in trouble is what they tell of, and they take no room in it from what
/// was accepted. What does not fit is dropped and counted. Any thread.
package final class Telemetry: Sendable {
    /// Spans that wait, at most.
    package static let spansMax = 2048
    /// Links of one span, at most.
    static let linksMax = 32

    /// Of 2^56, below which the last 56 bits of a trace id are not recorded.
    private let threshold: UInt64
    private let spans = Mutex<[OwnSpan]>([])
    private let dropped: Counter
    let clock: WallClock

    /// - Parameters:
    ///   - ratio: The share of traces that are recorded, by their ids.
    ///   - meters: Counts what is dropped.
    ///   - clock: Gives the times of spans.
    package init(ratio: Double, meters: Meters, clock: WallClock = .system) {
        let whole = Double(UInt64(1) << 56)
        threshold = (1 << 56) - UInt64((min(max(ratio, 0), 1) * whole).rounded())
        dropped = meters.counter("millrace_telemetry_dropped_spans_total")
        self.clock = clock
    }

    /// Begins the span of a request; nil for one that is not recorded.
    ///
    /// Of a trace that its client does not record, nothing is recorded here.
    func begin(_ header: String?) -> RequestTrace? {
        let parent = header.flatMap { TraceParent($0) }
        if let parent, !parent.isSampled { return nil }
        let context = parent?.context.child() ?? .random()
        guard context.traceID.low & ((1 << 56) - 1) >= threshold else { return nil }
        return RequestTrace(context, parent: parent?.context, clock: clock)
    }

    /// Keeps a span until it is sent.
    func add(_ span: OwnSpan) {
        let fits = spans.withLock { spans in
            guard spans.count < Self.spansMax else { return false }
            spans.append(span)
            return true
        }
        if !fits { dropped.add() }
    }

    /// The oldest spans, which wait no more.
    func take(_ countMax: Int) -> [OwnSpan] {
        spans.withLock { spans in
            let taken = Array(spans.prefix(countMax))
            spans.removeFirst(taken.count)
            return taken
        }
    }

    /// Puts spans back that could not be sent, as far as there is room.
    func putBack(_ unsent: [OwnSpan]) {
        let over = spans.withLock { spans in
            let fitting = min(unsent.count, Self.spansMax - spans.count)
            spans.insert(contentsOf: unsent.suffix(fitting), at: 0)
            return unsent.count - fitting
        }
        drop(over)
    }

    /// Spans are given up.
    func drop(_ count: Int) {
        if count > 0 { dropped.add(count) }
    }
}
