package import Basics
package import Journal
import OTLP

/// Settles what an earlier process moved behind a window and had no time to settle.
package struct WindowRecovery {
    /// Records settled in one go, at most.
    private static let settledMax = 4096

    /// Traces that were decided, as far as the journal still has them, and where they went; the oldest first.
    package let decided: [DecidedTrace]
    /// Records of open traces that went ahead, in the order in which they came.
    package let shown: [ShownRecord]

    /// Once, before anything is read; the caller writes the cursors (`Journal.persistCursors`) before it delivers.
    ///
    /// The calling thread waits for the disk.
    ///
    /// - Parameters:
    ///   - output: The log behind the window, whose records say what they take the place of.
    ///   - front: The log of the spans.
    ///   - spans: The window's reader of it.
    ///   - logs: Its reader of log records; nil where it reads none.
    ///   - journal: Holds all of them.
    package init(of output: Log, front: Log, spans: LogReader, logs: LogReader?, in journal: Journal) {
        var (moved, joined): ([SettledRecord], [SettledRecord]) = ([], [])
        var decided: [DecidedTrace] = []
        output.visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: ByteCount(bytes: .max)) { stored in
            guard let metadata = RecordMetadata(decoding: stored.metadata), let origin = metadata.origin else { return }
            moved += TraceOrigin.moved(origin.spans)
            joined += TraceOrigin.joined(origin.logs, origin)
            let isOpen = metadata.showing == .ahead
            let outcome = DecidedOutcome(route: metadata.route, verdict: metadata.verdict)
            for key in Self.traces(of: stored, metadata) {
                decided.append(DecidedTrace(key: key, outcome: outcome, receivedAt: stored.receivedAt, isOpen: isOpen))
            }
            if moved.count > Self.settledMax { Self.settle(&moved, spans, journal) }
            if joined.count > Self.settledMax { Self.settle(&joined, logs, journal) }
        }
        Self.settle(&moved, spans, journal)
        Self.settle(&joined, logs, journal)
        self.decided = decided
        shown = Self.shown(in: front, spans)
    }

    /// The traces that a record behind the window has whole, or as far as they have come.
    private static func traces(of stored: StoredRecord, _ metadata: RecordMetadata) -> [TraceKey] {
        guard let mark = metadata.trace, stored.kind == .items || metadata.verdict != nil else { return [] }
        let identity = mark.isBound ? metadata.identity : nil
        if mark.isOfOneTrace { return [TraceKey(mark.trace, identity: identity)] }
        guard metadata.areWholeTraces else { return [] }
        return TraceID.all(in: stored.payload, signal: .traces).map { TraceKey($0, identity: identity) }
    }

    /// What is settled behind the first record of a trace that is not, because that one stands for it until it is decided.
    private static func shown(in front: Log, _ reader: LogReader) -> [ShownRecord] {
        var open: Set<TraceKey> = []
        var shown: [ShownRecord] = []
        front.visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: ByteCount(bytes: .max)) { stored in
            guard stored.kind == .items, let metadata = RecordMetadata(decoding: stored.metadata),
                let mark = metadata.trace, mark.isOfOneTrace
            else { return }
            let key = TraceKey(mark.trace, identity: mark.isBound ? metadata.identity : nil)
            if !reader.isFinished(stored.id) {
                open.insert(key)
            } else if open.contains(key) {
                let spans = SpanSighting.all(in: stored.payload, metadata)
                let bytes = stored.payload.count
                shown.append(
                    ShownRecord(key: key, id: stored.id, spans: spans, bytes: bytes, sender: metadata.sender)
                )
            }
        }
        return shown
    }

    private static func settle(_ records: inout [SettledRecord], _ reader: LogReader?, _ journal: Journal) {
        if let reader, !records.isEmpty { journal.restore(RecordMove(of: reader, records)) }
        records = []
    }
}

/// A trace that an earlier process decided.
package struct DecidedTrace: Sendable {
    package let key: TraceKey
    package let outcome: DecidedOutcome
    package let receivedAt: UnixTime
    /// Whether it is still open, and only some of it went ahead.
    package let isOpen: Bool
}

/// A record of an open trace that went ahead in an earlier process.
package struct ShownRecord: Sendable {
    package let key: TraceKey
    package let id: UInt64
    package let spans: [SpanSighting]
    package let bytes: Int
    package let sender: Sender
}

extension TraceWindow {
    /// Takes note of a record that went ahead in an earlier process.
    mutating func see(_ shown: ShownRecord, at moment: Duration) {
        see(
            shown.key,
            from: shown.sender,
            record: shown.id,
            spans: shown.spans,
            bytes: shown.bytes,
            at: moment,
            isShown: true
        )
    }
}
