import Basics
import Journal
import Synchronization
import TestKit

/// One request's records in a journal of its own, appended and read again and again.
struct JournalStep {
    private static let readBytesMax = 4 << 20
    private static let readRecordsMax = 1024

    private let records: [NewRecord]
    private let items: Int

    init(_ records: [NewRecord]) {
        self.records = records
        items = records.reduce(0) { $0 + Int($1.items) }
    }

    /// Appends so many groups, each after the one before is written; returns how many were also read where they were to be.
    func run(_ requests: Int, readsBack: Bool) async throws -> Int {
        let directory = try TemporaryDirectory()
        var settings = JournalSettings(directory: directory.path + "/journal")
        settings.sync = .never
        let definitions = [LogDefinition(LogID("traces"), readers: [ReaderDefinition(name: "sink")])]
        let journal = try Journal.open(settings, logs: definitions, logger: StepRun.logger)
        let appender = Appender()
        for _ in 0..<requests {
            let result = await appender.append(RecordGroup(entries: records), to: journal)
            guard result == .durable else { throw StepRun.Failure(reason: "\(result)") }
        }
        let passed = readsBack ? try await read(requests * items, from: journal.logs[0].readers[0]) : requests * items
        await journal.close()
        return passed / items
    }

    private func read(_ count: Int, from reader: LogReader) async throws -> Int {
        var passed = 0
        while passed < count {
            let records = try await reader.next(bytesMax: Self.readBytesMax, recordsMax: Self.readRecordsMax)
            let settled = records.map {
                SettledRecord(id: $0.id, items: $0.items, outcomes: OutcomeCounts(delivered: UInt64($0.items)))
            }
            reader.finish(settled)
            passed += settled.reduce(0) { $0 + Int($1.items) }
        }
        return passed
    }
}

/// Waits for the result of one group at a time.
private final class Appender: CommitObserver {
    private let waiting = Mutex<CheckedContinuation<CommitResult, Never>?>(nil)

    func append(_ group: RecordGroup, to journal: Journal) async -> CommitResult {
        await withCheckedContinuation { continuation in
            waiting.withLock { $0 = continuation }
            journal.append(group, ticket: 0, observer: self)
        }
    }

    func settled(_ commits: [(ticket: UInt64, result: CommitResult)]) {
        for commit in commits { waiting.withLock { $0.take() }?.resume(returning: commit.result) }
    }
}
