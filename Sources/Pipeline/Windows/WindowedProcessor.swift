package import Basics
package import OTLP

/// A processor of whole traces, which works behind the journal.
///
/// Runs on the task that reads the pipeline's log. It never blocks and never fails; what it cannot do it leaves.
package protocol WindowedProcessor: Sendable {
    /// When a trace is complete.
    var window: WindowSettings { get }
    /// Whether log records may become content of the spans that they name.
    var joinsLogs: Bool { get }

    /// Whether what is decided about a trace depends on all of it, so that none is decided early.
    var samples: Bool { get }

    /// Whether a log record may become content of the span that it names; `logs` is an envelope of logs.
    func joins(_ unit: Int, of logs: Envelope) -> Bool
    /// The turn of a session that a log record tells of; nil where that is nothing to it.
    ///
    /// - Parameters:
    ///   - unit: The record's position.
    ///   - logs: An envelope of logs.
    ///   - identity: Who sent it.
    /// - Returns: The trace that the turn becomes where nobody sends its spans.
    func turn(_ unit: Int, of logs: Envelope, from identity: String?) -> TraceID?
    /// What log records say of the turn that they tell of; nil where they tell of none. `payload` is an export request in wire form.
    func turn(in payload: [UInt8], from identity: String?) -> TurnSighting?
    /// Makes spans of the log records of a turn, or of several turns of a session.
    ///
    /// - Parameters:
    ///   - logs: What came of it, of one sender.
    ///   - isLate: Whether its root went before.
    /// - Returns: The turns in the order of their beginnings; empty where nothing is made of them.
    func turns(of logs: [WholeTrace.Part], isLate: Bool) -> [ComposedTurn]
    /// When it is certain that an open trace is not dropped; `never` for who does not foresee anything.
    var dropCertainty: DropCertainty { get }
    /// What records of an open trace say of the decision about it; `payload` is an export request in wire form.
    func foresee(_ payload: [UInt8]) -> TraceForesight
    /// Makes one request of records of an open trace, each as if there were no other; what it makes depends on the record alone.
    ///
    /// - Parameters:
    ///   - parts: The records.
    ///   - key: The trace.
    ///   - all: All of it that came, `parts` included; nil where some of it went ahead before.
    /// - Returns: Nil where what is still to come may change the route of the trace.
    func show(_ parts: [WholeTrace.Part], of key: TraceKey, amid all: [WholeTrace.Part]?) -> AssembledTrace?
    /// Makes one request of everything that came of a trace.
    func assemble(_ trace: WholeTrace) -> AssembledTrace
    /// Makes requests of several traces at once, because that costs less than one request for each.
    ///
    /// - Parameter traces: Those of which nothing went ahead and no log records came.
    /// - Returns: Requests of two traces or more, each trace in at most one of them, of which comes what `assemble` makes of them alone;
    ///   those that are in none have to be assembled alone.
    func assembleTogether(_ traces: [WholeTrace]) -> [AssembledGroup]
    /// Remembers where a trace went before the process started; oldest first.
    func restore(_ key: TraceKey, route: Route, receivedAt: UnixTime)
}

extension WindowedProcessor {
    package var samples: Bool { false }
    package func turn(_ unit: Int, of logs: Envelope, from identity: String?) -> TraceID? { nil }
    package func turn(in payload: [UInt8], from identity: String?) -> TurnSighting? { nil }
    package func turns(of logs: [WholeTrace.Part], isLate: Bool) -> [ComposedTurn] { [] }
    package var dropCertainty: DropCertainty { .never }
    package func foresee(_ payload: [UInt8]) -> TraceForesight { TraceForesight() }
    package func assembleTogether(_ traces: [WholeTrace]) -> [AssembledGroup] { [] }
}

/// Traces as one request.
package struct AssembledGroup: Sendable {
    package let made: AssembledTrace
    /// Which traces these are, by their positions.
    package let traces: [Int]

    package init(_ made: AssembledTrace, of traces: [Int]) {
        (self.made, self.traces) = (made, traces)
    }
}

/// Everything that came of a trace.
package struct WholeTrace: Sendable {
    /// One record.
    package struct Part: Sendable {
        /// When it was received.
        package let receivedAt: UnixTime
        /// Its headers are those to send along and those that the processors of the pipeline read.
        package let metadata: RecordMetadata
        /// An export request in wire form; the spans or log records of this trace alone.
        package let payload: [UInt8]

        package init(receivedAt: UnixTime, metadata: RecordMetadata, payload: [UInt8]) {
            self.receivedAt = receivedAt
            self.metadata = metadata
            self.payload = payload
        }
    }

    package let key: TraceKey
    /// Its spans, in the order in which they came; at least one record.
    package let parts: [Part]
    /// Those of them that went ahead while the trace was open, by their positions; never all.
    package let ahead: Set<Int>
    /// Its log records, in the order in which they came.
    package let logs: [Part]
    /// Why it does not wait any longer.
    package let reason: WindowDecision.Reason
    /// What came of it, where it was decided before.
    package var decided: DecidedOutcome?
    /// Whether some of it went on like that already.
    package var isContinued = false
    /// When it is decided, by a clock that only goes forward; nil where nothing has one.
    package var decidedAt: Duration?

    package init(
        key: TraceKey,
        parts: [Part],
        ahead: Set<Int> = [],
        logs: [Part] = [],
        reason: WindowDecision.Reason,
        decided: DecidedOutcome? = nil
    ) {
        self.key = key
        self.parts = parts
        self.ahead = ahead
        self.logs = logs
        self.reason = reason
        self.decided = decided
    }
}

/// A trace as one request.
package struct AssembledTrace: Sendable {
    package var route: Route
    /// An export request in wire form; empty where no span is left.
    ///
    /// Spans that went ahead are not among them.
    package var payload: [UInt8]
    /// Spans in it.
    package var items: Int
    /// Spans that went ahead, as they are in the whole trace.
    package var amended: AmendedSpans?
    /// The part that the trace's root came in, whose forwarded headers are the trace's; an index into `WholeTrace.parts`.
    package var rootPart: Int
    /// Spans in it that no client sent.
    package var created: Int
    /// Log records that became content of its spans.
    package var joined: Int
    /// Spans that came and are not in it, because a rule drops them.
    package var filtered: Int
    /// Why its client may not write where it would go; nil where it may.
    package var refusal: String?
    /// What a sampler decided; nil where none was asked.
    package var verdict: TraceVerdict?
    /// Spans that it dropped; all of the trace or none.
    package var sampledOut = 0
    /// Log records that would have become content of these.
    package var sampledOutLogs = 0
    /// What was spent in it; nil where nobody counts that.
    package var totals: TraceTotals?
    /// What the processors counted.
    package var tally: ProcessorTally
    /// What the spans count for by service, those that went ahead or that nobody sent aside; nil where nobody has counted them.
    package var services: [ServiceCount]?

    package init(
        route: Route,
        payload: [UInt8],
        items: Int,
        rootPart: Int = 0,
        created: Int = 0,
        joined: Int = 0,
        filtered: Int = 0,
        tally: ProcessorTally = ProcessorTally()
    ) {
        self.route = route
        self.payload = payload
        self.items = items
        self.rootPart = rootPart
        self.created = created
        self.joined = joined
        self.filtered = filtered
        self.tally = tally
    }
}

extension AssembledTrace {
    /// What late spans of it have to know.
    var outcome: DecidedOutcome { DecidedOutcome(route: route, verdict: verdict) }

    /// What it counts for by service.
    package var serviceCounts: [ServiceCount] { services ?? ServiceCount.all(in: payload, items: items, to: route) }
}

/// Spans of a trace that went ahead while it was open, as they are in the end.
package struct AmendedSpans: Sendable {
    /// Those that are other than they went ahead; an export request in wire form.
    package var changed: EncodedUnits?
    /// Those that are the same.
    package var same: EncodedUnits?
    /// Whether the topmost span is among the changed ones.
    package var leads: Bool

    package init(changed: EncodedUnits? = nil, same: EncodedUnits? = nil, leads: Bool = false) {
        (self.changed, self.same, self.leads) = (changed, same, leads)
    }
}
