import Basics
import Journal
import Synchronization

/// Routes that need somebody to act: what waits for them leaves the window, so that it holds up nothing else.
extension Delivery {
    /// Until a parked route is tried again, one that is not kept in memory, and until records are moved for which there was
    /// no room.
    static let parkedPause = Duration.seconds(60)
    private static let strayPause = parkedPause * 10
    private static let pauseAfterFailure = Duration.seconds(1)
    /// Records moved in one group, at most, and their bytes.
    private static let moveMax = (records: 64, bytes: 4 << 20)

    /// Keeps a record of a parked route in the journal; false where it may be sent.
    func isParked(_ record: QueuedRecord, _ key: MergeKey) -> Bool {
        guard let isCrowded = parked.withLock({ $0.keep(record, of: key) }) else { return false }
        if isCrowded { crowded.ring() }
        return true
    }

    /// Parks the route of a batch with all that waits for it.
    func park(_ batch: PendingBatch) {
        let now = clock.now()
        let since = batch.triedSince ?? wallClock.now()
        let waiting = window.withLock { window in
            guard batch.isWhole else {
                // Part of it is delivered: its other requests cannot be read again.
                var batch = batch
                batch.notBefore = now + Self.parkedPause
                batch.pause()
                window.putBack([batch])
                return window.removeWaiting(batch.key)
            }
            window.settle(batch)
            return batch.records + window.removeWaiting(batch.key)
        }
        parked.withLock { $0.park(batch.key, waiting, until: now + Self.parkedPause, since: since) }
        crowded.ring()
    }

    /// The destination has judged what a route was sent: what waits for it is sent, too.
    func noteOpen(_ key: MergeKey) {
        guard parked.withLock({ $0.open(key) }) else { return }
        readParkedLog()
    }

    /// Reads the parked log up to where it ends now: what waits there for other routes is parked again.
    func readParkedLog() {
        guard let reader = readers[.parked] else { return }
        parkedEnd.withLock { $0 = reader.hasUnread ? reader.endID : nil }
        room[.parked]?.ring()
    }

    /// Whether records of a source may be read: of the parked log for as long as a route may take them, of the others until
    /// too many wait for parked routes that cannot move.
    func mayRead(_ source: RecordSource) -> Bool {
        if source == .parked { return parkedEnd.withLock { $0 != nil } }
        return parkedLog != nil || parked.withLock { $0.count } < ParkedRoutes.placesMax
    }

    /// The parked log is read up to the record `last`.
    func endParkedReading(at last: StoredRecord) {
        parkedEnd.withLock { end in
            if let limit = end, last.id + UInt64(last.items) >= limit { end = nil }
        }
    }

    /// A record of the parked log that is older than the journal keeps any.
    func expire(_ record: QueuedRecord) {
        shares?.settled(record.sharedBytes, of: record.metadata, wasParked: true)
        let outcomes: OutcomeCounts = [.expired: UInt64(record.items)]
        readers[record.source]?.finish([SettledRecord(id: record.id, items: record.items, outcomes: outcomes)])
        settled.ring()
    }

    /// What is to be read again now; nil when nothing is, or there is no room for it.
    func nextRecall(now: Duration) -> ParkedRoutes.Recall? {
        let (limits, space) = window.withLock { ($0.limits, $0.room) }
        let (recall, readsLog) = parked.withLock { parked -> (ParkedRoutes.Recall?, Bool) in
            guard parked.recalledBytes < space else { return (nil, false) }
            let recall = parked.recall(
                now: now,
                itemsMax: limits.items,
                bytesMax: min(limits.bytes.bytes, Self.moveMax.bytes),
                pause: Self.parkedPause
            )
            return (recall, parked.passesStrays(now: now))
        }
        if readsLog { readParkedLog() }
        return recall
    }

    /// Reads records again that a route waits for, so that they are sent as if they had come now.
    func recall(_ recall: ParkedRoutes.Recall) async {
        guard let source = recall.places.first?.source, let log = logs[source], let reader = readers[source] else {
            return
        }
        var left = recall.places[...]
        while !left.isEmpty {
            let stored = await log.records(left.map(\.id), bytesMax: Self.moveMax.bytes)
            for record in stored {
                guard let metadata = RecordMetadata(decoding: record.metadata) else { continue }
                var queued = QueuedRecord(record, metadata, from: source)
                queued.parkedSince = queued.parkedSince ?? max(recall.since, queued.receivedAt)
                window.withLock { $0.add(queued, key: recall.key, now: clock.now()) }
            }
            let end = stored.last?.id
            let seen = left.prefix { place in end.map { place.id <= $0 } ?? true }
            left = left.dropFirst(seen.count)
            let found = Set(stored.map(\.id))
            giveBack(seen.filter { !found.contains($0.id) }, of: recall, reader)
        }
        parked.withLock { $0.end(recall) }
        due.ring()
    }

    /// What could not be read is finished, where the journal gave it up meanwhile, or is tried again.
    private func giveBack(_ places: [ParkedRoutes.Place], of recall: ParkedRoutes.Recall, _ reader: LogReader) {
        let gone = places.filter { reader.isFinished($0.id) }
        reader.finish(gone.map { SettledRecord(id: $0.id, items: $0.items, outcomes: [.expired: UInt64($0.items)]) })
        let rest = places.filter { !reader.isFinished($0.id) }
        guard !rest.isEmpty else { return }
        let again = ParkedRoutes.Recall(key: recall.key, places: rest, since: recall.since)
        parked.withLock { $0.putBack(again, until: clock.now() + Self.parkedPause) }
    }

    /// Moves what waits for parked routes out of the way, until the task is cancelled.
    func moveParked() async {
        guard readers[.parked] != nil else { return }
        while !Task.isCancelled {
            await crowded.wait()
            var oldest: [RecordSource: UInt64] = [:]
            for (source, log) in logs where source != .parked { oldest[source] = log.oldestSegmentEnd }
            let strays = clock.now() + Self.strayPause
            for move in parked.withLock({ $0.excess(oldest: oldest, strays: strays) }) {
                if await !self.move(move) { try? await clock.sleep(Self.pauseAfterFailure) }
            }
            settled.ring()
            for room in room.values { room.ring() }
        }
    }

    /// Moves records of one route to the end of the parked log; false where it has no room for all, and the others stay.
    private func move(_ move: ParkedRoutes.Move) async -> Bool {
        guard let source = move.places.first?.source, let log = logs[source], let reader = readers[source],
            let parkedLog
        else { return true }
        var left = move.places[...]
        while !left.isEmpty {
            let group = left.prefix(Self.moveMax.records)
            let stored = await log.records(group.map(\.id), bytesMax: Self.moveMax.bytes)
            let records = stored.compactMap { record in
                RecordMetadata(decoding: record.metadata).map { QueuedRecord(record, $0, from: source) }
            }
            if !records.isEmpty, await !parkedLog.add(records, since: move.since) {
                let rest = ParkedRoutes.Move(key: move.key, places: Array(left), since: move.since)
                parked.withLock { $0.putBack(rest, until: nil) }
                return false
            }
            finishMoved(records, reader)
            let end = stored.last?.id
            let seen = group.prefix { place in end.map { place.id <= $0 } ?? true }
            left = left.dropFirst(seen.count)
            let found = Set(records.map(\.id))
            giveBack(seen.filter { !found.contains($0.id) }, of: move, reader)
        }
        // It may have opened meanwhile.
        if parked.withLock({ !$0.isParked(move.key) }) { readParkedLog() }
        return true
    }

    private func finishMoved(_ records: [QueuedRecord], _ reader: LogReader) {
        for record in records where record.source == .pipeline {
            shares?.park(record.sharedBytes, of: record.metadata)
        }
        reader.finish(
            records.map { record in
                var all: OutcomeCounts = [.deadLettered: UInt64(record.payloadItems)]
                return record.settled(taking: &all)
            }
        )
    }
}
