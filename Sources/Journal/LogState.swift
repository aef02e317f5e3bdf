import Basics

/// Everything that the readers and the writer of one log share.
///
/// Events in, decisions out; it does no I/O. `Log` holds it under a lock and acts on what it returns.
///
/// Calls that are wrong change no account: a record settled twice counts once; a record settled whose segment was given
/// up meanwhile stays expired; ids that no record has are ignored; outcomes that do not add up to the items of their
/// record are cut, or filled up with `lost`.
struct LogState: Sendable {
    /// Ascending by number; the last may be open.
    private(set) var segments: [SegmentState]
    /// The id after the last readable one.
    private(set) var endID: UInt64
    /// Readers are added and never removed, so that an index stays valid.
    var readers: [ReaderState]
    /// Ids found destroyed since the log was opened, each once however many readers find them.
    private var lost = IDSet()
    private(set) var lostItems: UInt64 = 0
    private(set) var isClosed = false
    /// What expired and was not reported yet.
    var expiries: [Expiry: UInt64] = [:]
    var followed = FollowedRecords()
    let id: LogID
    /// Dead letters that lie in `segments`, finished or not; empty in an ordinary log.
    private(set) var held: IDSet

    init(_ id: LogID, segments: [SegmentState], endID: UInt64, readers: [ReaderState], held: IDSet = IDSet()) {
        self.id = id
        self.segments = segments
        self.endID = endID
        self.readers = readers
        self.held = held
    }

    var bytes: Int { segments.reduce(0) { $0 + $1.bytes } }

    func account(of reader: Int) -> ReaderAccount {
        readers[reader].cursor.account(endID: end(for: reader), held: held, receivedAt: time)
    }

    /// The id after the last one that is for a reader.
    func end(for reader: Int) -> UInt64 { min(endID, readers[reader].leavesAt ?? .max) }

    /// When the first item came that `reader` has not finished, `ids` aside; nil without one.
    func oldestUnfinished(of reader: Int, besides ids: IDSet) -> UInt64? {
        let finished = readers[reader].cursor.finished
        return ids.firstMissing(from: finished.low, below: endID, orIn: finished).flatMap(time)
    }

    private func time(of id: UInt64) -> UInt64? {
        let segment = segments.last { $0.firstID <= id } ?? segments.first
        return segment?.time(of: id)
    }

    var snapshot: LogSnapshot {
        let defined = readers.indices.filter { readers[$0].isDefined }
        return LogSnapshot(
            statistics: statistics,
            accounts: defined.map { (readers[$0].name, account(of: $0)) },
            windows: defined.filter { readers[$0].isWindow }.map { readers[$0].name }
        )
    }

    var statistics: LogStatistics {
        LogStatistics(
            acceptedItems: endID,
            bytes: bytes,
            filledBytes: segments.reduce(0) { $0 + $1.endOffset },
            segments: segments.count,
            lostItems: lostItems,
            firstID: segments.first?.firstID ?? endID,
            nextID: endID
        )
    }
}

// Writing, on the journal's thread.
extension LogState {
    mutating func add(_ segment: SegmentState) {
        segments.append(segment)
    }

    /// More of the newest segment became readable.
    ///
    /// - Returns: Who waited for it.
    mutating func publish(
        _ extent: SegmentExtent,
        marks: [RecordMark],
        held added: [Range<UInt64>],
        followed: [FollowedRecords.Record]
    ) -> [CheckedContinuation<Void, Never>] {
        guard let last = segments.indices.last else { return [] }
        segments[last].endOffset = extent.endOffset
        segments[last].endID = extent.endID
        segments[last].lastReceivedAt = extent.lastReceivedAt
        for mark in marks { segments[last].marks.note(mark) }
        for ids in added { held.insert(ids) }
        for record in followed {
            self.followed.add(record) { name in
                readers.contains { $0.name == name && $0.isDefined && record.id < $0.leavesAt ?? .max }
            }
        }
        endID = extent.endID
        return readers.indices.compactMap { takeWaiter(of: $0) }
    }

    /// Ids below `id` are given to no record any more.
    mutating func extend(to id: UInt64) {
        if let last = segments.indices.last { segments[last].endID = id }
        endID = id
    }

    /// The newest segment gets nothing more; it takes `bytes` on the disk.
    mutating func seal(bytes: Int) {
        guard let last = segments.indices.last else { return }
        segments[last].sealed = true
        segments[last].bytes = bytes
    }

    /// The newest segment got no records and goes; readers that stood in it stand at the end of the one before.
    mutating func removeEmptyNewest() -> SegmentState? {
        guard let empty = segments.last, empty.endOffset == SegmentHeader.areaBytes else { return nil }
        segments.removeLast()
        for reader in readers.indices where readers[reader].position?.segment == empty.number {
            readers[reader].position = segments.last.map {
                .init(segment: $0.number, offset: $0.endOffset, expectedID: $0.endID)
            }
        }
        return empty
    }

    /// Takes out segments without records, but for the first and the newest.
    mutating func removeEmptyInner() -> [SegmentState] {
        guard segments.count > 2 else { return [] }
        let empty = segments[1..<segments.count - 1].filter { $0.sealed && $0.endOffset == SegmentHeader.areaBytes }
        guard !empty.isEmpty else { return [] }
        segments.removeAll { segment in empty.contains { $0.number == segment.number } }
        return empty
    }

    /// Adds a reader, whose account begins now, or lets one that is there go on.
    ///
    /// - Returns: Its index.
    mutating func define(_ definition: ReaderDefinition, now: UnixTime) -> Int {
        guard let index = readers.firstIndex(where: { $0.name == definition.name }) else {
            let start = definition.start == .oldest ? segments.first?.firstID ?? endID : endID
            var reader = ReaderState(
                name: definition.name,
                isDefined: true,
                isWindow: definition.isWindow,
                backlog: definition.backlog,
                cursor: Cursor(since: now, startID: start),
                persistedLow: 0
            )
            reader.dirty = true
            readers.append(reader)
            return readers.count - 1
        }
        readers[index].backlog = definition.backlog
        if !readers[index].isDefined {
            readers[index].cursor.reopen(at: endID)
            readers[index].dirty = true
            readers[index].beginTerm(isDefined: true)
        }
        return index
    }

    /// A reader that is about to be retired gets what it has not finished of what is there now, and no more.
    mutating func leave(_ name: String) {
        guard let index = readers.firstIndex(where: { $0.name == name && $0.isDefined }) else { return }
        readers[index].leavesAt = readers[index].leavesAt ?? endID
        readers[index].backlog = nil
    }

    /// Ends a reader; what it was given and did not settle waits until it is defined again.
    ///
    /// - Returns: Who waited for something to read.
    mutating func retire(_ name: String) -> CheckedContinuation<Void, Never>? {
        guard let index = readers.firstIndex(where: { $0.name == name && $0.isDefined }) else { return nil }
        let end = end(for: index)
        readers[index].beginTerm(isDefined: false)
        readers[index].backlog = nil
        if readers[index].cursor.finished.low >= end { readers[index].cursor.close(at: end) }
        readers[index].dirty = true
        followed.end(name, because: "the reader \(name) was retired")
        return takeWaiter(of: index)
    }

    /// Gives up a reader that is not defined; dead letters stay, and what was made of some to be tried again goes.
    mutating func abandon(_ reader: Int) {
        guard !readers[reader].isDefined, readers[reader].cursor.closedID == nil else { return }
        readers[reader].dirty = true
        guard !held.ranges.isEmpty else { return readers[reader].cursor.close(at: endID) }
        var id = readers[reader].cursor.finished.low
        while let next = held.firstMissing(from: id, below: endID, orIn: readers[reader].cursor.finished) {
            readers[reader].cursor.finish(next..<next + 1, as: [.expired: 1])
            id = next + 1
        }
    }

    /// The first segment where every reader has passed it, so that it may go once the cursors say so on the disk.
    ///
    /// With `sparingNewest` the newest segment stays, because its header keeps the next id.
    func passedFirst(sparingNewest: Bool) -> SegmentState? {
        guard let first = segments.first, first.sealed, segments.count > 1 || !sparingNewest else { return nil }
        return readers.allSatisfy { $0.needsFrom >= first.endID } ? first : nil
    }

    /// Whether the cursors on the disk are behind the first segment.
    var isFirstRemovable: Bool {
        segments.first.map { first in readers.allSatisfy { $0.persistedNeedsFrom >= first.endID } } ?? false
    }

    /// Takes the first segment out; readers that stood in it go on with the next.
    mutating func removeFirst() -> SegmentState {
        let first = segments.removeFirst()
        held.remove(below: first.endID)
        for reader in readers.indices where readers[reader].position?.segment == first.number {
            readers[reader].position = nil
        }
        return first
    }

    /// The cursor of a reader as it has to be written; nil when it is written already.
    func snapshot(of reader: Int) -> CursorSnapshot? {
        // The end goes with it, so that a start after a crash notices records that are gone.
        guard readers[reader].dirty || readers[reader].persistedEnd != endID else { return nil }
        return CursorSnapshot(cursor: readers[reader].cursor, endID: endID)
    }

    /// `snapshot` is on the disk.
    mutating func persisted(_ snapshot: CursorSnapshot, of reader: Int) {
        readers[reader].persistedLow = snapshot.cursor.finished.low
        readers[reader].persistedEnd = snapshot.endID
        readers[reader].dirty = readers[reader].cursor != snapshot.cursor
    }

    /// Nothing more will be written or read.
    mutating func close() -> [CheckedContinuation<Void, Never>] {
        isClosed = true
        followed.end(because: "the journal was closed")
        return readers.indices.compactMap { takeWaiter(of: $0) }
    }
}

// Reading, on any thread.
extension LogState {
    /// Where a reader goes on.
    private struct Place {
        /// Of the segment.
        var index: Int
        var position: ReaderState.Position
        /// Ids that no record has, between where the reader stood and here.
        var missing: [Range<UInt64>] = []
    }

    /// What `reader` is to read next; nil when there is nothing for it.
    ///
    /// Ids that it passes and no record has are lost.
    mutating func plan(for reader: Int, recordsMax: Int) -> ReadPlan? {
        let room = readers[reader].inFlightMax - readers[reader].inFlight
        guard room > 0, let place = place(of: reader) else { return nil }
        for ids in place.missing { lose(ids, for: reader) }
        readers[reader].position = place.position
        guard place.position.offset < segments[place.index].endOffset, isFor(reader, place) else { return nil }
        return ReadPlan(
            segment: segments[place.index],
            position: place.position,
            resume: readers[reader].resume,
            recordsMax: min(recordsMax, room)
        )
    }

    /// Whether `plan` would give `reader` something now.
    func canRead(_ reader: Int) -> Bool { readers[reader].inFlight < readers[reader].inFlightMax && hasMore(reader) }

    /// Whether something is left to hand out to `reader`, held records aside.
    func hasUnread(_ reader: Int) -> Bool {
        guard !held.ranges.isEmpty else { return hasMore(reader) }
        let finished = readers[reader].cursor.finished
        let next = max(finished.low, readers[reader].position?.expectedID ?? 0)
        return held.firstMissing(from: next, below: endID, orIn: finished) != nil
    }

    private func hasMore(_ reader: Int) -> Bool {
        place(of: reader).map { $0.position.offset < segments[$0.index].endOffset && isFor(reader, $0) } ?? false
    }

    /// Whether the record there is for a reader that may be about to leave.
    private func isFor(_ reader: Int, _ place: Place) -> Bool {
        place.position.expectedID < readers[reader].leavesAt ?? .max
    }

    /// The first segment from where `reader` stands that it has not read to its end, or else the newest; nil without any.
    private func place(of reader: Int) -> Place? {
        guard let index = index(for: reader) else { return nil }
        var place = Place(index: index, position: readers[reader].position ?? start(of: segments[index]))
        if place.position.segment != segments[index].number { place.position = start(of: segments[index]) }
        while place.index + 1 < segments.count, segments[place.index].sealed,
            place.position.offset >= segments[place.index].endOffset
        {
            let unread = place.position.expectedID..<max(place.position.expectedID, segments[place.index].endID)
            if !unread.isEmpty { place.missing.append(unread) }
            place.index += 1
            place.position = start(of: segments[place.index])
        }
        return place
    }

    private func index(for reader: Int) -> Int? {
        if let position = readers[reader].position {
            return segments.firstIndex { $0.number >= position.segment }
        }
        let low = readers[reader].cursor.finished.low
        return segments.lastIndex { $0.firstID <= low } ?? segments.indices.first
    }

    func start(of segment: SegmentState) -> ReaderState.Position {
        .init(segment: segment.number, offset: SegmentHeader.areaBytes, expectedID: segment.firstID)
    }

    /// Takes in what a visit found that `reader` planned in its term `term`.
    ///
    /// - Returns: The records to hand out: none when the segment was given up, or the reader retired, meanwhile.
    mutating func apply(_ finding: ReadFinding, for reader: Int, term: Int) -> [StoredRecord] {
        guard readers[reader].term == term, readers[reader].position?.segment == finding.position.segment else {
            return []
        }
        readers[reader].position = finding.position
        if let index = segments.firstIndex(where: { $0.number == finding.position.segment }) {
            for mark in finding.marks { segments[index].marks.note(mark) }
        }
        for range in finding.missing { lose(range, for: reader) }
        let name = readers[reader].name
        let records = finding.records.compactMap { record -> StoredRecord? in
            guard record.items == 0 || !readers[reader].cursor.finished.contains(record.id),
                record.id < readers[reader].leavesAt ?? .max
            else { return nil }
            var record = record
            record.isFollowed = followed.awaits(record.id, by: name)
            return record
        }
        readers[reader].inFlight += records.count
        readers[reader].handedOut += records.count
        return records
    }

    private mutating func lose(_ ids: Range<UInt64>, for reader: Int) {
        lostItems &+= lost.insert(ids)
        readers[reader].cursor.lose(ids)
        readers[reader].dirty = true
        followed.finish(all: ids, as: [.lost: .max], by: readers[reader].name, of: id)
    }

    /// Ids that were destroyed before the log was opened: lost to each reader that had not passed them.
    mutating func lose(_ ids: Range<UInt64>) {
        for reader in readers.indices { lose(ids, for: reader) }
    }

    /// Settles records that `reader` was given in its term `term`.
    ///
    /// - Returns: Who can read on, and whether the reader has passed a segment by that.
    mutating func finish(
        _ settled: [SettledRecord],
        for reader: Int,
        term: Int
    ) -> (waiter: CheckedContinuation<Void, Never>?, passedSegment: Bool) {
        let wasFull = readers[reader].inFlight >= readers[reader].inFlightMax
        if readers[reader].term == term { readers[reader].inFlight = max(0, readers[reader].inFlight - settled.count) }
        let passedSegment = settle(settled, for: reader)
        return (wasFull ? takeWaiter(of: reader) : nil, passedSegment)
    }

    /// Finishes records of `reader`, handed out or not.
    ///
    /// - Returns: Whether the reader has passed a segment by that.
    mutating func settle(_ settled: [SettledRecord], for reader: Int) -> Bool {
        let before = readers[reader].needsFrom
        for record in settled {
            let (end, overflow) = record.id.addingReportingOverflow(UInt64(record.items))
            guard !overflow && end <= endID else { continue }
            readers[reader].cursor.finish(record.id..<end, of: record)
            if record.isMoved {
                followed.forget(record.id, by: readers[reader].name)
            } else {
                followed.finish(record.id, as: record.outcomes, by: readers[reader].name, of: id)
            }
        }
        readers[reader].dirty = true
        let passed = before..<max(before, readers[reader].needsFrom)
        return segments.indices.contains { segments[$0].sealed && passed.contains(segments[$0].endID &- 1) }
    }

    mutating func takeWaiter(of reader: Int) -> CheckedContinuation<Void, Never>? {
        defer { readers[reader].waiter = nil }
        return readers[reader].waiter
    }
}
