import Basics
import TestKit
import Testing

@testable import Journal

/// Segments that every reader has passed and that stay for a while (`JournalSettings.retain`).
@Suite struct RetainTests {
    private let disk: Disk
    private let logs = [LogDefinition.traces(), .deadLetters()]

    init() {
        var disk = Disk(maxBytes: .kibibytes(512))
        disk.settings.retain = .seconds(600)
        self.disk = disk
    }

    private func large(_ text: String, log: LogID = .traces, kind: RecordKind = .items) -> NewRecord {
        NewRecord(text + String(repeating: "x", count: 50_000), log: log, kind: kind)
    }

    /// Appends so many records, each in a segment of its own and ten seconds behind the one before, and delivers all.
    private func deliver(_ count: Int, to journal: SteppedJournal) async throws {
        for index in 0..<count {
            #expect(journal.commit([large("\(index) ")]) == [.durable])
            let reader = journal.logs[0].readers[0]
            reader.finish(try await reader.next(bytesMax: 1, recordsMax: 1).map(\.delivered))
            journal.committer.tick()
            disk.clock.advance(by: .seconds(10))
        }
    }

    private func retained(_ journal: SteppedJournal) -> [String] {
        journal.logs[0].retainedTexts.map { String($0.prefix { $0 != " " }) }
    }

    @Test func `what is delivered stays until it is old enough, also after a restart`() async throws {
        var journal = try disk.openStepped(logs)
        try await deliver(4, to: journal)
        #expect(retained(journal) == ["0", "1", "2", "3"])
        journal.committer.close()
        journal = try disk.openStepped(logs)
        #expect(retained(journal) == ["0", "1", "2", "3"])
        #expect(journal.logs[0].readers[0].account.queued == 0)
        disk.clock.advance(by: .seconds(585))
        journal.committer.collect()
        #expect(retained(journal) == ["2", "3"])
        disk.clock.advance(by: .seconds(600))
        #expect(journal.commit([NewRecord("next ")]) == [.durable])
        journal.committer.collect()
        #expect(retained(journal) == ["next"])
    }

    @Test func `what is new takes the room of the oldest that is delivered, and of no more than that`() async throws {
        let journal = try disk.openStepped(logs)
        try await deliver(30, to: journal)
        let kept = retained(journal)
        #expect(kept.count >= 5)
        #expect(kept == (30 - kept.count..<30).map(String.init))
        #expect(journal.logs[0].statistics.bytes <= 512 * 1024)
        #expect(journal.logs[0].readers[0].account.outcomes == OutcomeCounts(delivered: 30))
    }

    @Test func `what is not delivered is not given up for what is`() throws {
        let journal = try disk.openStepped(logs)
        var count: UInt64 = 0
        while journal.commit([large("a ")]) == [.durable] { count += 1 }
        #expect(count >= 5)
        #expect(journal.logs[0].readers[0].account.queued == count)
    }

    @Test func `dead letters that were replayed or purged do not stay`() throws {
        let journal = try disk.openStepped(logs)
        for _ in 0..<3 { #expect(journal.commit([large("a", log: .letters, kind: .deadLetter)]) == [.durable]) }
        let reader = journal.logs[1].readers[0]
        reader.settleHeld((0..<3).map { SettledRecord(id: $0, items: 1, outcomes: [.expired: 1]) })
        #expect(journal.commit([NewRecord("b", log: .letters, kind: .deadLetter)]) == [.durable])
        journal.committer.tick()
        #expect(journal.logs[1].retainedTexts == ["b"])
    }
}
