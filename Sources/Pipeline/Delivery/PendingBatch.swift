package import Basics
package import OTLP

/// What records must have in common to share a request.
package struct MergeKey: Hashable, Sendable {
    package let signal: Signal
    package let route: Route
    package let headers: [HTTPHeader]

    package init(signal: Signal, route: Route, headers: [HTTPHeader]) {
        self.signal = signal
        self.route = route
        self.headers = headers
    }
}

/// A record read from the journal, waiting to be sent.
package struct QueuedRecord: Sendable {
    /// The journal's id of the record.
    package let id: UInt64
    /// Items that the record stands for, removed ones included.
    package let items: UInt32
    package let metadata: RecordMetadata
    package let payload: [UInt8]

    /// Items inside the payload.
    package var payloadItems: Int { Int(items) - metadata.removed }

    package init(id: UInt64, items: UInt32, metadata: RecordMetadata, payload: [UInt8]) {
        self.id = id
        self.items = items
        self.metadata = metadata
        self.payload = payload
    }
}

/// Records that are sent together, and how far that has come.
package struct PendingBatch: Sendable {
    package let key: MergeKey
    package let records: [QueuedRecord]
    /// The requests still to be sent: one, or several where a record is over the limits or had to be split.
    package var requests: [Batch]
    /// Items that the destination's partial successes turned away so far.
    package var rejected = 0
    /// Items of requests that the destination will never take.
    package var refused = 0
    package var backoff: Backoff
    /// Not before this moment of the monotonic clock.
    package var notBefore: Duration = .zero

    package init(key: MergeKey, records: [QueuedRecord], backoff: Backoff) {
        self.key = key
        self.records = records
        self.backoff = backoff
        self.requests = []
    }

    /// What it holds in memory.
    package var bytes: Int { records.reduce(0) { $0 + $1.payload.count } }

    /// Makes the requests, where that was not done yet: everything in one, or one record over the limits split by trace.
    package mutating func prepare(limits: BatchLimits) {
        guard requests.isEmpty else { return }
        let whole = Batch(
            signal: key.signal,
            route: key.route,
            headers: key.headers,
            payload: merged(),
            items: records.reduce(0) { $0 + $1.payloadItems }
        )
        let isOver = whole.items > limits.items || whole.payload.count > limits.bytes.bytes
        requests = records.count == 1 && isOver ? whole.split(items: limits.items, bytes: limits.bytes.bytes) : [whole]
    }

    /// The payloads one behind the other: requests of OTLP merge by concatenation.
    private func merged() -> [UInt8] {
        guard records.count > 1 else { return records[0].payload }
        var payload: [UInt8] = []
        payload.reserveCapacity(bytes)
        for record in records { payload.append(contentsOf: record.payload) }
        return payload
    }

    /// Two batches with half of the records each; nil for a single record.
    package func halved() -> (PendingBatch, PendingBatch)? {
        guard records.count > 1 else { return nil }
        let middle = records.count / 2
        return (
            PendingBatch(key: key, records: Array(records[..<middle]), backoff: backoff),
            PendingBatch(key: key, records: Array(records[middle...]), backoff: backoff)
        )
    }

    /// Replaces the next request by smaller ones; false where it cannot be split.
    package mutating func splitNextRequest() -> Bool {
        guard let next = requests.first, next.items > 1 else { return false }
        let (items, bytes) = (next.items / 2, next.payload.count / 2)
        let byTrace = next.split(items: items, bytes: bytes)
        let parts = byTrace.count > 1 ? byTrace : next.split(items: items, bytes: bytes, dividesTraces: true)
        guard parts.count > 1 else { return false }
        requests.replaceSubrange(0..<1, with: parts)
        return true
    }
}

extension Batch {
    /// The same spans in several batches: whole traces together, unless `dividesTraces` says otherwise.
    ///
    /// Returns the batch itself where it cannot be split. The payload counts as validated: only its frames are read.
    package func split(items: Int, bytes: Int, dividesTraces: Bool = false) -> [Batch] {
        guard signal == .traces, var spans = try? SpanBatch(framesOf: payload) else { return [self] }
        _ = spans.groupByTrace(itemsMax: items, bytesMax: bytes, dividesTraces: dividesTraces)
        let parts = spans.encodedByGroup().map { part in
            Batch(
                signal: signal,
                route: route,
                headers: headers,
                payload: part.spans.payload,
                items: part.spans.spans
            )
        }
        return parts.isEmpty ? [self] : parts
    }
}
