import Basics
import Journal
import OTLP

/// A record that a window has decided about.
struct WindowRecord: Sendable {
    let stored: StoredRecord
    let part: WholeTrace.Part
    /// Whether it went ahead while its trace was open, and is settled.
    let wentAhead: Bool

    /// Nil where its metadata is of another version.
    init?(_ stored: StoredRecord, _ reader: inout MetadataReader, wentAhead: Bool = false) {
        guard let metadata = reader.read(stored.metadata) else { return nil }
        self.stored = stored
        self.wentAhead = wentAhead
        part = WholeTrace.Part(receivedAt: stored.receivedAt, metadata: metadata, payload: stored.payload)
    }

    var ids: Range<UInt64> { stored.id..<stored.id + UInt64(stored.items) }
}

/// A decision on its way to the second log: what is made of it, and what that takes the place of.
struct MovedTrace: Sendable {
    /// Empty where nothing goes on.
    let records: [NewRecord]
    let spanRecords: [WindowRecord]
    let logRecords: [WindowRecord]
    /// What is settled with it.
    let spans: [SettledRecord]
    let logs: [SettledRecord]
    /// For the meters; without reasons for what is no trace.
    let counted: [(made: AssembledTrace, reasons: [WindowDecision.Reason])]
    /// Of an open trace: that what lies below this id went ahead.
    var shown: (key: TraceKey, end: UInt64)?
    /// Of one that is decided: what came of it.
    var outcomes: [(key: TraceKey, of: DecidedOutcome)] = []

    /// When the latest of what it takes the place of came.
    var lastReceived: UnixTime {
        (spanRecords + logRecords).lazy.map(\.stored.receivedAt).max() ?? UnixTime(nanoseconds: 0)
    }

    /// Of what goes on.
    var bytes: Int { records.reduce(0) { $0 + $1.metadata.count + $1.payload.count } }

    /// A trace.
    init(
        _ made: AssembledTrace,
        of decision: WindowDecision,
        _ spans: [WindowRecord],
        _ logs: [WindowRecord],
        to log: LogID,
        _ forwardedHeaders: Set<String>
    ) {
        let root = spans.indices.contains(made.rootPart) ? spans[made.rootPart] : spans[0]
        let spans = spans.filter { !$0.wentAhead }
        let part = WindowPart(
            made,
            metadata: root.part.metadata,
            ids: spans.reduce(0) { $0 + Int($1.stored.items) },
            removed: spans.reduce([:]) { $0 + $1.part.metadata.removed },
            receivedAt: spans.map(\.stored.receivedAt).min()
        )
        var origin = TraceOrigin(spans, logs, joined: made.joined)
        origin.sampledOut += UInt64(made.sampledOutLogs)
        records = [part.record(origin, to: log, forwardedHeaders)]
        (spanRecords, logRecords) = (spans, logs)
        self.spans = TraceOrigin.moved(origin.spans)
        self.logs = TraceOrigin.joined(origin.logs, origin)
        counted = [(made, [decision.reason])]
        // Of a trace of which everything was dropped before, the rest may still come.
        if made.items + made.created > 0 || made.verdict != nil { outcomes = [(decision.key, made.outcome)] }
    }

    /// Several traces, of which nothing went ahead and no log records came.
    init(_ made: AssembledTrace, of traces: [FoundWork], to log: LogID, _ forwardedHeaders: Set<String>) {
        let spans = traces.flatMap(\.spans)
        var metadata = spans[0].part.metadata
        metadata.trace = TraceMark(trace: .zero, isBound: metadata.trace?.isBound ?? false)
        metadata.areWholeTraces = true
        let part = WindowPart(
            made,
            metadata: metadata,
            ids: spans.reduce(0) { $0 + Int($1.stored.items) },
            removed: spans.reduce([:]) { $0 + $1.part.metadata.removed },
            receivedAt: spans.map(\.stored.receivedAt).min()
        )
        let origin = TraceOrigin(spans, [], joined: 0)
        records = [part.record(origin, to: log, forwardedHeaders)]
        (spanRecords, logRecords) = (spans, [])
        self.spans = TraceOrigin.moved(origin.spans)
        logs = []
        counted = [(made, traces.compactMap(\.work.reason))]
        outcomes = traces.compactMap { found in
            guard case .decision(let decision) = found.work else { return nil }
            return (decision.key, made.outcome)
        }
    }

    /// Records of an open trace that go ahead.
    init(
        _ made: AssembledTrace,
        ahead decision: WindowDecision,
        _ spans: [WindowRecord],
        to log: LogID,
        _ forwardedHeaders: Set<String>
    ) {
        let part = WindowPart(
            made,
            metadata: spans[0].part.metadata,
            ids: spans.reduce(0) { $0 + Int($1.stored.items) },
            removed: spans.reduce([:]) { $0 + $1.part.metadata.removed },
            receivedAt: spans.map(\.stored.receivedAt).min(),
            isAhead: true
        )
        let origin = TraceOrigin(spans, [], joined: 0)
        records = [part.record(origin, to: log, forwardedHeaders)]
        (spanRecords, logRecords) = (spans, [])
        self.spans = TraceOrigin.moved(origin.spans)
        logs = []
        counted = [(made, [decision.reason])]
        shown = (decision.key, spans.map(\.ids.upperBound).max() ?? 0)
    }

    /// Records that are of no trace or of several, or that are not put together: each trace of each by itself, as far as that repeats
    /// not too much.
    init(
        dividing spans: [WindowRecord],
        _ logs: [WindowRecord] = [],
        to log: LogID,
        _ forwardedHeaders: Set<String>,
        assemble: (WholeTrace) -> AssembledTrace
    ) {
        var (made, counted): ([NewRecord], [(made: AssembledTrace, reasons: [WindowDecision.Reason])]) = ([], [])
        var outcomes: [(key: TraceKey, of: DecidedOutcome)] = []
        var known: Set<TraceKey> = []
        for record in spans {
            let parts = record.stored.kind == .items ? WindowPart.parts(of: record, &known, assemble) : []
            let origin = TraceOrigin([record], [], joined: 0)
            if parts.isEmpty {
                made.append(record.asItCame(origin, to: log, forwardedHeaders))
                counted.append((record.unassembled, []))
            }
            // What lies in the journal together says once what it was made of.
            for (index, part) in parts.enumerated() {
                made.append(part.record(index == 0 ? origin : TraceOrigin(spans: []), to: log, forwardedHeaders))
            }
            counted += parts.map { ($0.made, [.tooLarge]) }
            // What comes of them later follows what a sampler decided.
            outcomes += parts.compactMap { part in
                part.made.verdict == nil ? nil : part.key.map { ($0, part.made.outcome) }
            }
        }
        (records, self.counted, self.outcomes) = (made, counted, outcomes)
        (spanRecords, logRecords) = (spans, logs)
        self.spans = spans.flatMap { TraceOrigin.moved([$0.ids]) }
        self.logs = Self.unjoined(logs)
    }

    /// A record that nothing is made of.
    init(asItCame record: WindowRecord, to log: LogID, _ forwardedHeaders: Set<String>) {
        let origin = TraceOrigin([record], [], joined: 0)
        records = [record.asItCame(origin, to: log, forwardedHeaders)]
        spanRecords = [record]
        logRecords = []
        spans = TraceOrigin.moved([record.ids])
        logs = []
        counted = [(record.unassembled, [])]
    }

    /// Log records whose spans did not come.
    init(unjoined records: [WindowRecord]) {
        self.records = []
        spanRecords = []
        logRecords = records
        spans = []
        logs = Self.unjoined(records)
        counted = []
    }

    private static func unjoined(_ records: [WindowRecord]) -> [SettledRecord] {
        records.map { $0.stored.settled($0.part.metadata.removed, joined: 0) }
    }
}

/// What becomes one record: a trace, or a part of a request of several.
struct WindowPart {
    /// Bytes of resources that may be written again for the sake of division, besides twice those of the record.
    private static let repeatsMax = 8 << 20

    let made: AssembledTrace
    let metadata: RecordMetadata
    /// Items that it stands for.
    let ids: Int
    /// Those of them that processors before the window removed.
    let removed: OutcomeCounts
    let receivedAt: UnixTime?
    /// Whether its trace is open.
    let isAhead: Bool
    /// Of a part of a request: the trace that it is of; nil where it is of several.
    var key: TraceKey?

    init(
        _ made: AssembledTrace,
        metadata: RecordMetadata,
        ids: Int,
        removed: OutcomeCounts,
        receivedAt: UnixTime?,
        isAhead: Bool = false
    ) {
        self.made = made
        self.metadata = metadata
        self.ids = ids
        self.removed = removed
        self.receivedAt = receivedAt
        self.isAhead = isAhead
    }

    /// The traces of a record, and in the end what would repeat too much; empty where it cannot be read.
    ///
    /// - Parameters:
    ///   - record: The record.
    ///   - known: Traces of which there were parts before.
    ///   - assemble: Makes one request of a part.
    /// - Returns: The parts; none where the record cannot be read.
    static func parts(
        of record: WindowRecord,
        _ known: inout Set<TraceKey>,
        _ assemble: (WholeTrace) -> AssembledTrace
    ) -> [WindowPart] {
        let payload = record.stored.payload
        guard let division = try? EnvelopeDivision(framesOf: payload, signal: .traces) else { return [] }
        var repeats = EnvelopeDivision.Repeats(for: payload.count + repeatsMax)
        var metadata = record.part.metadata
        var removed = metadata.removed
        metadata.removed = [:]
        var parts: [WindowPart] = []
        for part in division.parts(of: division.whole, itemsMax: 1, bytesMax: .max, repeats: &repeats) {
            guard let units = division.encoded(part) else { continue }
            let traces = TraceID.all(in: units.payload, signal: .traces)
            var made = AssembledTrace(route: metadata.route, payload: units.payload, items: units.items)
            made.refusal = metadata.refusalUnrouted
            var key: TraceKey?
            if traces.count == 1 {
                let source = WholeTrace.Part(
                    receivedAt: record.stored.receivedAt,
                    metadata: metadata,
                    payload: units.payload
                )
                let isBound = metadata.trace?.isBound ?? false
                let trace = TraceKey(traces[0], identity: isBound ? metadata.identity : nil)
                key = trace
                var whole = WholeTrace(key: trace, parts: [source], reason: .tooLarge)
                whole.isContinued = !known.insert(trace).inserted
                made = assemble(whole)
            }
            var own = WindowPart(
                made,
                metadata: metadata,
                ids: units.items + Int(clamping: removed.sum),
                removed: removed,
                receivedAt: record.stored.receivedAt
            )
            own.key = key
            parts.append(own)
            removed = [:]
        }
        return parts
    }

    func record(_ origin: TraceOrigin, to log: LogID, _ forwardedHeaders: Set<String>) -> NewRecord {
        let came = ids - Int(clamping: removed.sum)
        let created = max(made.created, made.items - came)
        var metadata = metadata
        (metadata.route, metadata.refusal) = (made.route, made.refusal)
        metadata.verdict = made.verdict
        metadata.removed = removed
        let sampledOut = min(made.sampledOut, came + created - made.items)
        metadata.removed[.filtered] += UInt64(came + created - made.items - sampledOut)
        metadata.removed.addSampledOut(UInt64(sampledOut), by: made.verdict?.policy ?? "")
        metadata.created = UInt32(clamping: created)
        metadata.headers.removeAll { !forwardedHeaders.contains($0.name) }
        (metadata.experiments, metadata.tombstones) = ([], [])
        metadata.origin = origin
        let (payload, showing) = payload
        metadata.showing = showing
        return NewRecord(
            log: log,
            kind: payload.isEmpty ? .counts : .items,
            items: UInt32(clamping: ids),
            metadata: metadata.encoded(),
            payload: payload,
            receivedAt: receivedAt
        )
    }

    /// What is written, and what it is to a trace of which spans went ahead.
    private var payload: ([UInt8], TraceShowing?) {
        let own = made.items > 0 ? made.payload : []
        guard let amended = made.amended else { return (own, isAhead ? .ahead : nil) }
        let (changed, same) = (amended.changed?.payload ?? [], amended.same?.payload ?? [])
        let amendments = TraceShowing.Amendments(
            changed: TraceShowing.Share(items: amended.changed?.items ?? 0, bytes: changed.count),
            same: TraceShowing.Share(items: amended.same?.items ?? 0, bytes: same.count),
            leads: amended.leads
        )
        return (amended.leads ? changed + own + same : own + changed + same, .end(amendments))
    }
}

extension RecordMetadata {
    /// Why spans that no router has seen may not go on; nil where their client may write anywhere.
    fileprivate var refusalUnrouted: String? {
        experiments.isEmpty ? nil : "it could not be put together, so where it would go is unknown"
    }
}

extension WindowRecord {
    /// It as what is made of it where nothing can be.
    fileprivate var unassembled: AssembledTrace {
        let items = Int(stored.items) - Int(clamping: part.metadata.removed.sum)
        return AssembledTrace(route: part.metadata.route, payload: stored.payload, items: items)
    }

    fileprivate func asItCame(_ origin: TraceOrigin, to log: LogID, _ forwardedHeaders: Set<String>) -> NewRecord {
        var metadata = part.metadata
        metadata.headers.removeAll { !forwardedHeaders.contains($0.name) }
        metadata.refusal = metadata.refusalUnrouted
        (metadata.experiments, metadata.tombstones) = ([], [])
        metadata.origin = origin
        return NewRecord(
            log: log,
            kind: stored.kind,
            items: stored.items,
            metadata: metadata.encoded(),
            payload: stored.payload,
            receivedAt: stored.receivedAt
        )
    }
}

extension StoredRecord {
    /// The account of a record of log records, of which so many joined.
    func settled(_ removed: OutcomeCounts, joined: UInt64) -> SettledRecord {
        var outcomes = removed
        outcomes[.delivered] += joined
        outcomes[.filtered] += UInt64(items) - removed.sum - joined
        return SettledRecord(id: id, items: items, outcomes: outcomes)
    }
}
