import Basics

/// The fixed part of a record; SegmentFormat.swift has its layout.
package struct RecordHeader: Sendable, Equatable {
    package static let byteCount = 64
    /// The largest metadata and the largest payload.
    static let partBytesMax = 1 << 30

    package var metadataBytes: Int
    package var payloadBytes: Int
    package var items: UInt32
    package var id: UInt64
    package var receivedAt: UInt64
    package var groupPosition: UInt32
    package var groupCount: UInt32
    package var kind: RecordKind
    /// The salted checksum of metadata and payload.
    private(set) var bodyChecksum: UInt32 = 0

    package init(
        metadataBytes: Int,
        payloadBytes: Int,
        items: UInt32,
        id: UInt64,
        receivedAt: UInt64,
        groupPosition: UInt32,
        groupCount: UInt32,
        kind: RecordKind
    ) {
        self.metadataBytes = metadataBytes
        self.payloadBytes = payloadBytes
        self.items = items
        self.id = id
        self.receivedAt = receivedAt
        self.groupPosition = groupPosition
        self.groupCount = groupCount
        self.kind = kind
    }

    /// The id after this record's last one.
    var endID: UInt64 { id &+ UInt64(items) }
    /// Of the whole record, padding included.
    var recordBytes: Int { Self.recordBytes(metadata: metadataBytes, payload: payloadBytes) }
    var isLastOfGroup: Bool { groupPosition &+ 1 == groupCount }

    /// The bytes of a record with parts of these lengths, padding included.
    static func recordBytes(metadata: Int, payload: Int) -> Int {
        (byteCount + metadata + payload + 7) & ~7
    }

    /// Appends this header and the metadata to `bytes`; the payload and the padding follow it.
    package func encode(metadata: [UInt8], payload: [UInt8], in segment: SegmentHeader, to bytes: inout [UInt8]) {
        var body = CRC32C(salt: segment.salt)
        body.update(metadata.span.bytes)
        body.update(payload.span.bytes)
        var rest: [UInt8] = []
        rest.reserveCapacity(Self.byteCount)
        rest.append(littleEndian: body.value)
        rest.append(littleEndian: UInt32(truncatingIfNeeded: metadata.count))
        rest.append(littleEndian: UInt32(truncatingIfNeeded: payload.count))
        rest.append(littleEndian: items)
        rest.append(littleEndian: id)
        rest.append(littleEndian: receivedAt)
        rest.append(littleEndian: groupPosition)
        rest.append(littleEndian: groupCount)
        rest.append(kind.rawValue)
        rest += [UInt8](repeating: 0, count: 15)
        var checksum = CRC32C(salt: segment.salt)
        checksum.update(rest.span.bytes)
        bytes.append(littleEndian: segment.marker)
        bytes.append(littleEndian: checksum.value)
        bytes += rest
        bytes += metadata
    }

    /// Reads the header at `offset`; nil unless marker, checksum and kind are right.
    init?(decoding bytes: RawSpan, at offset: Int, in segment: SegmentHeader) {
        guard offset + Self.byteCount <= bytes.byteCount, bytes.uint32(at: offset) == segment.marker else {
            return nil
        }
        var checksum = CRC32C(salt: segment.salt)
        checksum.update(bytes.extracting(offset + 8..<offset + Self.byteCount))
        guard checksum.value == bytes.uint32(at: offset + 4),
            let kind = RecordKind(rawValue: bytes.byte(at: offset + 48))
        else { return nil }
        self.init(
            metadataBytes: Int(bytes.uint32(at: offset + 12)),
            payloadBytes: Int(bytes.uint32(at: offset + 16)),
            items: bytes.uint32(at: offset + 20),
            id: bytes.word(at: offset + 24),
            receivedAt: bytes.word(at: offset + 32),
            groupPosition: bytes.uint32(at: offset + 40),
            groupCount: bytes.uint32(at: offset + 44),
            kind: kind
        )
        bodyChecksum = bytes.uint32(at: offset + 8)
    }

    /// Whether metadata and payload are what was written.
    func matches(metadata: [UInt8], payload: [UInt8], in segment: SegmentHeader) -> Bool {
        guard metadata.count == metadataBytes, payload.count == payloadBytes else { return false }
        var body = CRC32C(salt: segment.salt)
        body.update(metadata.span.bytes)
        body.update(payload.span.bytes)
        return body.value == bodyChecksum
    }

    func record(metadata: [UInt8], payload: [UInt8]) -> StoredRecord {
        StoredRecord(
            id: id,
            items: items,
            kind: kind,
            receivedAt: UnixTime(nanoseconds: receivedAt),
            metadata: metadata,
            payload: payload
        )
    }
}
