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
        package let destinations: [(name: String, account: DestinationAccount)]
    }

    package let entries: [Entry]

    /// The accounts as they stand in a journal, those of exporters that are gone from the pipeline file included.
    ///
    /// - Parameters:
    ///   - journal: Its logs are named for the pipelines, their readers for the exporters.
    ///   - refused: Gives the items refused before a pipeline's log.
    package init(of journal: Journal, refused: (LogID) -> Int) {
        let vanished = Dictionary(grouping: journal.vanishedReaders, by: \.log.main).mapValues { readers in
            Dictionary(grouping: readers, by: \.name).sorted { $0.key < $1.key }.compactMap { name, readers in
                let aside = readers.filter { $0.log.kind != .pipeline }.map(\.account)
                return readers.first { $0.log.kind == .pipeline }.map {
                    (name: name, account: DestinationAccount($0.account, aside: aside))
                }
            }
        }
        let present = journal.pipelines.map { log in
            // Read first: what becomes a dead letter meanwhile is then still counted where it was.
            let aside = Dictionary(
                uniqueKeysWithValues: log.readers.map { ($0.name, journal.asideAccounts(of: $0.name, in: log.id)) }
            )
            let moment = log.snapshot
            let destinations = moment.accounts.map { reader, account in
                (reader, DestinationAccount(account, aside: aside[reader] ?? []))
            }
            return Entry(
                log: log.id,
                accepted: moment.statistics.acceptedItems,
                refused: refused(log.id),
                destinations: destinations + (vanished[log.id] ?? [])
            )
        }
        let gone = vanished.filter { log, _ in !present.contains { $0.log == log } }.map { log, destinations in
            let accepted = destinations.map(\.account.accepted).max() ?? 0
            return Entry(log: log, accepted: accepted, refused: 0, destinations: destinations)
        }
        entries = present + gone.sorted { $0.log.name < $1.log.name }
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
            write(destination.account, now: now, to: &writer)
        }
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

    /// What became of the items of one exporter in a pipeline's log, its dead letters included.
    package func account(of reader: LogReader, in log: LogID) -> DestinationAccount {
        let aside = asideAccounts(of: reader.name, in: log)
        return DestinationAccount(reader.account, aside: aside)
    }

    /// The accounts of an exporter's own logs.
    ///
    /// Parked records first: they become dead letters, and dead letters are parked only when they are replayed.
    fileprivate func asideAccounts(of exporter: String, in main: LogID) -> [ReaderAccount] {
        // One that refuses nothing any more may have letters from before.
        [LogID(parkedBy: exporter, in: main), LogID(deadLettersOf: exporter, in: main)]
            .compactMap { storedLog($0)?.storedReader(named: exporter)?.account }
    }
}
