package import Basics
package import Journal

/// Settles what an earlier process moved behind a window and had no time to settle.
package struct WindowRecovery {
    /// Records settled in one go, at most.
    private static let settledMax = 4096

    /// Traces that were decided, as far as the journal still has them, and where they went; the oldest first.
    package let decided: [DecidedTrace]

    /// Once, before anything is read; the caller writes the cursors (`Journal.persistCursors`) before it delivers.
    ///
    /// The calling thread waits for the disk.
    ///
    /// - Parameters:
    ///   - output: The log behind the window, whose records say what they take the place of.
    ///   - spans: The window's reader of the spans.
    ///   - logs: Its reader of log records; nil where it reads none.
    ///   - journal: Holds all of them.
    package init(of output: Log, spans: LogReader, logs: LogReader?, in journal: Journal) {
        var (moved, joined): ([SettledRecord], [SettledRecord]) = ([], [])
        var decided: [DecidedTrace] = []
        output.visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: ByteCount(bytes: .max)) { stored in
            guard let metadata = RecordMetadata(decoding: stored.metadata), let origin = metadata.origin else { return }
            moved += TraceOrigin.moved(origin.spans)
            joined += TraceOrigin.joined(origin.logs, origin)
            if let mark = metadata.trace, mark.isOfOneTrace {
                let key = TraceKey(mark.trace, identity: mark.isBound ? metadata.identity : nil)
                decided.append(DecidedTrace(key: key, route: metadata.route, receivedAt: stored.receivedAt))
            }
            if moved.count > Self.settledMax { Self.settle(&moved, spans, journal) }
            if joined.count > Self.settledMax { Self.settle(&joined, logs, journal) }
        }
        Self.settle(&moved, spans, journal)
        Self.settle(&joined, logs, journal)
        self.decided = decided
    }

    private static func settle(_ records: inout [SettledRecord], _ reader: LogReader?, _ journal: Journal) {
        if let reader, !records.isEmpty { journal.restore(RecordMove(of: reader, records)) }
        records = []
    }
}

/// A trace that an earlier process decided.
package struct DecidedTrace: Sendable {
    package let key: TraceKey
    package let route: Route
    package let receivedAt: UnixTime
}
