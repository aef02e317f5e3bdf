package import Basics
package import Journal

/// What became of every accepted span, for each pipeline and destination.
///
/// Derived from the journal alone, except for `refused`, which counts since the process started.
package struct Ledger: Sendable {
    /// One pipeline's part.
    package struct Entry: Sendable {
        package let pipeline: String
        package let accepted: UInt64
        package let refused: Int
        package let destinations: [(name: String, account: ReaderAccount)]
    }

    package let entries: [Entry]

    /// The accounts as they stand in a journal.
    ///
    /// - Parameters:
    ///   - journal: Its logs are named for the pipelines, their readers for the exporters.
    ///   - refused: Gives a pipeline's refused items.
    package init(of journal: Journal, refused: (String) -> Int) {
        entries = journal.logs.map { log in
            Entry(
                pipeline: log.name,
                accepted: log.statistics.acceptedItems,
                refused: refused(log.name),
                destinations: log.readers.map { ($0.name, $0.account) }
            )
        }
    }

    /// The form of `/ledger` and `millrace ledger`.
    package func json(now: UnixTime) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("pipelines")
        writer.beginObject()
        for entry in entries {
            writer.key(entry.pipeline)
            write(entry, now: now, to: &writer)
        }
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    private func write(_ entry: Entry, now: UnixTime, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("accepted_spans")
        writer.integer(entry.accepted)
        writer.key("refused_spans")
        writer.integer(entry.refused)
        writer.key("destinations")
        writer.beginObject()
        for destination in entry.destinations {
            writer.key(destination.name)
            write(destination.account, now: now, to: &writer)
        }
        writer.endObject()
        writer.endObject()
    }

    private func write(_ account: ReaderAccount, now: UnixTime, to writer: inout JSONWriter) {
        let outcomes = account.outcomes
        writer.beginObject()
        writer.key("since")
        writer.string(account.since.text)
        let counts: KeyValuePairs<StaticString, UInt64> = [
            "accepted": account.accepted,
            "delivered": outcomes.delivered,
            "filtered": outcomes.filtered,
            "sampled_out": outcomes.sampledOut,
            "rejected": outcomes.rejected,
            "dead_lettered": outcomes.deadLettered,
            "expired": outcomes.expired,
            "lost": outcomes.lost,
            "queued": UInt64(account.queued),
        ]
        for (name, count) in counts {
            writer.key(name)
            writer.integer(count)
        }
        writer.key("oldest_queued_seconds")
        writer.double(account.oldestQueuedAge(now: now))
        writer.endObject()
    }
}

extension ReaderAccount {
    /// How long ago the oldest item that still waits was received, in seconds; 0 when none waits.
    package func oldestQueuedAge(now: UnixTime) -> Double {
        oldestQueued.map { max(0, now.since($0).inSeconds) } ?? 0
    }
}
