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
        package let destinations: [(name: String, account: DestinationAccount)]
    }

    package let entries: [Entry]

    /// The accounts as they stand in a journal, those of exporters that are gone from the pipeline file included.
    ///
    /// - Parameters:
    ///   - journal: Its logs are named for the pipelines, their readers for the exporters.
    ///   - refused: Gives a pipeline's refused items.
    package init(of journal: Journal, refused: (String) -> Int) {
        let vanished = Dictionary(grouping: journal.vanishedReaders, by: \.log.pipeline).mapValues { readers in
            Dictionary(grouping: readers, by: \.name).sorted { $0.key < $1.key }.compactMap { name, readers in
                let aside = readers.filter { $0.log.kind != .pipeline }.map(\.account)
                return readers.first { $0.log.kind == .pipeline }.map {
                    (name: name, account: DestinationAccount($0.account, aside: aside))
                }
            }
        }
        let present = journal.pipelines.map { log in
            // Read first: what becomes a dead letter meanwhile is then still counted where it was.
            let pipeline = log.id.pipeline
            let aside = Dictionary(
                uniqueKeysWithValues: log.readers.map { ($0.name, journal.asideAccounts(of: $0.name, in: pipeline)) }
            )
            let moment = log.snapshot
            let destinations = moment.accounts.map { reader, account in
                (reader, DestinationAccount(account, aside: aside[reader] ?? []))
            }
            return Entry(
                pipeline: pipeline,
                accepted: moment.statistics.acceptedItems,
                refused: refused(pipeline),
                destinations: destinations + (vanished[pipeline] ?? [])
            )
        }
        let gone = vanished.filter { name, _ in !present.contains { $0.pipeline == name } }.map { name, destinations in
            let accepted = destinations.map(\.account.accepted).max() ?? 0
            return Entry(pipeline: name, accepted: accepted, refused: 0, destinations: destinations)
        }
        entries = present + gone.sorted { $0.pipeline < $1.pipeline }
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

    private func write(_ account: DestinationAccount, now: UnixTime, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("since")
        writer.string(account.since.text)
        writer.key("accepted")
        writer.integer(account.accepted)
        for outcome in Outcome.allCases {
            writer.key(outcome.word)
            writer.integer(account.outcomes[outcome])
        }
        writer.key("queued")
        writer.integer(account.queued)
        writer.key("oldest_queued_seconds")
        writer.double(account.oldestQueuedAge(now: now))
        writer.endObject()
    }
}

extension Journal {
    /// The logs of pipelines, in the order of the pipeline file; those of single exporters left out.
    package var pipelines: [Log] { logs.filter { $0.id.kind == .pipeline } }

    /// What became of the spans of one exporter, its dead letters included.
    package func account(of reader: LogReader, in pipeline: String) -> DestinationAccount {
        let aside = asideAccounts(of: reader.name, in: pipeline)
        return DestinationAccount(reader.account, aside: aside)
    }

    /// The accounts of an exporter's own logs.
    ///
    /// Parked records first: they become dead letters, and dead letters are parked only when they are replayed.
    fileprivate func asideAccounts(of exporter: String, in pipeline: String) -> [ReaderAccount] {
        [LogID(parkedBy: exporter, in: pipeline), LogID(deadLettersOf: exporter, in: pipeline)]
            .compactMap { log($0)?.reader(named: exporter)?.account }
    }
}
