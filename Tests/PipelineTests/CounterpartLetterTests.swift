import Basics
import Journal
import Logging
import OTLP
import TestKit
import Testing

@testable import Pipeline

/// Dead letters of the log that an exporter read before a window came.
@Suite struct CounterpartLetterTests {
    private static let front = LogID("traces", .traces)
    private static let behind = LogID(windowOf: "traces")

    private func open(_ files: FaultyFileSystem, withWindow: Bool) throws -> Journal {
        var settings = JournalSettings(directory: "/data", maxBytes: .gibibytes(1), minFree: .kibibytes(0))
        settings.parts = LogID.parts
        let main = withWindow ? Self.behind : Self.front
        var logs = [
            LogDefinition(main, readers: [ReaderDefinition(name: "out")], source: withWindow ? Self.front : nil),
            LogDefinition(
                LogID(deadLettersOf: "out", in: main),
                role: .deadLetters(DeadLetterLimits()),
                readers: [ReaderDefinition(name: "out", start: .oldest)]
            ),
        ]
        if withWindow {
            let window = ReaderDefinition(name: "whole", isWindow: true)
            logs.insert(LogDefinition(Self.front, readers: [window]), at: 0)
        }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return try Journal.open(settings, logs: logs, fileSystem: files, logger: logger)
    }

    private func row(_ journal: Journal) -> DestinationAccount {
        let row = Ledger(of: journal) { _ in 0 }.entries[0].destinations.first { $0.name == "out" }
        return row?.account ?? DestinationAccount(journal.logs[0].readers[0].account, aside: [])
    }

    /// A machine that ends right after a replay, before the cursor says that the letter is gone.
    @Test(arguments: [FaultyFileSystem.Loss.everything, .nothing])
    func `a letter that was replayed behind a window is none any more, also behind a crash`(
        loss: FaultyFileSystem.Loss
    ) async throws {
        let files = FaultyFileSystem()
        var journal = try open(files, withWindow: false)
        let body = tracesRequest([TestSpan(id: 1), TestSpan(id: 2, parent: 1)])
        let metadata = RecordMetadata(signal: .traces, route: .experimentName("a"))
        let record = NewRecord(
            log: Self.front,
            kind: .items,
            items: 2,
            metadata: metadata.encoded(),
            payload: body
        )
        #expect(await journal.append(RecordGroup(entries: [record])) == .durable)
        let read = try await journal.logs[0].readers[0].next(bytesMax: 1 << 20, recordsMax: 1)
        let letter = DeadLetter(
            origin: DeadLetter.Origin(source: .pipeline, id: read[0].id),
            rejection: Rejection(status: 400, reason: "no"),
            attempts: 1,
            firstAttempt: UnixTime(nanoseconds: 1),
            lastAttempt: UnixTime(nanoseconds: 1),
            metadata: metadata,
            payload: body,
            items: 2
        )
        let box = try #require(DeadLetterBox(of: "out", in: Self.front, journal: journal))
        #expect(await box.add([letter]))
        journal.logs[0].readers[0].finish([
            SettledRecord(id: read[0].id, items: 2, outcomes: [.deadLettered: 2])
        ])
        #expect(row(journal).outcomes == OutcomeCounts(deadLettered: 2))
        await journal.close()

        journal = try open(files, withWindow: true)
        let past = try #require(DeadLetterBox.gone(from: journal).first)
        let present = try #require(DeadLetterBox(of: "out", in: Self.behind, journal: journal))
        #expect(row(journal).outcomes == OutcomeCounts(deadLettered: 2))
        #expect(await past.replay(nil, in: present).moved.letters == 1)
        #expect(row(journal).queued == 2 && row(journal).outcomes == OutcomeCounts())
        files.crash(losing: loss)
        await journal.close()

        journal = try open(files, withWindow: true)
        try #require(DeadLetterBox(of: "out", in: Self.behind, journal: journal)).recover()
        #expect(DeadLetterBox.gone(from: journal).isEmpty)
        let reader = try #require(journal.log(LogID(deadLettersOf: "out", in: Self.behind))?.reader(named: "out"))
        let replayed = try await reader.next(bytesMax: 1 << 20, recordsMax: 2)
        #expect(replayed.map(\.payload) == [body])
        #expect(row(journal).queued == 2 && row(journal).outcomes == OutcomeCounts())
        reader.finish([SettledRecord(id: replayed[0].id, items: 2, outcomes: [.delivered: 2])])
        #expect(row(journal).queued == 0 && row(journal).outcomes == OutcomeCounts(delivered: 2))
        #expect(row(journal).accepted == 2)
        await journal.close()
    }
}
