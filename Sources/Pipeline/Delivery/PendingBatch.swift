package import Basics
package import Journal
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

/// Which log of an exporter a record lies in.
package enum RecordSource: UInt8, Sendable, CaseIterable {
    /// The pipeline's own.
    case pipeline
    /// That of the exporter's dead letters, where replayed ones are queued.
    case deadLetters
}

/// A record read from the journal, waiting to be sent.
package struct QueuedRecord: Sendable {
    package let source: RecordSource
    /// The journal's id of the record.
    package let id: UInt64
    /// Items that the record stands for, removed ones included.
    package let items: UInt32
    package let metadata: RecordMetadata
    package let payload: [UInt8]
    /// What it counts against the share of its route.
    package let sharedBytes: Int

    /// Items inside the payload.
    package var payloadItems: Int { Int(items) - metadata.removed }

    package init(
        source: RecordSource = .pipeline,
        id: UInt64,
        items: UInt32,
        metadata: RecordMetadata,
        payload: [UInt8],
        sharedBytes: Int = 0
    ) {
        self.source = source
        self.id = id
        self.items = items
        self.metadata = metadata
        self.payload = payload
        self.sharedBytes = sharedBytes
    }

    package init(_ stored: StoredRecord, _ metadata: RecordMetadata, from source: RecordSource) {
        self.init(
            source: source,
            id: stored.id,
            items: stored.items,
            metadata: metadata,
            payload: stored.payload,
            // A replay was counted when it was accepted, and settled when it became a dead letter.
            sharedBytes: source == .pipeline ? stored.sharedBytes : 0
        )
    }
}

/// Records that are sent together, and how far that has come.
package struct PendingBatch: Sendable {
    package let key: MergeKey
    package let records: [QueuedRecord]
    /// The requests still to be sent: one, or several where a record is over the limits or had to be split.
    package private(set) var requests: [PendingRequest] = []
    /// Items that the destination's partial successes turned away so far.
    package var rejected = 0
    /// Items that are dead letters now.
    package var deadLettered = 0
    package var backoff: Backoff
    /// Not before this moment of the monotonic clock.
    package var notBefore: Duration = .zero
    /// Of the requests that `prepare` will make.
    private var history = AttemptHistory()

    package init(key: MergeKey, records: [QueuedRecord], backoff: Backoff) {
        self.key = key
        self.records = records
        self.backoff = backoff
    }

    /// What it holds in memory.
    package var bytes: Int { records.reduce(0) { $0 + $1.payload.count } }
    /// Items in it when it was taken.
    package var items: Int { records.reduce(0) { $0 + $1.payloadItems } }

    /// Makes the requests, where that was not done yet: everything in one, or one record over the limits split by trace.
    package mutating func prepare(limits: BatchLimits) {
        guard requests.isEmpty else { return }
        let whole = Batch(
            signal: key.signal,
            route: key.route,
            headers: key.headers,
            payload: merged(),
            items: items
        )
        let isOver = whole.items > limits.items || whole.payload.count > limits.bytes.bytes
        let parts = records.count == 1 && isOver ? whole.split(items: limits.items, bytes: limits.bytes.bytes) : [whole]
        var history = history
        if parts.count > 1 { history.isPart = true }
        requests = parts.map { PendingRequest(batch: $0, history: history) }
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
        return (half(records[..<middle]), half(records[middle...]))
    }

    private func half(_ records: ArraySlice<QueuedRecord>) -> PendingBatch {
        var half = PendingBatch(key: key, records: Array(records), backoff: backoff)
        half.history = requests.first?.history ?? history
        half.history.isPart = true
        return half
    }

    /// Replaces the next request by smaller ones, behind all others; false where it cannot be split.
    package mutating func splitNextRequest() -> Bool {
        guard let next = requests.first, next.batch.items > 1 else { return false }
        let (items, bytes) = (next.batch.items / 2, next.batch.payload.count / 2)
        let byTrace = next.batch.split(items: items, bytes: bytes)
        let parts =
            byTrace.count > 1 ? byTrace : next.batch.split(items: items, bytes: bytes, dividesTraces: true)
        guard parts.count > 1 else { return false }
        var history = next.history
        history.isPart = true
        // The others go first: whether they get through tells whose fault the failure was.
        requests.removeFirst()
        requests += parts.map { PendingRequest(batch: $0, history: history) }
        return true
    }

    /// The next request is done with.
    package mutating func completeNextRequest() {
        requests.removeFirst()
    }

    /// Puts the next request, as it stands now, behind all others.
    package mutating func postponeNextRequest(_ request: PendingRequest) {
        requests.removeFirst()
        requests.append(request)
    }

    /// Notes how the next request stands now.
    package mutating func updateNextRequest(_ request: PendingRequest) {
        requests[0] = request
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
