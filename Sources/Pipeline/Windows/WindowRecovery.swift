import Basics
package import Journal

/// Settles what an earlier process moved behind a window and had no time to settle.
package struct WindowRecovery {
    /// Records settled in one go, at most.
    private static let settledMax = 4096

    private let journal: Journal
    private let spans: LogReader
    private let logs: LogReader?
    /// Traces that were decided, as far as the journal still has them.
    package private(set) var decided: [TraceKey] = []

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
        self.journal = journal
        self.spans = spans
        self.logs = logs
        var (moved, joined): ([SettledRecord], [SettledRecord]) = ([], [])
        var decided: [TraceKey] = []
        output.visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: ByteCount(bytes: .max)) { stored in
            guard let metadata = RecordMetadata(decoding: stored.metadata), let origin = metadata.origin else { return }
            moved += TraceOrigin.moved(origin.spans)
            joined += TraceOrigin.joined(origin.logs, Int(origin.joined))
            if let mark = metadata.trace {
                decided.append(TraceKey(mark.trace, identity: mark.isBound ? metadata.identity : nil))
            }
            if moved.count > Self.settledMax { settle(&moved, spans) }
            if joined.count > Self.settledMax { settle(&joined, logs) }
        }
        settle(&moved, spans)
        settle(&joined, logs)
        self.decided = decided
    }

    private func settle(_ records: inout [SettledRecord], _ reader: LogReader?) {
        if let reader, !records.isEmpty { journal.restore(RecordMove(of: reader, records)) }
        records = []
    }
}
