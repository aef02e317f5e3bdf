import Basics
import TestKit
import Testing

@testable import Journal

/// Bits that flip on the disk while nobody looks.
@Suite struct DamageTests {
    private struct Place: Hashable {
        let path: String
        let offset: Int
    }

    private let definitions = [LogDefinition.traces("one", "two"), .deadLetters(maxBytes: .mebibytes(8))]

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `bits flipped in closed segments cost exactly their records, named by segment and offset`(
        seed: UInt64
    )
        async throws
    {
        let disk = Disk(seed: seed)
        var generator = SeededGenerator(seed: seed)
        try await fill(disk, using: &generator)
        let damaged = try flip(disk, using: &generator)
        let problems = try JournalInspection.verify(Disk.directory, fileSystem: disk.files).problems
        let named = problems.filter { $0.text.contains("checksum") }.map {
            Place(path: $0.path, offset: $0.offset ?? -1)
        }
        #expect(Set(named) == Set(damaged.keys), "seed \(seed)")
        #expect(named.count == damaged.count, "seed \(seed)")

        let journal = try disk.openStepped(definitions)
        for log in journal.logs {
            #expect(journal.commit([NewRecord("end", log: log.id)]) == [.durable])
            for reader in log.readers {
                let lost = damaged.filter { place, record in
                    place.path.contains("dead-letters") == (log.id == .letters) && !reader.isFinished(record.id)
                }.reduce(0) { $0 + UInt64($1.value.items) }
                let letters = reader.account.held
                reader.finish(try await reader.read(through: "end").map(\.delivered))
                #expect(reader.account.outcomes[.lost] == lost, "seed \(seed)")
                #expect(reader.account.queued == reader.account.held, "seed \(seed)")
                #expect(reader.account.held <= letters, "seed \(seed)")
                #expect(reader.account.isBalanced, "seed \(seed)")
            }
        }
        for place in damaged.keys {
            let line = "Damaged bytes were skipped. from=\(place.offset) segment=\(place.path)"
            let isNamed = disk.log.all.contains { $0.hasPrefix(line) }
            #expect(
                isNamed || damaged[place].map { journal.logs[1].readers[0].isFinished($0.id) } == true,
                "seed \(seed)"
            )
        }
    }

    /// Several segments of records and dead letters, some of them finished.
    private func fill(_ disk: Disk, using generator: inout SeededGenerator) async throws {
        let journal = try disk.openStepped(definitions)
        for index in 0..<150 {
            let group = (0..<Int.random(in: 1...3, using: &generator)).map { position in
                let padding = String(repeating: "x", count: Int.random(in: 0..<3000, using: &generator))
                let log = Bool.random(using: &generator) ? LogID.letters : .traces
                return NewRecord(
                    "\(index)-\(position) \(padding)",
                    items: UInt32.random(in: 1...4, using: &generator),
                    log: log,
                    kind: log == .letters ? .deadLetter : .items
                )
            }
            #expect(journal.commit([group]) == [.durable])
        }
        let reader = journal.logs[0].readers[0]
        for _ in 0..<4 {
            let records = try await reader.next(bytesMax: 30_000, recordsMax: 20)
            reader.finish(records.filter { _ in Bool.random(using: &generator) }.map(\.delivered))
        }
        journal.committer.close()
    }

    /// Flips one bit in each of some records that are no neighbours.
    private func flip(_ disk: Disk, using generator: inout SeededGenerator) throws -> [Place: RecordHeader] {
        var damaged: [Place: RecordHeader] = [:]
        for log in try JournalInspection.inspect(Disk.directory, fileSystem: disk.files).logs {
            for segment in log.segments.dropLast() {
                let file = try disk.files.open(segment.path, .readOnly)
                guard
                    case .valid(let header) = SegmentHeader.reading(
                        file.readTolerantly(SegmentHeader.areaBytes, at: 0)
                    )
                else { continue }
                var records: [(header: RecordHeader, offset: Int)] = []
                _ = SegmentSurvey(
                    file,
                    header,
                    bytes: segment.bytes,
                    closedAt: segment.endID,
                    readsBodies: false
                ) { records.append(($0, $1)) }
                let first = Int.random(in: 0...2, using: &generator)
                for index in stride(from: first, to: records.count, by: 7) {
                    let (header, offset) = records[index]
                    let bytes = RecordHeader.byteCount + header.metadataBytes + header.payloadBytes
                    let position = offset + Int.random(in: 0..<bytes, using: &generator)
                    let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
                    disk.files.change(segment.path) { $0[position] ^= bit }
                    damaged[Place(path: segment.path, offset: offset)] = header
                }
            }
        }
        return damaged
    }
}
