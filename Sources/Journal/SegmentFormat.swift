import Basics

// The format of a segment, `directory/LOG/NNNNNNNNNNNNNNNNNNNN.log`, where N is the segment's number in decimal.
// LOG is the name of a pipeline; the logs of its dead letters lie below it (DeadLetters.swift).
//
// Invariants
//   - All integers are little-endian. What is called zero below is written as zero and not looked at.
//   - Numbers of segments rise in the order in which the segments were created; only the newest is written to.
//   - Ids rise from record to record. A record takes the ids `id ..< id + items`; ids between two records that no record
//     takes were destroyed by damage.
//   - A segment holds the ids from its first id to the first id of the next segment. Records from that id on were never
//     acknowledged (their sync failed) and are void.
//   - All records of a group lie in one segment, directly one after the other.
//   - A segment is synced before the next one is created, so that only the newest can have a torn tail.
//
// Segment
//   offset  size
//   0       64    segment header
//   4096    64    the same header again, for when the first cannot be read
//   8192    –     records, each at a multiple of 8; after the last one zeros, or the end of the file
//
// Segment header
//   offset  size
//   0       8     "MILLRACE"; this field and the next keep their place in every version
//   8       4     version, 1
//   12      4     salt, random: the start value of the checksums of this segment's records
//   16      4     marker, random, never zero: the first bytes of each of its records
//   20      4     zero
//   24      8     number of the segment
//   32      8     first id
//   40      8     when the first record was received, nanoseconds since 1970
//   48      12    zero
//   60      4     CRC-32C of bytes 0 to 59
//
// Record, padded with zeros to a multiple of 8
//   offset  size
//   0       4     the segment's marker
//   4       4     salted CRC-32C of bytes 8 to 63
//   8       4     salted CRC-32C of metadata and payload
//   12      4     length of the metadata
//   16      4     length of the payload
//   20      4     items
//   24      8     id
//   32      8     received at, nanoseconds since 1970
//   40      4     position in its group, from 0
//   44      4     number of records of the group in this log
//   48      1     kind: 1 items, 3 dead letter, 4 counts
//   49      15    zero
//   64      –     metadata, then payload
//
// A record is valid if and only if its marker and both checksums match and it ends within the segment. Marker and salt
// are secrets of the segment, so that no payload can pose as a record when a scan goes on behind damage; the header has
// a checksum of its own so that a damaged payload costs exactly its record.

/// The first bytes of a segment.
package struct SegmentHeader: Sendable, Equatable {
    static let version: UInt32 = 1
    /// Where records begin.
    package static let areaBytes = 8192
    private static let copyOffset = 4096
    private static let byteCount = 64
    private static let magic = Array("MILLRACE".utf8)

    package var salt: UInt32
    package var marker: UInt32
    package var number: UInt64
    package var firstID: UInt64
    package var firstReceivedAt: UInt64

    package init(salt: UInt32, marker: UInt32, number: UInt64, firstID: UInt64, firstReceivedAt: UInt64) {
        self.salt = salt
        self.marker = marker
        self.number = number
        self.firstID = firstID
        self.firstReceivedAt = firstReceivedAt
    }

    /// Everything before the first record.
    package var encoded: [UInt8] {
        var header = Self.magic
        header.append(littleEndian: Self.version)
        header.append(littleEndian: salt)
        header.append(littleEndian: marker)
        header.append(littleEndian: UInt32(0))
        header.append(littleEndian: number)
        header.append(littleEndian: firstID)
        header.append(littleEndian: firstReceivedAt)
        header += [UInt8](repeating: 0, count: 12)
        var checksum = CRC32C()
        checksum.update(header.span.bytes)
        header.append(littleEndian: checksum.value)
        let gap = [UInt8](repeating: 0, count: Self.copyOffset - header.count)
        return header + gap + header + gap
    }
}

extension SegmentHeader {
    /// What the first bytes of a file say.
    enum Reading: Equatable {
        case valid(SegmentHeader)
        /// Written by another version of Millrace.
        case foreign(version: UInt32)
        /// Only zeros, or less than a header: creating it was cut short.
        case blank
        case damaged
    }

    /// Reads `area`, the first `areaBytes` bytes of a segment.
    static func reading(_ area: [UInt8]) -> Reading {
        let copies = [0, copyOffset].map { Self(copyOf: area, at: $0) }
        if let valid = copies.compactMap({ $0 }).first { return .valid(valid) }
        let bytes = area.span.bytes
        let versions = [0, copyOffset].compactMap { offset -> UInt32? in
            guard offset + 12 <= area.count, area[offset..<offset + 8].elementsEqual(magic) else { return nil }
            return bytes.uint32(at: offset + 8)
        }
        if versions.count == 2, versions[0] == versions[1], versions[0] != version {
            return .foreign(version: versions[0])
        }
        return area.allSatisfy { $0 == 0 } ? .blank : .damaged
    }

    /// The offsets of those of its two copies that are neither valid nor still to be written.
    static func damagedCopies(in area: [UInt8]) -> [Int] {
        [0, copyOffset].filter { offset in
            let copy = area.dropFirst(offset).prefix(byteCount)
            return Self(copyOf: area, at: offset) == nil && !copy.allSatisfy { $0 == 0 }
        }
    }

    private init?(copyOf area: [UInt8], at offset: Int) {
        guard offset + Self.byteCount <= area.count else { return nil }
        let bytes = area.span.bytes
        var checksum = CRC32C()
        checksum.update(bytes.extracting(offset..<offset + 60))
        guard area[offset..<offset + 8].elementsEqual(Self.magic), bytes.uint32(at: offset + 8) == Self.version,
            bytes.uint32(at: offset + 60) == checksum.value
        else { return nil }
        self.init(
            salt: bytes.uint32(at: offset + 12),
            marker: bytes.uint32(at: offset + 16),
            number: bytes.word(at: offset + 24),
            firstID: bytes.word(at: offset + 32),
            firstReceivedAt: bytes.word(at: offset + 40)
        )
    }
}

extension [UInt8] {
    mutating func append(littleEndian value: some FixedWidthInteger) {
        var rest = value
        for _ in 0..<(type(of: value).bitWidth / 8) {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }
}
