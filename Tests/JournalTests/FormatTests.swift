import Basics
import TestKit
import Testing

@testable import Journal

/// The bytes were made by another program from the tables in SegmentFormat.swift and CursorFile.swift.
@Suite struct FormatTests {
    private let segment = SegmentHeader(
        salt: 0x0102_0304,
        marker: 0xA1B2_C3D4,
        number: 7,
        firstID: 1000,
        firstReceivedAt: 0x1122_3344_5566_7788
    )
    private let segmentBytes = """
        4d494c4c524143450100000004030201d4c3b2a1000000000700000000000000\
        e80300000000000088776655443322110000000000000000000000009588ae9d
        """
    private let recordBytes = """
        d4c3b2a1fe4df386f8e6ba92040000000500000003000000e803000000000000\
        8877665544332211000000000100000001000000000000000000000000000000\
        6d65746168656c6c6f00000000000000
        """
    private let cursorBytes = """
        4d494c4c435552530100000001000000050000000000000088776655443322110a00000000000000ffffffffffffffff\
        280000000000000014000000000000000100000000000000020000000000000003000000000000000400000000000000\
        05000000000000000000000000000000000000000000000019000000000000001e000000000000007db5f1c7
        """

    @Test func `a segment begins with its header twice`() throws {
        let area = segment.encoded
        let header = bytes(segmentBytes)
        let gap = [UInt8](repeating: 0, count: 4096 - header.count)
        #expect(area == header + gap + header + gap)
        #expect(SegmentHeader.reading(area) == .valid(segment))
    }

    @Test func `a record is its header, metadata, payload and padding`() throws {
        let header = RecordHeader(
            metadataBytes: 4,
            payloadBytes: 5,
            items: 3,
            id: 1000,
            receivedAt: 0x1122_3344_5566_7788,
            groupPosition: 0,
            groupCount: 1,
            kind: .items
        )
        let record = NewRecord(
            log: .traces,
            kind: .items,
            items: 3,
            metadata: Array("meta".utf8),
            payload: Array("hello".utf8)
        )
        var open = OpenSegment(file: try anyFile(), path: "", header: segment, capacity: 65536)
        open.place(record, header)
        #expect(open.takePieces().joined().elementsEqual(bytes(recordBytes)))
        #expect(open.placedOffset == SegmentHeader.areaBytes + bytes(recordBytes).count)
    }

    @Test func `a segment of those bytes is read back`() throws {
        let file = try anyFile()
        try file.writeAll([segment.encoded, bytes(recordBytes)], at: 0, path: "")
        var scan = SegmentScan(file, segment, from: SegmentHeader.areaBytes, to: try file.size())
        guard case .record(_, let record) = scan.next(interest: { _ in .read }) else {
            Issue.record("no record")
            return
        }
        #expect(record.id == 1000)
        #expect(record.items == 3)
        #expect(record.receivedAt.nanoseconds == 0x1122_3344_5566_7788)
        #expect(record.metadata == Array("meta".utf8))
        #expect(record.payload == Array("hello".utf8))
        guard case .end(tornBytes: 0) = scan.next(interest: { _ in .read }) else {
            Issue.record("more than one record")
            return
        }
    }

    @Test func `a cursor slot has its account, its ranges and a checksum`() throws {
        let finished = try #require(IDSet(below: 20, and: [25..<30]))
        let totals = OutcomeCounts(delivered: 1, filtered: 2, sampledOut: 3, rejected: 4, deadLettered: 5)
        let cursor = try #require(
            Cursor(since: 0x1122_3344_5566_7788, startID: 10, closedID: nil, finished: finished, totals: totals)
        )
        let snapshot = CursorSnapshot(cursor: cursor, endID: 40)
        let encoded = try #require(snapshot.encoded(generation: 5))
        #expect(encoded == bytes(cursorBytes))
        guard case .valid(let read, generation: 5) = CursorSnapshot.reading(encoded) else {
            Issue.record("not read back")
            return
        }
        #expect(read == snapshot)
    }

    @Test(arguments: [
        ("traces", "traces"), ("my app/1", "my%20app%2F1"), ("..", "%2E."), (".hidden", "%2Ehidden"), ("a.b", "a.b"),
        ("ü", "%C3%BC"), ("100%", "100%25"),
    ])
    func `any name makes a file name and comes back`(name: String, escaped: String) {
        #expect(FileName.escaped(name) == escaped)
        #expect(FileName.unescaped(escaped) == name)
    }

    private func anyFile() throws -> any File {
        try FaultyFileSystem().open("/file", .create)
    }

    private func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal.utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
        }
    }
}
