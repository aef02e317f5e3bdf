import Basics

/// Why items expired.
enum ExpiryCause: String, Sendable {
    /// They were older than `JournalSettings.maxAge` or `DeadLetterLimits.maxAge`.
    case age
    /// Their log had to make room: `FullPolicy.dropOldest`, or `DeadLetterLimits.maxBytes`.
    case budget
    /// Their reader was too far behind: `Backlog.maxBytes`.
    case backlog
}

/// What expired, for reports: one entry for each reader and cause, whatever the number of segments.
struct Expiry: Sendable, Hashable {
    let reader: String
    let cause: ExpiryCause
}

// Giving up what readers have not settled, on the journal's thread. Cursors move; `removeFirst` follows them.
extension LogState {
    /// The oldest segment is given up: what is unfinished in it expires.
    ///
    /// - Returns: False when it may still grow, or when nothing in it is unfinished.
    mutating func expireFirst() -> Bool {
        guard let first = segments.first, first.sealed, passedFirst(sparingNewest: false) == nil else { return false }
        expire(first, .budget)
        return true
    }

    /// Gives up the oldest segments for as long as they are sealed and `isOld`.
    mutating func expire(while isOld: (SegmentState) -> Bool) {
        for segment in segments {
            guard segment.sealed, isOld(segment) else { return }
            expire(segment, .age)
        }
    }

    /// Gives up the oldest segments for as long as a cursor has more than `rangesMax` ranges.
    mutating func expire(untilRanges rangesMax: Int) {
        for segment in segments {
            guard segment.sealed, readers.contains(where: { $0.cursor.finished.rangesAboveLow.count > rangesMax })
            else {
                return
            }
            expire(segment, .budget)
        }
    }

    /// Moves readers whose backlog may expire past their oldest segments, until they are within it or stand in the
    /// newest; other readers keep their cursors.
    mutating func expireBacklogs() {
        for reader in readers.indices {
            guard let backlog = readers[reader].backlog, backlog.whenFull == .expire else { continue }
            while backlogBytes(of: reader) > backlog.maxBytes.bytes,
                let oldest = segments.dropLast().first(where: { $0.endID > readers[reader].needsFrom && $0.sealed })
            {
                expire(below: oldest.endID, for: reader, .backlog)
                // It has read nothing behind the segment it stands in.
                if readers[reader].position.map({ $0.segment <= oldest.number }) ?? false {
                    readers[reader].position = nil
                }
            }
        }
    }

    /// The smallest backlog that a reader may have; nil where none is limited.
    var backlogBytesMin: Int? { readers.compactMap { $0.backlog?.maxBytes.bytes }.min() }

    /// What of the log a reader still holds: its segments from the first with something unfinished.
    func backlogBytes(of reader: Int) -> Int {
        let low = readers[reader].needsFrom
        return segments.reduce(0) { $1.endID > low ? $0 + $1.endOffset : $0 }
    }

    /// Whether a reader whose backlog must not expire has no room for more, with `unpublished` bytes on their way.
    func isBacklogFull(unpublished: Int) -> Bool {
        readers.indices.contains { reader in
            guard let backlog = readers[reader].backlog, backlog.whenFull == .reject else { return false }
            return backlogBytes(of: reader) + unpublished >= backlog.maxBytes.bytes
        }
    }

    /// What expired since the last call.
    mutating func takeExpiries() -> [Expiry: UInt64] {
        defer { expiries = [:] }
        return expiries
    }

    private mutating func expire(_ segment: SegmentState, _ cause: ExpiryCause) {
        for reader in readers.indices where readers[reader].needsFrom < segment.endID {
            expire(below: segment.endID, for: reader, cause)
        }
    }

    private mutating func expire(below id: UInt64, for reader: Int, _ cause: ExpiryCause) {
        let before = readers[reader].cursor.totals[.expired]
        readers[reader].cursor.expire(below: id)
        readers[reader].dirty = true
        followed.finish(all: 0..<id, as: [.expired: .max], by: readers[reader].name, of: self.id)
        let items = readers[reader].cursor.totals[.expired] - before
        if items > 0 { expiries[Expiry(reader: readers[reader].name, cause: cause), default: 0] += items }
    }
}
