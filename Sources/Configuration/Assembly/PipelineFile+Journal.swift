import Basics
import Journal
package import Logging
import Pipeline

/// Why a valid pipeline file cannot be run as things stand.
package struct AssemblyError: Error, CustomStringConvertible {
    package let description: String
}

extension PipelineFile {
    /// One log a pipeline, one reader for each of its exporters.
    private var logs: [LogDefinition] {
        pipelines.map { pipeline in
            LogDefinition(
                name: pipeline.name,
                readers: pipeline.value.exporters.map { name in
                    let start = exporters.first { $0.name == name }?.settings.reading.start
                    return ReaderDefinition(name: name, start: start ?? .newest)
                }
            )
        }
    }

    /// Opens the journal, and refuses to give up silently what an exporter that is gone from the file has not delivered.
    func openJournal(meters: Meters, clock: WallClock, logger: Logger) throws -> Journal {
        let syncs = meters.histogram("millrace_journal_sync_seconds")
        let journal = try Journal.open(journal, logs: logs, clock: clock, logger: logger) { syncs.observe($0) }
        let waiting = journal.vanishedReaders.filter { !$0.abandoned && $0.account.queued > 0 }
        for reader in waiting {
            logger.warning(
                "an exporter is gone from the pipeline file and its spans wait in the journal; name it again to deliver them",
                metadata: [
                    "exporter": "\(reader.name)", "pipeline": "\(reader.log)", "spans": "\(reader.account.queued)",
                ]
            )
        }
        return journal
    }

    /// The ledger in JSON as the journal on disk has it, for when no process runs.
    ///
    /// - Throws: `JournalError`, also where a process has the journal open.
    package func storedLedger(logger: Logger) async throws -> String {
        let clock = WallClock.system
        let journal = try Journal.open(journal, logs: logs, clock: clock, logger: logger)
        let ledger = Ledger(of: journal) { _ in 0 }.json(now: clock.now())
        await journal.close()
        return String(decoding: ledger, as: UTF8.self)
    }
}
