package import Basics
package import Journal
package import OTLP

/// What records must have in common to share a request.
package struct MergeKey: Hashable, Sendable {
    package let signal: Signal
    package let route: Route
    package let headers: [HTTPHeader]
    /// Why they may not be sent there; nil where they may.
    package let refusal: String?
    /// Who sent them, where that is kept; compared byte for byte.
    private let sender: ExactText?

    package init(
        signal: Signal,
        route: Route,
        headers: [HTTPHeader],
        refusal: String? = nil,
        identity: String? = nil
    ) {
        sender = identity.map(ExactText.init)
        self.signal = signal
        self.route = route
        self.headers = headers
        self.refusal = refusal
    }

    /// Who sent them, where that is kept.
    var identity: String? { sender?.text }
}

/// Which log of an exporter a record lies in.
package enum RecordSource: UInt8, Sendable, CaseIterable {
    /// The pipeline's own.
    case pipeline
    /// That of the exporter's dead letters, where replayed ones are queued.
    case deadLetters
    /// That of what the exporter has put aside until a route opens.
    case parked
}

/// A record read from the journal, waiting to be sent.
package struct QueuedRecord: Sendable {
    package let source: RecordSource
    /// The journal's id of the record.
    package let id: UInt64
    /// Items that the record stands for, removed ones included.
    package let items: UInt32
    package private(set) var metadata: RecordMetadata
    package private(set) var payload: [UInt8]
    /// What it counts against the share of its route.
    package let sharedBytes: Int
    /// When a client sent it.
    package let receivedAt: UnixTime
    /// When its route turned it away first; nil where that is not known.
    package var parkedSince: UnixTime?
    /// Whether a client waits for it: it waits for no others.
    package var isAwaited = false
    /// What it took in memory when it was read: a client may send small spans with long headers.
    let heldBytes: Int

    /// Items inside the payload.
    package var payloadItems: Int { Int(items) - Int(clamping: metadata.removed.sum) + Int(metadata.created) }

    package init(
        source: RecordSource = .pipeline,
        id: UInt64,
        items: UInt32,
        metadata: RecordMetadata,
        payload: [UInt8],
        sharedBytes: Int = 0,
        receivedAt: UnixTime = UnixTime(nanoseconds: 0)
    ) {
        self.source = source
        self.id = id
        self.items = items
        self.metadata = metadata
        self.payload = payload
        self.sharedBytes = sharedBytes
        self.receivedAt = receivedAt
        parkedSince = metadata.parked?.parkedSince
        heldBytes = metadata.headers.reduce(payload.count + Self.overhead.record) { bytes, header in
            bytes + header.name.utf8.count + header.value.utf8.count + Self.overhead.header
        }
    }

    /// What holding a record takes besides its payload and headers, and what holding a header takes besides its text.
    private static let overhead = (record: 256, header: 64)

    /// Takes the spans out that ended before `time`, which count as expired; those without an end stay.
    ///
    /// - Returns: How many went.
    mutating func expireSpans(endedBefore time: UnixTime) -> Int {
        guard metadata.signal == .traces, payloadItems > 0, var batch = try? Envelope(payload) else { return 0 }
        for span in 0..<batch.unitCount where batch.removal(of: span) == nil {
            let end = batch.spans[span].end
            if end > 0, end < time.nanoseconds { batch.remove(span, as: .filtered) }
        }
        let count = batch.removedCount(.filtered)
        guard count > 0 else { return 0 }
        payload = batch.encoded()?.payload ?? []
        metadata.removed[.expired] += UInt64(count)
        return count
    }

    /// - Parameters:
    ///   - stored: The record.
    ///   - metadata: What it says of itself.
    ///   - source: The log that it lies in.
    ///   - taken: What the destination takes of traces of which spans went ahead.
    package init(
        _ stored: StoredRecord,
        _ metadata: RecordMetadata,
        from source: RecordSource,
        taking taken: AmendmentsTaken = .nothing
    ) {
        var metadata = metadata
        let payload = metadata.cut(stored.payload, items: stored.items, for: taken)
        self.init(
            source: source,
            id: stored.id,
            items: stored.items,
            metadata: metadata,
            payload: payload,
            // A replay was counted when it was accepted, and settled when it became a dead letter.
            sharedBytes: metadata.parked?.sharedBytes ?? (source == .pipeline ? stored.sharedBytes : 0),
            receivedAt: metadata.parked?.receivedAt ?? stored.receivedAt
        )
        isAwaited = stored.isFollowed
    }
}

/// Records that are sent together, and how far that has come.
///
/// They go as one request, or as several where a single record is over the limits or the destination takes only less at a
/// time. Of those, only the next one is in memory; the others are known by the units that they will have.
package struct PendingBatch: Sendable {
    /// A request that is written when its turn comes.
    private struct Later: Sendable {
        let part: EnvelopeDivision.Part
        let history: AttemptHistory
    }

    package let key: MergeKey
    package private(set) var records: [QueuedRecord]
    /// The request that is sent next, as far as it was made.
    private var current: PendingRequest?
    private var later: [Later] = []
    private var isPlanned = false
    /// Whether a request of it is done with.
    private var isTouched = false
    /// The units of all requests, once there are several.
    private var division: EnvelopeDivision?
    private var repeats: EnvelopeDivision.Repeats
    /// Items that the destination's partial successes turned away so far, and those that are dead letters now.
    package var outcomes = OutcomeCounts()
    package var backoff: Backoff
    /// Not before this moment of the monotonic clock.
    package var notBefore: Duration = .zero
    /// Of the requests that `prepare` will make.
    private var history = AttemptHistory()

    package init(key: MergeKey, records: [QueuedRecord], backoff: Backoff) {
        self.key = key
        self.records = records
        self.backoff = backoff
        repeats = EnvelopeDivision.Repeats(for: records.reduce(0) { $0 + $1.payload.count })
        history = AttemptHistory(since: records.lazy.compactMap(\.parkedSince).max())
    }

    /// What it holds in memory.
    package var bytes: Int { records.reduce(0) { $0 + $1.payload.count } }
    /// Items in it when it was taken.
    package var items: Int { records.reduce(0) { $0 + $1.payloadItems } }
    /// Whether nothing of it is done yet, so that it can be read from the journal again.
    package var isWhole: Bool { !isTouched && outcomes.sum == 0 }
    /// When its next request was tried first; nil before.
    package var triedSince: UnixTime? { (current?.history ?? history).firstAttempt }
    /// Whether every request is done with.
    package var isDone: Bool { isPlanned && current == nil && later.isEmpty }

    /// Takes the spans out that ended before `time` and count as expired, where no request was planned yet.
    ///
    /// - Returns: How many went.
    package mutating func expireSpans(endedBefore time: UnixTime) -> Int {
        guard !isPlanned, key.signal == .traces else { return 0 }
        return records.indices.reduce(0) { $0 + records[$1].expireSpans(endedBefore: time) }
    }

    /// Plans the requests, where that was not done yet: everything in one, or one record over the limits split by trace.
    package mutating func prepare(limits: BatchLimits) {
        guard !isPlanned else { return }
        isPlanned = true
        let whole = batch(merged(), items: items)
        let isOver = whole.items > limits.items || whole.payload.count > limits.bytes.bytes
        guard records.count == 1, isOver, divide(whole), let division,
            case let parts = division.parts(
                of: division.whole,
                itemsMax: limits.items,
                bytesMax: limits.bytes.bytes,
                dividesTraces: limits.dividesTraces,
                repeats: &repeats
            ), parts.count > 1
        else {
            current = PendingRequest(batch: whole, history: history)
            return
        }
        var history = history
        history.isPart = true
        later = parts.map { Later(part: $0, history: history) }
    }

    /// The request to be sent next, made where that was not done yet; nil when all are done with.
    package mutating func nextRequest() -> PendingRequest? {
        while current == nil, !later.isEmpty {
            let next = later.removeFirst()
            guard let units = division?.encoded(next.part) else { continue }
            current = PendingRequest(
                batch: batch(units.payload, items: units.items),
                part: next.part,
                history: next.history
            )
        }
        return current
    }

    /// Lets go of the bytes of a request that has to wait; they are written again when its turn comes.
    package mutating func pause() {
        guard let request = current else { return }
        current = nil
        if let part = request.part {
            later.insert(Later(part: part, history: request.history), at: 0)
        } else {
            history = request.history
            division = nil
            isPlanned = false
        }
    }

    /// Two batches with half of the records each; nil for a single record.
    package func halved() -> (PendingBatch, PendingBatch)? {
        guard records.count > 1 else { return nil }
        let middle = records.count / 2
        return (half(records[..<middle]), half(records[middle...]))
    }

    private func half(_ records: ArraySlice<QueuedRecord>) -> PendingBatch {
        var half = PendingBatch(key: key, records: Array(records), backoff: backoff)
        half.history = current?.history ?? history
        half.history.isPart = true
        return half
    }

    /// Replaces the next request by smaller ones, behind all others; false where it cannot be split.
    ///
    /// A request whose resources would be repeated too often is not split any more.
    package mutating func splitNextRequest() -> Bool {
        guard let next = nextRequest(), next.batch.items > 1, divide(next.batch), let division else { return false }
        let whole = next.part ?? division.whole
        let (items, bytes) = (next.batch.items / 2, next.batch.payload.count / 2)
        var parts = division.parts(of: whole, itemsMax: items, bytesMax: bytes, repeats: &repeats)
        if parts.count == 1 {
            parts = division.parts(of: whole, itemsMax: items, bytesMax: bytes, dividesTraces: true, repeats: &repeats)
        }
        guard parts.count > 1 else { return false }
        var history = next.history
        history.isPart = true
        // The others go first: whether they get through tells whose fault the failure was.
        current = nil
        later += parts.map { Later(part: $0, history: history) }
        return true
    }

    /// The next request is done with.
    package mutating func completeNextRequest() {
        isTouched = true
        current = nil
    }

    /// Puts the next request, as it stands now, behind all others.
    package mutating func postponeNextRequest(_ request: PendingRequest) {
        guard let part = request.part else { return updateNextRequest(request) }
        current = nil
        later.append(Later(part: part, history: request.history))
    }

    /// Notes how the next request stands now.
    package mutating func updateNextRequest(_ request: PendingRequest) {
        current = request
    }

    /// Reads where the units of the only request stand, where that was not done yet; false where it cannot be read.
    private mutating func divide(_ whole: Batch) -> Bool {
        if division == nil { division = try? EnvelopeDivision(framesOf: whole.payload, signal: key.signal) }
        return division != nil
    }

    private func batch(_ payload: [UInt8], items: Int) -> Batch {
        var batch = Batch(signal: key.signal, route: key.route, headers: key.headers, payload: payload, items: items)
        batch.identity = key.identity
        let places = records.map { "\($0.source.rawValue)/\($0.id)" }
        batch.records = "\(places.first ?? "")-\(places.last ?? "")"
        return batch
    }

    /// The payloads one behind the other: requests of OTLP merge by concatenation.
    private func merged() -> [UInt8] {
        guard records.count > 1 else { return records[0].payload }
        var payload: [UInt8] = []
        payload.reserveCapacity(bytes)
        for record in records { payload.append(contentsOf: record.payload) }
        return payload
    }
}
