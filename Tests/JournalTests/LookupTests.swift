import Basics
import TestKit
import Testing

@testable import Journal

/// Records that are read again by their ids.
@Suite struct LookupTests {
    private let disk = Disk()

    /// Texts of 0 to `count`, each of three ids, over several segments.
    private func fill(_ journal: SteppedJournal, count: Int) {
        for start in stride(from: 0, to: count, by: 10) {
            let group = (start..<start + 10).map { NewRecord("\($0) " + padding($0), items: 3) }
            #expect(journal.commit([group]) == [.durable])
        }
    }

    private func padding(_ index: Int) -> String { String(repeating: "x", count: index * 37 % 5000) }

    private func number(_ record: StoredRecord) -> Int? { Int(record.text.prefix { $0 != " " }) }

    @Test func `records are found by their ids, whatever readers have done with them`() async throws {
        let journal = try disk.openStepped()
        fill(journal, count: 200)
        let log = journal.logs[0]
        #expect(log.statistics.segments > 3)
        let wanted = [599, 0, 150, 3, 597, 300, 301, 9000].map { UInt64($0) }
        let records = await log.records(wanted, bytesMax: .max)
        #expect(records.map(\.id) == [0, 3, 150, 300, 597])
        #expect(records.map(number) == [0, 1, 50, 100, 199])
        #expect(records.allSatisfy { $0.items == 3 })
        let reader = log.readers[0]
        let first = try await reader.next(bytesMax: 1, recordsMax: 1)
        reader.finish(first.map(\.delivered))
        #expect(await log.records([0], bytesMax: 1) == first)
        #expect(await log.records([], bytesMax: 1).isEmpty)
    }

    @Test func `records are found after a restart, before anybody has read their segments`() async throws {
        var journal = try disk.openStepped()
        fill(journal, count: 200)
        journal.committer.close()
        journal = try disk.openStepped()
        let ids = stride(from: 0, to: 600, by: 3).map { UInt64($0) }
        let records = await journal.logs[0].records(ids.shuffled(), bytesMax: .max)
        #expect(records.map(\.id) == ids)
    }

    @Test func `as many are returned as fit, at least one, and each has what the reader got`() async throws {
        let journal = try disk.openStepped()
        fill(journal, count: 20)
        let ids = (0..<20).map { UInt64($0 * 3) }
        var read: [StoredRecord] = []
        while read.count < 20 {
            let records = await journal.logs[0].records(ids.dropFirst(read.count), bytesMax: 6000)
            let bytes = records.reduce(0) { $0 + $1.metadata.count + $1.payload.count }
            #expect(records.count == 1 || records.count > 1 && bytes <= 6000)
            read += records
        }
        let last = try #require(read.last?.text)
        #expect(try await journal.logs[0].readers[0].read(through: last) == read)
    }

    @Test func `what is damaged or deleted is left out`() async throws {
        let journal = try disk.openStepped()
        fill(journal, count: 100)
        let log = journal.logs[0]
        disk.files.change(disk.segments[0]) { bytes in
            let offset = bytes.indices.first { bytes[$0...].starts(with: Array("meta4 ".utf8)) }
            if let offset { bytes[offset] ^= 1 }
        }
        #expect(await log.records([9, 12, 15], bytesMax: .max).map(\.id) == [9, 15])
        disk.files.delete(disk.segments[0])
        let records = await log.records((0..<100).map { $0 * 3 }, bytesMax: .max)
        #expect(records.first.flatMap(number) ?? 0 > 4)
        #expect(records.last.flatMap(number) == 99)
    }

    @Test func `marks lie apart by time or by place, and stay few`() throws {
        var marks = RecordMarks()
        for index in 0..<100_000 {
            marks.note(RecordMark(id: UInt64(index), time: UInt64(index) * 1000, offset: 8192 + index * 1000))
        }
        for id in [0, 1, 999, 50_000, 99_999] as [UInt64] {
            let mark = try #require(marks.last(upTo: id))
            #expect(id - mark.id <= 512, "at most twice a 512th of the segment")
        }
    }
}
