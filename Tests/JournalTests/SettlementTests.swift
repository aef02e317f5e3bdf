import Basics
import Synchronization
import TestKit
import Testing

@testable import Journal

/// Groups that are followed until readers have finished them.
@Suite struct SettlementTests {
    /// What one notice told.
    private final class Told: Sendable {
        private let told = Mutex<[Settlement]>([])

        var all: [Settlement] { told.withLock { $0 } }

        func notice(_ readers: ReaderID...) -> SettlementNotice {
            SettlementNotice(readers: readers) { settlement in self.told.withLock { $0.append(settlement) } }
        }
    }

    private let disk = Disk()
    private let told = Told()
    private let one = ReaderID("one", of: .traces)
    private let two = ReaderID("two", of: .traces)
    private let three = ReaderID("three", of: .logs)
    private let logs = [
        LogDefinition.traces("one", "two"), LogDefinition(.logs, readers: [ReaderDefinition(name: "three")]),
    ]

    private func large(_ log: LogID = .traces) -> NewRecord {
        NewRecord(String(repeating: "x", count: 50_000), items: 3, log: log)
    }

    @Test func `a group over two logs is told about once all named readers have finished all of it`() async throws {
        let journal = try disk.openStepped(logs)
        let group = [NewRecord("a", items: 2), NewRecord("b", items: 5, log: .logs), NewRecord("c")]
        #expect(journal.commit([NewRecord("before")]) == [.durable])
        #expect(journal.commit(group, following: told.notice(one, three)) == .durable)
        let (first, third) = (journal.logs[0].readers[0], journal.logs[1].readers[0])
        let records = try await first.read(through: "c")
        first.finish([records[0].delivered, records[2].delivered])
        let outcomes: OutcomeCounts = [.rejected: 1, .delivered: 1]
        first.finish([SettledRecord(id: records[1].id, items: 2, outcomes: outcomes)])
        #expect(told.all.isEmpty)
        third.finish(try await third.read(through: "b").map(\.delivered))
        let finished = [
            FinishedRecord(entry: 0, reader: one, outcomes: outcomes),
            FinishedRecord(entry: 1, reader: three, outcomes: [.delivered: 5]),
            FinishedRecord(entry: 2, reader: one, outcomes: [.delivered: 1]),
        ]
        #expect(told.all == [.finished(finished)])
        #expect(journal.logs[0].readers[1].account.queued == 4)
    }

    @Test func `a reader sees what is followed, and of a record that moves elsewhere nothing is told`() async throws {
        let journal = try disk.openStepped(logs)
        #expect(journal.commit([NewRecord("a")], following: told.notice(one)) == .durable)
        #expect(journal.commit([NewRecord("b")]) == [.durable])
        #expect(journal.commit([NewRecord("c")], following: told.notice(two)) == .durable)
        let reader = journal.logs[0].readers[0]
        let records = try await reader.read(through: "c")
        #expect(records.map(\.isFollowed) == [true, false, false])
        let moved = SettledRecord(id: records[0].id, items: 1, outcomes: [.deadLettered: 1], isMoved: true)
        reader.finish([moved] + records[1...].map(\.delivered))
        #expect(told.all.isEmpty)
        #expect(reader.account.outcomes[.deadLettered] == 1)
    }

    @Test func `what expires and what is lost is told as that`() async throws {
        let journal = try disk.openStepped(logs)
        let notices = [told.notice(one), told.notice(one)]
        #expect(journal.commit([NewRecord("x", items: 3)], following: notices[0]) == .durable)
        #expect(journal.commit([large()], following: notices[1]) == .durable)
        disk.files.change(disk.segments[0]) { $0[SegmentHeader.areaBytes + RecordHeader.byteCount] ^= 1 }
        #expect(journal.commit([large()]) == [.durable])
        let reader = journal.logs[0].readers[0]
        _ = try await reader.next(bytesMax: 1, recordsMax: 1)
        #expect(told.all == [.finished([FinishedRecord(entry: 0, reader: one, outcomes: [.lost: 3])])])
        disk.clock.advance(by: .seconds(200 * 3600))
        journal.committer.tick()
        #expect(told.all.last == .finished([FinishedRecord(entry: 0, reader: one, outcomes: [.expired: 3])]))
        #expect(told.all.count == 2)
    }

    @Test func `a group that is not durable is not told about`() async throws {
        let journal = try disk.openStepped(logs)
        disk.files.fail(.sync, pathSuffix: ".log")
        let failed = journal.commit([NewRecord("a")], following: told.notice(one))
        #expect(failed != .durable)
        #expect(journal.commit([NewRecord("b")], following: told.notice(one)) == .durable)
        let reader = journal.logs[0].readers[0]
        reader.finish(try await reader.read(through: "b").map(\.delivered))
        #expect(told.all == [.finished([FinishedRecord(entry: 0, reader: one, outcomes: [.delivered: 1])])])
    }

    @Test func `a reader that is not there, retired or closed with the journal leaves it unknown`() async throws {
        let journal = try disk.open(logs)
        let commits = Commits()
        let group = RecordGroup(entries: [NewRecord("a")])
        let nobody = ReaderID("nobody", of: .traces)
        for (ticket, reader) in [nobody, one, two].enumerated() {
            journal.append(group, ticket: UInt64(ticket), observer: commits, notice: told.notice(reader))
            #expect(await commits.result(of: UInt64(ticket)) == .durable)
        }
        await journal.retire(one)
        #expect(told.all == [.unknown("there is no reader nobody"), .unknown("the reader one was retired")])
        await journal.close()
        #expect(told.all.last == .unknown("the journal was closed"))
        #expect(told.all.count == 3)
    }

    @Test func `a reader of another log has nothing to finish`() throws {
        let journal = try disk.openStepped(logs)
        #expect(journal.commit([NewRecord("a")], following: told.notice(three)) == .durable)
        #expect(told.all == [.finished([])])
    }

    @Test func `too many at once are unknown, unless others were cancelled`() throws {
        let journal = try disk.openStepped(logs)
        let group = (0..<SettlementNotice.recordsMax).map { _ in NewRecord("a") }
        let many = told.notice(one)
        #expect(journal.commit(group, following: many) == .durable)
        #expect(journal.commit([NewRecord("b")], following: told.notice(one)) == .durable)
        #expect(told.all == [.unknown("too many records are followed")])
        many.cancel()
        #expect(journal.logs[0].core.state.withLock { $0.followed.count } == 0)
        let gone = told.notice(one)
        gone.cancel()
        #expect(journal.commit([NewRecord("nobody's")], following: gone) == .durable)
        #expect(journal.logs[0].core.state.withLock { $0.followed.count } == 0)
        #expect(journal.commit([NewRecord("c")], following: told.notice(one)) == .durable)
        journal.logs[0].readers[0].settleHeld([SettledRecord(id: UInt64(group.count + 2), items: 1, outcomes: [:])])
        #expect(told.all.last == .finished([FinishedRecord(entry: 0, reader: one, outcomes: [.lost: 1])]))
        journal.logs[0].readers[0].settleHeld([SettledRecord(id: 0, items: 1, outcomes: [:])])
        #expect(told.all.count == 2)
    }
}
