import Basics
import TestKit
import Testing

@testable import Journal

/// What happens where the disk or the budget ends.
@Suite struct BudgetTests {
    private let record = NewRecord(String(repeating: "x", count: 10_000), items: 10)
    private let full = CommitResult.full(retryAfter: .seconds(3))

    /// Appends until the journal says no; how many groups it took.
    private func fill(_ stepped: SteppedJournal, with record: NewRecord? = nil) -> Int {
        var count = 0
        while stepped.commit([record ?? self.record]) == [.durable] { count += 1 }
        return count
    }

    @Test func `the budget holds, and finishing records makes room`() async throws {
        let disk = Disk(maxBytes: .kibibytes(512))
        let stepped = try disk.openStepped([.traces("one", "two")])
        let count = fill(stepped)
        #expect(stepped.commit([record]) == [full])
        #expect(stepped.logs[0].statistics.bytes <= 512 * 1024)
        #expect(stepped.logs[0].statistics.bytes == disk.segments.reduce(0) { $0 + disk.files.bytes(of: $1).count })
        let first = stepped.logs[0].readers[0]
        for _ in 0..<count { first.finish(try await first.next(bytesMax: 1, recordsMax: 1).map(\.delivered)) }
        #expect(stepped.commit([record]) == [full], "the other reader still needs everything")
        let second = stepped.logs[0].readers[1]
        for _ in 0..<count { second.finish(try await second.next(bytesMax: 1, recordsMax: 1).map(\.delivered)) }
        #expect(fill(stepped) >= count - 6)
        #expect(stepped.logs[0].readers.allSatisfy { $0.account.isBalanced && $0.account.outcomes[.expired] == 0 })
    }

    @Test func `the oldest segments give way where that is asked for`() async throws {
        let disk = Disk(maxBytes: .kibibytes(512), whenFull: .dropOldest)
        let stepped = try disk.openStepped([.traces("slow", "quick")])
        let quick = stepped.logs[0].readers[1]
        for _ in 0..<200 {
            #expect(stepped.commit([record]) == [.durable])
            quick.finish(try await quick.next(bytesMax: 1, recordsMax: 1).map(\.delivered))
            #expect(stepped.logs[0].statistics.bytes <= 512 * 1024)
        }
        let slow = stepped.logs[0].readers[0]
        #expect(slow.account.outcomes[.expired] > 1000)
        #expect(slow.account.outcomes[.expired] + slow.account.queued == 2000)
        #expect(quick.account.outcomes == OutcomeCounts(delivered: 2000))
        var left = slow.account.queued
        while left > 0 {
            let records = try await slow.next(bytesMax: 100_000, recordsMax: 100)
            slow.finish(records.map(\.delivered))
            left -= UInt64(records.reduce(0) { $0 + Int($1.items) })
        }
        #expect(slow.account.queued == 0)
        #expect(slow.account.isBalanced)
    }

    @Test func `what expires while it is on its way counts as expired only`() async throws {
        let disk = Disk(maxBytes: .kibibytes(512), whenFull: .dropOldest)
        let stepped = try disk.openStepped()
        let reader = stepped.logs[0].readers[0]
        #expect(stepped.commit([record]) == [.durable])
        let inFlight = try await reader.next(bytesMax: 100_000, recordsMax: 1)
        for _ in 0..<100 { #expect(stepped.commit([record]) == [.durable]) }
        let expired = reader.account.outcomes[.expired]
        #expect(expired > 0)
        reader.finish(inFlight.map(\.delivered))
        #expect(reader.account.outcomes == OutcomeCounts(expired: expired))
        #expect(reader.account.isBalanced)
    }

    @Test func `a record larger than a segment gets one of its own`() async throws {
        let disk = Disk()
        let stepped = try disk.openStepped()
        let text = String(repeating: "y", count: 300_000)
        #expect(
            stepped.commit([NewRecord("a")], [NewRecord(text)], [NewRecord("b")]) == [.durable, .durable, .durable]
        )
        #expect(disk.segments.count == 3)
        #expect(try await stepped.logs[0].readers[0].read(through: "b").map(\.text) == ["a", text, "b"])
    }

    @Test func `a group that can never fit is too large at once and takes nothing down`() throws {
        let disk = Disk(maxBytes: .kibibytes(256), whenFull: .dropOldest)
        let stepped = try disk.openStepped()
        #expect(stepped.commit([NewRecord("a")]) == [.durable])
        let results = stepped.commit([NewRecord(String(repeating: "y", count: 300_000))])
        #expect(
            results == [.tooLarge("its records take 308264 bytes, more than journal.max_bytes, 256KiB")]
        )
        #expect(stepped.logs[0].readers[0].account.outcomes[.expired] == 0)
    }

    @Test func `a group that fits each log and never all of them together is too large`() throws {
        let disk = Disk(maxBytes: .kibibytes(256))
        let stepped = try disk.openStepped([.traces(), LogDefinition(.logs, readers: [.init(name: "one")])])
        let text = String(repeating: "y", count: 150_000)
        let results = stepped.commit([NewRecord(text), NewRecord(text, log: .logs)])
        #expect(results == [.tooLarge("its records take 316528 bytes, more than journal.max_bytes, 256KiB")])
        #expect(disk.segments.isEmpty)
        #expect(stepped.commit([NewRecord(text)]) == [.durable])
    }

    @Test func `free space is kept for others`() throws {
        var disk = Disk()
        disk.settings.minFree = .kibibytes(256)
        disk.files.setCapacity(1024 * 1024)
        let stepped = try disk.openStepped()
        #expect(fill(stepped) > 0)
        #expect(try disk.files.freeBytes(at: Disk.directory) >= 256 * 1024)
        disk.files.setCapacity(2 * 1024 * 1024)
        #expect(stepped.commit([record]) == [.durable])
    }

    @Test func `a disk that fills up without warning is full, not broken`() throws {
        let disk = Disk()
        let stepped = try disk.openStepped()
        disk.files.fail(.preallocate, code: 28, pathSuffix: ".log")
        #expect(stepped.commit([record]) == [full])
        #expect(stepped.commit([record]) == [.durable])
        #expect(disk.segments.count == 1)
    }

    @Test func `an idle log gives back what it reserved`() throws {
        let disk = Disk(maxBytes: .kibibytes(512))
        let stepped = try disk.openStepped([.traces(), LogDefinition(.logs, readers: [.init(name: "one")])])
        #expect(stepped.commit([NewRecord("idle", log: .logs)]) == [.durable])
        let alone = try Disk(maxBytes: .kibibytes(512)).openStepped()
        #expect(fill(stepped) >= fill(alone) - 2)
        #expect(stepped.logs[1].readers[0].account.queued == 1)
    }

    @Test func `old records expire`() throws {
        var disk = Disk()
        disk.settings.maxAge = .seconds(60)
        let stepped = try disk.openStepped()
        #expect(stepped.commit([record]) == [.durable])
        #expect(stepped.logs[0].readers[0].account.oldestQueued == disk.clock.wall.now())
        disk.clock.advance(by: .seconds(50))
        stepped.committer.tick()
        #expect(stepped.logs[0].readers[0].account.queued == 10)
        disk.clock.advance(by: .seconds(20))
        stepped.committer.tick()
        #expect(stepped.logs[0].readers[0].account.outcomes == OutcomeCounts(expired: 10))
        #expect(stepped.commit([record]) == [.durable])
        stepped.committer.tick()
        #expect(disk.segments.count == 1)
    }

    @Test func `segments go once every reader has passed them`() async throws {
        let disk = Disk()
        let journal = try disk.open([.traces("one", "two")])
        for _ in 0..<40 { #expect(await journal.append([record]) == .durable) }
        #expect(disk.segments.count >= 6)
        for reader in journal.logs[0].readers {
            for _ in 0..<40 { reader.finish(try await reader.next(bytesMax: 1, recordsMax: 1).map(\.delivered)) }
        }
        await journal.close()
        #expect(disk.segments.count == 1)
    }
}
