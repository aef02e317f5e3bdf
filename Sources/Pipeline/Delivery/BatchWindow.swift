import Basics

/// Decides what an exporter sends next.
///
/// Holds no clock and does no I/O.
///
/// Records are gathered in lanes, one for each merge key, so that one busy service does not make small batches of the
/// others. A lane gives a batch when it is full, when its first record has waited `linger`, when a client waits for one of
/// its records, or when the window drains. A batch that must be tried again goes before the newer records of its lane, which pass it while it pauses. Lanes take
/// turns. Their number is bounded, because clients choose merge keys by routes and forwarded headers: over the bound
/// nothing lingers and no more records are taken in until lanes are empty.
package struct BatchWindow: Sendable {
    private struct Lane {
        let key: MergeKey
        /// Batches that were tried before, in order.
        var again: [PendingBatch] = []
        var fresh: [QueuedRecord] = []
        var freshItems = 0
        var freshBytes = 0
        /// Fresh records that clients wait for.
        var freshAwaited = 0
        /// When the first fresh record came.
        var since: Duration = .zero
        var inFlight = 0
        /// Whether the batch that went last was one that was tried before.
        var tookAgain = false

        var isEmpty: Bool { again.isEmpty && fresh.isEmpty && inFlight == 0 }
    }

    /// Lanes from which on nothing more is taken in.
    package static let lanesMax = 2048

    /// What a batch may hold from now on.
    package var limits: BatchLimits
    private var retry: RetrySettings
    private let isExclusive: Bool
    private var bytesMax: Int
    private var lanes: [Lane] = []
    /// Where each lane stands.
    private var places: [MergeKey: Int] = [:]
    private var turn = 0
    /// How many records are inside that went ahead of the ends of their traces.
    private var ahead: [TraceKey: Int] = [:]
    /// Bytes of all records inside, those under way included.
    package private(set) var bytes = 0
    /// Set while the process drains: nothing waits for more.
    package var isDraining = false

    /// - Parameters:
    ///   - limits: What a batch may hold.
    ///   - retry: The pauses of a batch that failed.
    ///   - isExclusive: Whether a lane may have only one request under way.
    ///   - bytesMax: Records held at once; one record is always taken.
    package init(limits: BatchLimits, retry: RetrySettings, isExclusive: Bool, bytesMax: Int) {
        self.limits = limits
        self.retry = retry
        self.isExclusive = isExclusive
        self.bytesMax = bytesMax
    }

    /// Other pauses and another bound from now on; where `hastening`, what was tried before is tried again at once.
    package mutating func change(retry: RetrySettings, bytesMax: Int, hastening: Bool, now: Duration) {
        (self.retry, self.bytesMax) = (retry, bytesMax)
        guard hastening else { return }
        for lane in lanes.indices {
            for batch in lanes[lane].again.indices { lanes[lane].again[batch].notBefore = now }
        }
    }

    /// How many more bytes of records fit; zero or less when reading must wait.
    package var room: Int {
        guard lanes.count < Self.lanesMax else { return 0 }
        return bytes == 0 ? max(bytesMax, 1) : bytesMax - bytes
    }

    /// Whether nothing waits and nothing is under way.
    package var isEmpty: Bool { lanes.isEmpty }

    /// Takes a record in.
    package mutating func add(_ record: QueuedRecord, key: MergeKey, now: Duration) {
        let index = places[key] ?? lanes.endIndex
        if index == lanes.endIndex {
            lanes.append(Lane(key: key))
            places[key] = index
        }
        if lanes[index].fresh.isEmpty { lanes[index].since = now }
        lanes[index].fresh.append(record)
        lanes[index].freshItems += record.payloadItems
        lanes[index].freshBytes += record.payload.count
        if record.isAwaited { lanes[index].freshAwaited += 1 }
        bytes += record.heldBytes
        noteAhead(CollectionOfOne(record), by: 1)
    }

    /// The next batch to send, if one is due; it counts as under way until `settle` or `putBack`.
    package mutating func next(now: Duration) -> PendingBatch? {
        for step in lanes.indices {
            let index = (turn + step) % lanes.count
            guard let batch = take(from: index, now: now) else { continue }
            turn = index + 1
            return batch
        }
        return nil
    }

    /// The earliest moment at which `next` may give something without a further event; nil when none will.
    package var wake: Duration? {
        lanes.lazy.filter(isOpen).compactMap { lane -> Duration? in
            let again = lane.again.lazy.map(\.notBefore).min()
            let linger = lane.freshAwaited > 0 ? .zero : limits.linger
            let fresh = lane.fresh.contains { !mustWait($0) } ? lane.since + linger : nil
            return [again, fresh].compactMap { $0 }.min()
        }.min()
    }

    /// Lets go of a batch that is delivered or given up.
    package mutating func settle(_ batch: PendingBatch) {
        bytes -= batch.records.reduce(0) { $0 + $1.heldBytes }
        noteAhead(batch.records, by: -1)
        guard let index = places[batch.key] else { return }
        lanes[index].inFlight -= 1
        if lanes[index].isEmpty { removeLane(at: index) }
    }

    /// Puts what is left of a batch back to its lane, to be sent from its `notBefore` on.
    package mutating func putBack(_ batches: [PendingBatch]) {
        guard let key = batches.first?.key, let index = places[key] else { return }
        lanes[index].inFlight -= 1
        lanes[index].again += batches
    }

    /// Takes out all records of a lane that wait and can be read from the journal again.
    package mutating func removeWaiting(_ key: MergeKey) -> [QueuedRecord] {
        guard let index = places[key] else { return [] }
        let whole = lanes[index].again.filter(\.isWhole)
        let records = whole.flatMap(\.records) + lanes[index].fresh
        lanes[index].again.removeAll(where: \.isWhole)
        (lanes[index].fresh, lanes[index].freshItems, lanes[index].freshBytes) = ([], 0, 0)
        lanes[index].freshAwaited = 0
        bytes -= records.reduce(0) { $0 + $1.heldBytes }
        noteAhead(records, by: -1)
        if lanes[index].isEmpty { removeLane(at: index) }
        return records
    }

    /// The last lane takes the place of the one that goes, so that nothing else moves.
    private mutating func removeLane(at index: Int) {
        places[lanes[index].key] = nil
        lanes.swapAt(index, lanes.endIndex - 1)
        lanes.removeLast()
        if index < lanes.endIndex { places[lanes[index].key] = index }
    }

    private func isOpen(_ lane: Lane) -> Bool { !isExclusive || lane.inFlight == 0 }

    private mutating func take(from index: Int, now: Duration) -> PendingBatch? {
        guard isOpen(lanes[index]) else { return nil }
        let (due, isFreshDue) = (lanes[index].again.firstIndex { $0.notBefore <= now }, isDue(lanes[index], now: now))
        // In turns, so that what fails again and again does not hold up what was never tried.
        if let due, !isFreshDue || !lanes[index].tookAgain {
            lanes[index].tookAgain = true
            lanes[index].inFlight += 1
            return lanes[index].again.remove(at: due)
        }
        lanes[index].tookAgain = false
        return isFreshDue ? takeFresh(from: index, now: now) : nil
    }

    private func isDue(_ lane: Lane, now: Duration) -> Bool {
        guard lane.fresh.contains(where: { !mustWait($0) }) else { return false }
        let isFull = lane.freshItems >= limits.items || lane.freshBytes >= limits.bytes.bytes
        return isDraining || lane.freshAwaited > 0 || isFull || now >= lane.since + limits.linger || room <= 0
    }

    /// Whether a record is the end of a trace of which spans that went ahead are still inside: the older copy of a span that
    /// came last would undo the newer one.
    private func mustWait(_ record: QueuedRecord) -> Bool {
        guard !ahead.isEmpty, case .end? = record.metadata.showing, let key = record.traceKey else { return false }
        return ahead[key] != nil
    }

    /// Counts records that went ahead of the ends of their traces, or those of them that go.
    private mutating func noteAhead(_ records: some Sequence<QueuedRecord>, by change: Int) {
        for record in records where record.metadata.showing == .ahead {
            guard let key = record.traceKey else { continue }
            let count = (ahead[key] ?? 0) + change
            ahead[key] = count > 0 ? count : nil
        }
    }

    private mutating func takeFresh(from index: Int, now: Duration) -> PendingBatch {
        let fresh = lanes[index].fresh
        var taken: [QueuedRecord] = []
        var (items, size, end) = (0, 0, 0)
        while end < fresh.count {
            let record = fresh[end]
            let isFull =
                items + record.payloadItems > limits.items || size + record.payload.count > limits.bytes.bytes
            if !taken.isEmpty, isFull { break }
            end += 1
            guard !mustWait(record) else { continue }
            taken.append(record)
            items += record.payloadItems
            size += record.payload.count
        }
        let left = taken.count == end ? [] : fresh[..<end].filter(mustWait)
        lanes[index].fresh.replaceSubrange(..<end, with: left)
        lanes[index].freshItems -= items
        lanes[index].freshBytes -= size
        if lanes[index].freshAwaited > 0 {
            lanes[index].freshAwaited -= taken.count(where: \.isAwaited)
        }
        lanes[index].since = now
        lanes[index].inFlight += 1
        return PendingBatch(
            key: lanes[index].key,
            records: taken,
            backoff: Backoff(initial: retry.initial, maximum: retry.max)
        )
    }
}

extension QueuedRecord {
    /// The trace that all of it is of; nil for several.
    fileprivate var traceKey: TraceKey? {
        metadata.trace.map { TraceKey($0.trace, identity: $0.isBound ? metadata.identity : nil) }
    }
}
