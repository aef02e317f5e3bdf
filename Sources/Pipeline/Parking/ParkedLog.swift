import Basics
package import Journal

/// What one exporter of one pipeline has put aside until its routes open: a log that only this exporter reads, so that
/// parked records keep no segment of the pipeline's log.
///
/// A record moves there in two steps, like a dead letter: it is durable there before the one that it came from is settled,
/// as dead-lettered, which the account takes back (`DestinationAccount`); one whose origin is not settled is void.
package final class ParkedLog: Sendable {
    package let log: Log
    package let reader: LogReader
    /// How old records may become.
    let maxAge: Duration
    private let journal: Journal

    /// The parked log of one exporter; nil where the journal has none for it.
    package init?(of exporter: String, in pipeline: String, journal: Journal) {
        guard let log = journal.log(LogID(parkedBy: exporter, in: pipeline)),
            let reader = log.reader(named: exporter)
        else { return nil }
        self.log = log
        self.reader = reader
        self.journal = journal
        maxAge = journal.maxAge
    }

    /// Makes copies of records durable; false where there is no room, or the disk fails.
    ///
    /// The caller settles the records only afterwards.
    func add(_ records: [QueuedRecord], since: UnixTime) async -> Bool {
        let copies = records.map { record in
            var metadata = record.metadata
            // What was removed before the journal stays in the account of the record that it was counted in.
            (metadata.removed, metadata.replays) = ([:], nil)
            metadata.parked = ParkedOrigin(
                source: record.source,
                id: record.id,
                sharedBytes: record.sharedBytes,
                receivedAt: record.receivedAt,
                parkedSince: record.parkedSince ?? max(since, record.receivedAt)
            )
            return NewRecord(
                log: log.id,
                kind: .items,
                items: UInt32(clamping: record.payloadItems),
                metadata: metadata.encoded(),
                payload: record.payload
            )
        }
        return await journal.append(RecordGroup(entries: copies)) == .durable
    }
}
