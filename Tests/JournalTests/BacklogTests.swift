import Basics
import Synchronization
import TestKit
import Testing

@testable import Journal

/// What happens to one reader that falls too far behind, and to the others.
@Suite struct BacklogTests {
    private let disk = Disk()
    private let record = NewRecord(String(repeating: "x", count: 3_000), items: 10)
    private let full = CommitResult.full(retryAfter: .seconds(3))

    private func open(_ policy: Backlog.Policy, maxBytes: ByteCount = .kibibytes(256)) throws -> SteppedJournal {
        let limited = ReaderDefinition(name: "limited", backlog: Backlog(maxBytes: maxBytes, whenFull: policy))
        return try disk.openStepped([
            LogDefinition(.traces, readers: [limited, ReaderDefinition(name: "other")]),
            LogDefinition(.logs, readers: [ReaderDefinition(name: "third")]),
        ])
    }

    private func commit(_ stepped: SteppedJournal) -> CommitResult? {
        defer { stepped.committer.collect() }
        return stepped.commit([record]).first
    }

    private func backlog(_ stepped: SteppedJournal) -> Int {
        stepped.logs[0].core.state.withLock { $0.backlogBytes(of: 0) }
    }

    @Test func `a backlog that may expire gives way alone`() async throws {
        let stepped = try open(.expire)
        for _ in 0..<200 {
            #expect(commit(stepped) == .durable)
            #expect(backlog(stepped) <= 256 * 1024)
        }
        let limited = stepped.logs[0].readers[0]
        let other = stepped.logs[0].readers[1]
        #expect(limited.account.outcomes[.expired] > 1000)
        #expect(limited.account.queued > 500)
        #expect(limited.account.isBalanced)
        #expect(other.account.outcomes.sum == 0)
        #expect(other.account.queued == 2000)
        let first = try await limited.next(bytesMax: 1, recordsMax: 1)
        #expect(first.map(\.id) == [limited.account.outcomes[.expired]])
        #expect(try await other.next(bytesMax: 1, recordsMax: 1).map(\.id) == [0])
    }

    @Test func `what expires while it is on its way is not handed out again and counts once`() async throws {
        let stepped = try open(.expire)
        #expect(commit(stepped) == .durable)
        let limited = stepped.logs[0].readers[0]
        var seen = try await limited.next(bytesMax: 1, recordsMax: 1)
        for _ in 0..<200 { #expect(commit(stepped) == .durable) }
        let expired = limited.account.outcomes[.expired]
        limited.finish(seen.map(\.delivered))
        #expect(limited.account.outcomes == OutcomeCounts(expired: expired))
        while limited.hasUnread { seen += try await limited.next(bytesMax: 100_000, recordsMax: 100) }
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.id < $1.id })
        limited.finish(seen.dropFirst().map(\.delivered))
        #expect(limited.account.outcomes == OutcomeCounts(delivered: 2010 - expired, expired: expired))
        #expect(limited.account.queued == 0)
    }

    @Test func `the space of an expired backlog comes back`() async throws {
        let stepped = try open(.expire)
        let other = stepped.logs[0].readers[1]
        for _ in 0..<300 {
            #expect(commit(stepped) == .durable)
            other.finish(try await other.next(bytesMax: 1, recordsMax: 1).map(\.delivered))
        }
        #expect(stepped.logs[0].statistics.bytes <= 320 * 1024)
    }

    @Test func `a backlog that must not expire refuses new groups until enough is finished`() async throws {
        let stepped = try open(.reject)
        var count = 0
        while commit(stepped) == .durable { count += 1 }
        #expect(commit(stepped) == full)
        #expect(backlog(stepped) <= 256 * 1024 + 4096)
        #expect(stepped.commit([NewRecord("elsewhere", log: .logs)]) == [.durable])
        let limited = stepped.logs[0].readers[0]
        #expect(limited.account.queued == UInt64(count * 10))
        for _ in 0..<count / 2 {
            limited.finish(try await limited.next(bytesMax: 1, recordsMax: 1).map(\.delivered))
        }
        #expect(commit(stepped) == .durable)
        #expect(limited.account.outcomes[.expired] == 0)
    }

    @Test func `one round cannot go far beyond the limit`() throws {
        let stepped = try open(.reject)
        let results = stepped.commit((0..<200).map { _ in [record] })
        #expect(results.contains(.durable) && results.contains(full))
        #expect(backlog(stepped) <= 256 * 1024 + 4096)
    }

    @Test(arguments: [Backlog.Policy.reject, .expire])
    func `a record larger than the backlog goes through`(policy: Backlog.Policy) async throws {
        let stepped = try open(policy)
        let large = NewRecord(String(repeating: "y", count: 600_000))
        #expect(stepped.commit([large]) == [.durable])
        stepped.committer.tick()
        let limited = stepped.logs[0].readers[0]
        let records = try await limited.next(bytesMax: 1, recordsMax: 1)
        #expect(records.count == 1)
        limited.finish(records.map(\.delivered))
        #expect(limited.account.outcomes == OutcomeCounts(delivered: 1))
        #expect(commit(stepped) == .durable)
        #expect(stepped.commit([large]) == [.durable])
    }

    @Test func `segments are small enough for the smallest backlog`() throws {
        let stepped = try open(.expire, maxBytes: .kibibytes(200))
        for _ in 0..<40 { #expect(commit(stepped) == .durable) }
        #expect(disk.segments.allSatisfy { disk.files.bytes(of: $0).count <= 25 * 1024 })
    }

    @Test func `expiry is reported once a minute for each reader and cause`() throws {
        let stepped = try open(.expire)
        for _ in 0..<200 { #expect(commit(stepped) == .durable) }
        stepped.committer.tick()
        let expired = stepped.logs[0].readers[0].account.outcomes[.expired]
        let line = "Items expired. cause=backlog items="
        #expect(disk.log.lines("Items expired.") == [line + "\(expired) log=traces reader=limited"])
        for _ in 0..<59 {
            for _ in 0..<10 { #expect(commit(stepped) == .durable) }
            disk.clock.advance(by: .seconds(1))
            stepped.committer.tick()
        }
        #expect(disk.log.lines("Items expired.").count == 1)
        disk.clock.advance(by: .seconds(1))
        stepped.committer.tick()
        #expect(disk.log.lines("Items expired.").count == 2)
        disk.clock.advance(by: .seconds(200 * 3600))
        stepped.committer.tick()
        let ages = disk.log.lines("Items expired.").filter { $0.contains("cause=age") }
        #expect(ages.count == 2)
        #expect(ages.contains { $0.contains("reader=limited") } && ages.contains { $0.contains("reader=other") })
    }

    @Test func `what expired is reported when the journal closes`() throws {
        let stepped = try open(.expire)
        for _ in 0..<100 { #expect(commit(stepped) == .durable) }
        stepped.committer.tick()
        for _ in 0..<100 { #expect(commit(stepped) == .durable) }
        stepped.committer.close()
        #expect(disk.log.lines("Items expired.").count == 2)
    }
}
