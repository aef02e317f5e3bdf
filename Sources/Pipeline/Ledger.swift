package import Basics
package import Journal
import OTLP

/// What became of every accepted item, for each pipeline, signal and destination.
///
/// Derived from the journal alone, except for `refused`, which counts since the process started.
package struct Ledger: Sendable {
    /// One pipeline's part of one signal.
    package struct Entry: Sendable {
        package let log: LogID
        package let accepted: UInt64
        package let refused: Int
        /// Whether some of its items go, or went, through a window.
        package let hasWindow: Bool
        package let destinations: [(name: String, account: DestinationAccount)]
    }

    package let entries: [Entry]

    /// The accounts as they stand in a journal, those of exporters that are gone from the pipeline file included.
    ///
    /// - Parameters:
    ///   - journal: Its logs are named for the pipelines, their readers for the exporters.
    ///   - refused: Gives the items refused before a pipeline's log.
    package init(of journal: Journal, refused: (LogID) -> Int) {
        let vanished = Dictionary(grouping: journal.vanishedReaders, by: \.log.main.front)
        let present = journal.pipelines.filter { !$0.id.isWindow }
        let gone = vanished.keys.filter { front in !present.contains { $0.id == front } }
        entries =
            present.map { log in
                let book = AccountBook(of: log, in: journal, vanished: vanished[log.id] ?? [])
                return Entry(
                    log: log.id,
                    accepted: book.accepted,
                    refused: refused(log.id),
                    hasWindow: book.hasWindow,
                    destinations: book.rows
                )
            }
            + gone.sorted { $0.name < $1.name }.map { log in
                let book = AccountBook(vanished[log] ?? [])
                return Entry(
                    log: log,
                    accepted: book.accepted,
                    refused: 0,
                    hasWindow: book.hasWindow,
                    destinations: book.rows
                )
            }
    }

    /// The form of `/ledger` and `millrace ledger`.
    package func json(now: UnixTime) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("pipelines")
        writer.beginObject()
        var pipelines: [String] = []
        for entry in entries where !pipelines.contains(entry.log.pipeline) { pipelines.append(entry.log.pipeline) }
        for pipeline in pipelines {
            writer.key(pipeline)
            writer.beginObject()
            let entries = entries.filter { $0.log.pipeline == pipeline }
            for entry in entries where entry.log.part == nil { write(entry, now: now, to: &writer) }
            let parts = entries.filter { $0.log.part != nil }
            if !parts.isEmpty { write(parts, now: now, to: &writer) }
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    /// The rows of the signals that have an object of their own.
    private func write(_ parts: [Entry], now: UnixTime, to writer: inout JSONWriter) {
        writer.key("signals")
        writer.beginObject()
        for entry in parts {
            writer.key(entry.log.part ?? "")
            writer.beginObject()
            write(entry, now: now, to: &writer)
            writer.endObject()
        }
        writer.endObject()
    }

    /// The members that every signal has.
    private func write(_ entry: Entry, now: UnixTime, to writer: inout JSONWriter) {
        writer.key("accepted_\(entry.log.signal.itemsName)")
        writer.integer(entry.accepted)
        writer.key("refused_\(entry.log.signal.itemsName)")
        writer.integer(entry.refused)
        writer.key("destinations")
        writer.beginObject()
        for destination in entry.destinations {
            writer.key(destination.name)
            write(destination.account, hasWindow: entry.hasWindow, now: now, to: &writer)
        }
        writer.endObject()
    }

    private func write(
        _ account: DestinationAccount,
        hasWindow: Bool,
        now: UnixTime,
        to writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.key("since")
        writer.string(account.since.text)
        writer.key("accepted")
        writer.integer(account.accepted)
        for outcome in Outcome.allCases {
            writer.key(outcome.word)
            writer.integer(account.outcomes[outcome])
        }
        if hasWindow {
            writer.key("joined")
            writer.integer(account.joined)
            writer.key("created")
            writer.integer(account.created)
        }
        let policies = account.outcomes.sampledOutBy
        if !policies.isEmpty {
            writer.key("by")
            writer.beginObject()
            writer.key(Outcome.sampledOut.word)
            writer.beginObject()
            for (policy, count) in policies.sorted(by: { $0.key < $1.key }) {
                writer.key(policy)
                writer.integer(count)
            }
            writer.endObject()
            writer.endObject()
        }
        writer.key("queued")
        writer.integer(account.queued)
        writer.key("oldest_queued_seconds")
        writer.double(account.oldestQueuedAge(now: now))
        writer.endObject()
    }
}
