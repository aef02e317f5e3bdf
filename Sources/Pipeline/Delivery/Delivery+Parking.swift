import Basics
import Journal
import Synchronization

/// Routes that need somebody to act: what waits for them leaves the window, so that it holds up nothing else.
extension Delivery {
    /// Until a parked route is tried again, one that is not kept in memory, and until records are moved for which there was
    /// no room.
    static let parkedPause = Duration.seconds(60)
    private static let strayPause = parkedPause * 10
    private static let movePause = Duration.seconds(1)
    /// Records moved in one group, at most, and their bytes.
    private static let moveMax = (records: 64, bytes: 4 << 20)

    /// Keeps a record of a parked route in the journal; false where it may be sent.
    func isParked(_ record: QueuedRecord, _ key: MergeKey) -> Bool { parked.withLock { $0.keep(record, of: key) } }

    /// Parks the route of a batch with all that waits for it.
    func park(_ batch: PendingBatch) {
        let now = clock.now()
        let since = batch.triedSince ?? wallClock.now()
        let waiting = window.withLock { window in
            guard batch.isWhole else {
                // Part of it is done: its other requests cannot be read again.
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
        parked.withLock { $0.beginReading() }
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
        var left = recall.places.sorted { $0.id < $1.id }[...]
        while !left.isEmpty {
            let stored = await log.records(left.map(\.id), bytesMax: Self.moveMax.bytes)
            for record in stored {
                guard let metadata = RecordMetadata(decoding: record.metadata) else { continue }
                var queued = await queue(record, metadata, from: source)
                queued.parkedSince = queued.parkedSince ?? max(recall.since, queued.receivedAt)
                window.withLock { $0.add(queued, key: recall.key, now: clock.now()) }
            }
            let seen = left.prefix { $0.id <= stored.last?.id ?? .max }
            left = left.dropFirst(seen.count)
            let found = Set(stored.map(\.id))
            for place in seen where !found.contains(place.id) { giveBack(place, of: recall.key, recall.since, reader) }
        }
        parked.withLock { $0.end(recall) }
        due.ring()
    }

    /// What could not be read is finished, where the journal gave it up meanwhile, or is tried again.
    private func giveBack(_ place: ParkedRoutes.Place, of key: MergeKey, _ since: UnixTime, _ reader: LogReader) {
        if reader.isFinished(place.id) {
            let outcomes: OutcomeCounts = [.expired: UInt64(place.items)]
            return reader.finish([SettledRecord(id: place.id, items: place.items, outcomes: outcomes)])
        }
        let probe = clock.now() + Self.parkedPause
        parked.withLock { $0.putBack([place], of: key, since: since, until: probe) }
    }
}

/// Moving what waits out of the way.
extension Delivery {
    /// Moves what waits for parked routes to the parked log, until the task is cancelled.
    func moveParked() async {
        guard readers[.parked] != nil else { return }
        var notBefore = Duration.zero
        while !Task.isCancelled {
            await crowded.wait()
            guard clock.now() >= notBefore else { continue }
            var pinned: [RecordSource: UInt64] = [:]
            for source in [RecordSource.pipeline, .deadLetters] { pinned[source] = pinnedEnd(of: source) }
            let strays = clock.now() + Self.strayPause
            let moves = parked.withLock { $0.excess(pinned: pinned, strays: strays) }
            for move in moves where !Task.isCancelled {
                if await !self.move(move) { notBefore = clock.now() + Self.movePause }
            }
            guard !moves.isEmpty else { continue }
            settled.ring()
            for room in room.values { room.ring() }
        }
    }

    /// The end of the last full segment below which a source has nothing unfinished but what is kept here.
    private func pinnedEnd(of source: RecordSource) -> UInt64? {
        guard let log = logs[source], let reader = readers[source] else { return nil }
        let (places, items) = parked.withLock { ($0.places(of: source), $0.items(of: source)) }
        guard places > 0 else { return nil }
        return log.sealedEnds.last { reader.unfinished(below: $0) <= items }
    }

    /// Moves records to the end of the parked log; false where it has no room for all, and the others stay.
    private func move(_ move: ParkedRoutes.Move) async -> Bool {
        guard let log = logs[move.source], let reader = readers[move.source], let parkedLog else { return true }
        var left = move.entries[...]
        while !left.isEmpty, !Task.isCancelled {
            let group = left.prefix(Self.moveMax.records)
            let stored = await log.records(group.map(\.place.id), bytesMax: Self.moveMax.bytes)
            let seen = group.prefix { $0.place.id <= stored.last?.id ?? .max }
            let entries = Dictionary(uniqueKeysWithValues: seen.map { ($0.place.id, $0) })
            var records: [QueuedRecord] = []
            for record in stored {
                guard let metadata = RecordMetadata(decoding: record.metadata) else { continue }
                var queued = await queue(record, metadata, from: move.source)
                let since = entries[record.id]?.since ?? queued.receivedAt
                queued.parkedSince = queued.parkedSince ?? max(since, queued.receivedAt)
                records.append(queued)
            }
            guard let moved = await parkedLog.take(records, from: reader) else {
                putBack(left)
                return false
            }
            for record in records where record.source == .pipeline {
                if moved.contains(record.id) {
                    shares?.park(record.sharedBytes, of: record.metadata, at: wallClock.now())
                } else {
                    shares?.settled(record.sharedBytes, of: record.metadata, wasParked: false)
                }
            }
            left = left.dropFirst(seen.count)
            let found = Set(records.map(\.id))
            for entry in seen where !found.contains(entry.place.id) {
                giveBack(entry.place, of: entry.key, entry.since, reader)
            }
        }
        putBack(left)
        // A route may have opened meanwhile.
        let isOpen = parked.withLock { parked in move.entries.contains { !$0.isStray && !parked.isParked($0.key) } }
        if isOpen { readParkedLog() }
        return true
    }

    private func putBack(_ entries: ArraySlice<ParkedRoutes.Move.Entry>) {
        parked.withLock { parked in
            for entry in entries { parked.putBack([entry.place], of: entry.key, since: entry.since, until: nil) }
        }
    }
}
