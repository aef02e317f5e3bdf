package import Basics
package import Journal
package import OTLP

/// A per-span processor that remembers what it decided, and learns it again from the journal when the process starts.
package protocol RememberingProcessor: AnyObject, SpanProcessor {
    /// How far back its memory goes.
    var remember: Duration { get }
    /// Takes in a record of spans as the pipeline stored it; oldest first, before anything new is processed.
    func restore(_ record: RetainedRecord)
    /// Takes over what an earlier processor remembers, in whose place this one comes; false where that is of another kind.
    func goOn(from earlier: any RememberingProcessor) -> Bool
}

/// Spans that a pipeline stored and the journal still has, delivered or not.
package struct RetainedRecord: Sendable {
    /// When they were given to the journal.
    package let receivedAt: UnixTime
    package let metadata: RecordMetadata
    /// An export request in wire form.
    package let payload: [UInt8]

    package init(receivedAt: UnixTime, metadata: RecordMetadata, payload: [UInt8]) {
        self.receivedAt = receivedAt
        self.metadata = metadata
        self.payload = payload
    }

    /// Nil for a record without spans, and for one with metadata that cannot be decoded.
    init?(_ stored: StoredRecord) {
        guard stored.kind == .items, let metadata = RecordMetadata(decoding: stored.metadata) else { return nil }
        self.init(receivedAt: stored.receivedAt, metadata: metadata, payload: stored.payload)
    }

    /// The traces in it, each once.
    package var traceIDs: [TraceID] { TraceID.all(in: payload, signal: metadata.signal) }
}

/// What is read of one log at most; bounds how long a start takes after heavy traffic.
private let restoredBytesMax = ByteCount.mebibytes(512)

extension RememberingProcessor {
    /// Restores from everything that `log` retains and the memory reaches back to, at most the newest 512 MiB.
    ///
    /// The calling thread waits for the disk.
    package func restore(from log: Log, at now: UnixTime) {
        let age = UInt64(clamping: remember.wholeNanoseconds)
        let since = UnixTime(nanoseconds: now.nanoseconds - min(age, now.nanoseconds))
        log.visitRetained(since: since, bytesMax: restoredBytesMax) { stored in
            if let record = RetainedRecord(stored) { restore(record) }
        }
    }
}
