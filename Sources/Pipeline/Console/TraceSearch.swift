package import Basics
package import Journal
package import OTLP

/// Looks for a trace in what the journal still holds: what waits, and the segments that are not deleted yet.
package struct TraceSearch: Sendable {
    /// Bytes of one log that are looked through, the newest.
    package static let bytesMax = ByteCount.mebibytes(256)
    /// Records that are kept of what is found, at most.
    private static let recordsMax = 200

    /// A record with items of the trace.
    package struct Finding: Sendable {
        package let log: LogID
        package let receivedAt: UnixTime
        package let route: Route
        /// One export request in wire form; it may hold items of other traces.
        package let payload: [UInt8]
        /// Each exporter of the pipeline, and whether it is done with the record.
        package let destinations: [(name: String, isDone: Bool)]
        /// Whether a window that gathers traces is not done with the record.
        package let isInWindow: Bool
        /// Whether it lies among the dead letters of the one destination.
        package let isLetter: Bool
    }

    private let journal: Journal

    package init(_ journal: Journal) {
        self.journal = journal
    }

    /// Oldest first; blocks while the disk is read, so not on a thread that others wait for.
    package func findings(of id: TraceID) -> [Finding] {
        var findings: [Finding] = []
        for log in journal.logs where log.id.signal != .metrics && log.id.kind != .parked {
            log.visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: Self.bytesMax) { record in
                guard findings.count < Self.recordsMax,
                    TraceID.all(in: record.payload, signal: log.id.signal).contains(id),
                    let finding = finding(record, in: log)
                else { return }
                findings.append(finding)
            }
        }
        return findings.sorted { $0.receivedAt < $1.receivedAt }
    }

    private func finding(_ record: StoredRecord, in log: Log) -> Finding? {
        let isLetter = log.role != .items
        let (windows, readers) = (log.readers.filter(\.isWindow), log.readers.filter { !$0.isWindow })
        let letter =
            isLetter ? DeadLetter(decoding: record.metadata, payload: record.payload, items: Int(record.items)) : nil
        guard let metadata = letter?.metadata ?? RecordMetadata(decoding: record.metadata) else { return nil }
        // A letter that was replayed or purged is told of by what became of it.
        if isLetter, readers.contains(where: { $0.isFinished(record.id) }) { return nil }
        return Finding(
            log: log.id,
            receivedAt: record.receivedAt,
            route: metadata.route,
            payload: record.payload,
            destinations: readers.map { ($0.name, $0.isFinished(record.id)) },
            isInWindow: windows.contains { !$0.isFinished(record.id) },
            isLetter: isLetter
        )
    }
}
