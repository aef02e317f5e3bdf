import Basics
package import Journal
import Synchronization

/// What one exporter of one pipeline has put aside until its routes open: a log that only this exporter reads, so that
/// parked records keep no segment of the pipeline's log.
///
/// A record moves there in two steps, like a dead letter: it is durable there before the one that it came from is settled,
/// as dead-lettered, which the account takes back (`DestinationAccount`); one whose origin is not settled is void.
package final class ParkedLog: Sendable {
    package let log: Log
    package let reader: LogReader
    private let journal: Journal

    /// The parked log of one exporter; nil where the journal has none for it.
    package init?(of exporter: String, in main: LogID, journal: Journal) {
        guard let log = journal.log(LogID(parkedBy: exporter, in: main)),
            let reader = log.reader(named: exporter)
        else { return nil }
        self.log = log
        self.reader = reader
        self.journal = journal
    }

    /// Whether a record is older than records may become.
    func isTooOld(_ record: QueuedRecord) -> Bool { journal.isTooOld(record.receivedAt) }

    /// Moves records here: makes copies of them durable, and settles them where they were.
    ///
    /// A record that the journal gave up before its copy was durable does not move, and its copy is void.
    ///
    /// - Parameters:
    ///   - records: All of one log.
    ///   - origin: Their reader.
    /// - Returns: The ids of those that moved; nil where there is no room for all, or the disk fails, and none has.
    func take(_ records: [QueuedRecord], from origin: LogReader) async -> Set<UInt64>? {
        guard !records.isEmpty else { return [] }
        let copies = records.map(copy)
        let moved = Mutex<Set<UInt64>>([])
        // On the journal's thread, which expires records: nothing happens between the two steps.
        let result = await journal.append(RecordGroup(entries: copies)) { [reader] in
            // Nobody else writes to this log.
            var id = reader.endID - copies.reduce(0) { $0 + UInt64($1.items) }
            var void: [SettledRecord] = []
            for (record, copy) in zip(records, copies) {
                if origin.isFinished(record.id) {
                    let outcomes: OutcomeCounts = [.deadLettered: UInt64(copy.items)]
                    void.append(SettledRecord(id: id, items: copy.items, outcomes: outcomes))
                } else {
                    moved.withLock { _ = $0.insert(record.id) }
                }
                id += UInt64(copy.items)
            }
            reader.settleHeld(void)
            origin.finish(records.map(\.moved))
        }
        return result == .durable ? moved.withLock { $0 } : nil
    }

    private func copy(_ record: QueuedRecord) -> NewRecord {
        var metadata = record.metadata.withoutAccount
        metadata.parked = ParkedOrigin(
            source: record.source,
            id: record.id,
            sharedBytes: record.sharedBytes,
            receivedAt: record.receivedAt,
            parkedSince: record.parkedSince ?? record.receivedAt
        )
        return NewRecord(
            log: log.id,
            kind: .items,
            items: UInt32(clamping: record.payloadItems),
            metadata: metadata.encoded(),
            payload: record.payload
        )
    }
}

extension QueuedRecord {
    /// The account of a record whose items went to another log of its exporter.
    fileprivate var moved: SettledRecord {
        var all: OutcomeCounts = [.deadLettered: UInt64(payloadItems)]
        let settled = settled(taking: &all)
        return SettledRecord(
            id: settled.id,
            items: settled.items,
            outcomes: settled.outcomes,
            created: settled.created,
            isUnsent: settled.isUnsent,
            isMoved: true
        )
    }
}
