package import Basics

/// What a record is for.
package enum RecordKind: UInt8, Sendable, CaseIterable {
    /// A payload of items.
    case items = 1
    /// A dead letter.
    case deadLetter = 3
    /// Only counts of items that were removed before the journal; no payload.
    ///
    /// A group of nothing else is acknowledged once it is written; a crash before the next sync loses it.
    case counts = 4
}

/// A record to append.
package struct NewRecord: Sendable {
    package var log: LogID
    package var kind: RecordKind
    /// How many ids it takes: its items, those that processors removed included.
    package var items: UInt32
    package var metadata: [UInt8]
    package var payload: [UInt8]
    /// When it was received first; nil for a record that is new to the journal.
    package var receivedAt: UnixTime?

    package init(
        log: LogID,
        kind: RecordKind,
        items: UInt32,
        metadata: [UInt8],
        payload: [UInt8],
        receivedAt: UnixTime? = nil
    ) {
        self.log = log
        self.kind = kind
        self.items = items
        self.metadata = metadata
        self.payload = payload
        self.receivedAt = receivedAt
    }
}

/// What a group takes the place of: records of one reader that are settled in the moment in which the group can be read.
///
/// Nobody who looks at both logs (`Journal.moment`) sees them in both or in neither. A crash behind the sync of the group leaves them
/// unsettled: the group's metadata has to name them, and whoever opens the journal settles them before anything is read.
package struct RecordMove: Sendable {
    package let reader: LogReader
    package let settled: [SettledRecord]

    package init(of reader: LogReader, _ settled: [SettledRecord]) {
        self.reader = reader
        self.settled = settled
    }
}

/// All records of one request.
///
/// In each log they become readable together or not at all.
package struct RecordGroup: Sendable {
    package let entries: [NewRecord]
    /// What it takes the place of; its entries are all of one log then.
    package let moves: [RecordMove]
    /// What it takes of each of its logs.
    let parts: [LogPart]

    package init(entries: [NewRecord], moving moves: [RecordMove] = []) {
        self.entries = entries
        self.moves = moves
        parts = entries.reduce(into: []) { parts, entry in
            let bytes = RecordHeader.recordBytes(metadata: entry.metadata.count, payload: entry.payload.count)
            if let index = parts.firstIndex(where: { $0.log == entry.log }) {
                parts[index].bytes += bytes
            } else {
                parts.append(LogPart(log: entry.log, bytes: bytes))
            }
        }
    }

    /// The records of a group that go into one log.
    struct LogPart {
        let log: LogID
        /// With headers and padding.
        var bytes: Int
    }

    /// Whether it is acknowledged without a sync.
    var holdsOnlyCounts: Bool { entries.allSatisfy { $0.kind == .counts } }
    var byteCount: Int { entries.reduce(0) { $0 &+ $1.metadata.count &+ $1.payload.count } }
}

/// What became of a group.
package enum CommitResult: Sendable, Equatable {
    /// Written and, under `SyncMode.everyGroup`, synced.
    case durable
    /// No room; a later attempt may find some.
    case full(retryAfter: Duration)
    /// No settled record would ever make room for it: it is larger than a limit, which the text names.
    case tooLarge(String)
    /// The disk refused it, or the journal is closed; none of it will be read, unless another log had already taken its part.
    case failed(String)
}

/// Gets the results of groups.
package protocol CommitObserver: AnyObject, Sendable {
    /// Called on the journal's thread with all of this observer's groups that one sync settled; must not block.
    func settled(_ commits: [(ticket: UInt64, result: CommitResult)])
}

/// A record as a reader gets it.
package struct StoredRecord: Sendable, Equatable {
    /// The running number of its first item in the log.
    package let id: UInt64
    package let items: UInt32
    package let kind: RecordKind
    /// When it was given to the journal.
    package let receivedAt: UnixTime
    package let metadata: [UInt8]
    package let payload: [UInt8]
    /// Whether somebody follows it until the reader that got it has finished it (`SettlementNotice`).
    package internal(set) var isFollowed = false

    package init(
        id: UInt64,
        items: UInt32,
        kind: RecordKind,
        receivedAt: UnixTime,
        metadata: [UInt8],
        payload: [UInt8]
    ) {
        self.id = id
        self.items = items
        self.kind = kind
        self.receivedAt = receivedAt
        self.metadata = metadata
        self.payload = payload
    }
}

/// A record that a reader is done with.
package struct SettledRecord: Sendable, Equatable {
    package let id: UInt64
    package let items: UInt32
    /// What became of the items; the sum equals `items` and `created` together.
    package let outcomes: OutcomeCounts
    /// Items in it that take no id, because nobody sent them.
    package let created: UInt32
    /// Whether nobody sent those that take an id, either: once it is settled, they are among those that were created.
    package let isUnsent: Bool
    /// Whether its items wait in another log now: nothing has come of them, and who follows it is told nothing.
    package let isMoved: Bool

    package init(
        id: UInt64,
        items: UInt32,
        outcomes: OutcomeCounts,
        created: UInt32 = 0,
        isUnsent: Bool = false,
        isMoved: Bool = false
    ) {
        self.id = id
        self.items = items
        self.outcomes = outcomes
        self.created = created
        self.isUnsent = isUnsent
        self.isMoved = isMoved
    }

    /// The id after its last item.
    var endID: UInt64 { id &+ UInt64(items) }
}
