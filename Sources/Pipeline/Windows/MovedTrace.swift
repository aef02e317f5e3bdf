import Basics
import Journal

/// A record that a window has decided about.
struct WindowRecord: Sendable {
    let stored: StoredRecord
    let part: WholeTrace.Part

    /// Nil where its metadata is of another version.
    init?(_ stored: StoredRecord) {
        guard let metadata = RecordMetadata(decoding: stored.metadata) else { return nil }
        self.stored = stored
        part = WholeTrace.Part(receivedAt: stored.receivedAt, metadata: metadata, payload: stored.payload)
    }

    fileprivate var ids: Range<UInt64> { stored.id..<stored.id + UInt64(stored.items) }
    /// Items in the payload.
    fileprivate var payloadItems: Int { Int(stored.items) - Int(clamping: part.metadata.removed.sum) }
}

/// A decision on its way to the second log: the record that is made of it, and what that takes the place of.
struct MovedTrace: Sendable {
    /// Nil where nothing goes on.
    let record: NewRecord?
    let spanRecords: [WindowRecord]
    let logRecords: [WindowRecord]
    /// What is settled with it.
    let spans: [SettledRecord]
    let logs: [SettledRecord]
    /// For the meters; nil for what is no trace.
    var counted: (made: AssembledTrace, reason: WindowDecision.Reason)?

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
        let ids = spans.reduce(0) { $0 + Int($1.stored.items) }
        let came = spans.reduce(0) { $0 + $1.payloadItems }
        let created = max(made.created, made.items - came)
        var metadata = root.part.metadata
        metadata.route = made.route
        metadata.removed = spans.reduce([:]) { $0 + $1.part.metadata.removed }
        metadata.removed[.filtered] += UInt64(came + created - made.items)
        metadata.created = UInt32(clamping: created)
        metadata.headers.removeAll { !forwardedHeaders.contains($0.name) }
        metadata.origin = TraceOrigin(spans, logs, joined: made.joined)
        record = NewRecord(
            log: log,
            kind: made.items > 0 ? .items : .counts,
            items: UInt32(clamping: ids),
            metadata: metadata.encoded(),
            payload: made.items > 0 ? made.payload : [],
            receivedAt: spans.map(\.stored.receivedAt).min()
        )
        (spanRecords, logRecords) = (spans, logs)
        self.spans = TraceOrigin.moved(metadata.origin?.spans ?? [])
        self.logs = TraceOrigin.joined(metadata.origin?.logs ?? [], made.joined)
        counted = (made, decision.reason)
    }

    /// A record that is of no trace or of several, as it came.
    init(passing record: WindowRecord, to log: LogID, _ forwardedHeaders: Set<String>) {
        var metadata = record.part.metadata
        metadata.headers.removeAll { !forwardedHeaders.contains($0.name) }
        metadata.origin = TraceOrigin([record], [], joined: 0)
        self.record = NewRecord(
            log: log,
            kind: record.stored.kind,
            items: record.stored.items,
            metadata: metadata.encoded(),
            payload: record.stored.payload,
            receivedAt: record.stored.receivedAt
        )
        spanRecords = [record]
        logRecords = []
        spans = TraceOrigin.moved([record.ids])
        logs = []
    }

    /// Log records whose spans did not come.
    init(unjoined records: [WindowRecord]) {
        record = nil
        spanRecords = []
        logRecords = records
        spans = []
        logs = records.map { $0.stored.settled($0.part.metadata.removed, joined: 0) }
    }
}

extension TraceOrigin {
    fileprivate init(_ spans: [WindowRecord], _ logs: [WindowRecord], joined: Int) {
        var holdings: [Holding] = []
        for record in spans {
            let metadata = record.part.metadata
            let holding = Holding(
                identity: metadata.identity,
                address: metadata.address,
                route: metadata.route,
                service: metadata.trace?.service ?? "",
                bytes: record.stored.sharedBytes
            )
            if let index = holdings.firstIndex(where: { $0.isSame(holding) }) {
                holdings[index].bytes += holding.bytes
            } else {
                holdings.append(holding)
            }
        }
        self.init(
            spans: Self.merged(spans.map(\.ids)),
            logs: Self.merged(logs.map(\.ids)),
            joined: UInt32(clamping: joined),
            holdings: holdings
        )
    }

    /// Ascending ranges, without those that are empty, joined where one ends at the next.
    private static func merged(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
        var merged: [Range<UInt64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let last = merged.last, last.upperBound == range.lowerBound {
                merged[merged.count - 1] = last.lowerBound..<range.upperBound
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    /// The accounts of records of spans that it takes the place of: what became of the spans is counted behind the window.
    static func moved(_ ranges: [Range<UInt64>]) -> [SettledRecord] {
        ranges.flatMap(pieces).map { range in
            let items = UInt32(range.upperBound - range.lowerBound)
            return SettledRecord(id: range.lowerBound, items: items, outcomes: [.delivered: UInt64(items)])
        }
    }

    /// The accounts of records of log records: so many joined, which counts as delivered there; the others are filtered.
    static func joined(_ ranges: [Range<UInt64>], _ joined: Int) -> [SettledRecord] {
        var left = UInt64(max(0, joined))
        return ranges.flatMap(pieces).map { range in
            let items = range.upperBound - range.lowerBound
            let joined = min(left, items)
            left -= joined
            let outcomes: OutcomeCounts = [.delivered: joined, .filtered: items - joined]
            return SettledRecord(id: range.lowerBound, items: UInt32(items), outcomes: outcomes)
        }
    }

    /// A range in parts whose lengths a record may have.
    private static func pieces(_ range: Range<UInt64>) -> [Range<UInt64>] {
        stride(from: range.lowerBound, to: range.upperBound, by: Int(UInt32.max)).map { start in
            start..<min(range.upperBound, start + UInt64(UInt32.max))
        }
    }
}

extension TraceOrigin.Holding {
    fileprivate func isSame(_ other: Self) -> Bool {
        sender == other.sender && route == other.route && service == other.service
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
