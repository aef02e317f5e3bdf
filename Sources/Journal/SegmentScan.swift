import Basics

/// Goes through the records of a segment, past whatever is damaged.
///
/// Reads the file; runs while the journal is opened and on the reading thread.
struct SegmentScan {
    /// What lies at one place of a segment.
    enum Step {
        case record(RecordHeader, StoredRecord)
        /// A record that was passed; its body was not looked at.
        case passed(RecordHeader)
        /// The record here is left for another time.
        case stopped
        /// Bytes that hold no valid record, up to the next one that does.
        case damage(Range<Int>)
        /// Nothing more; of the bytes before the end, `tornBytes` were written but hold no valid record.
        case end(tornBytes: Int)
    }

    /// What to do with a record.
    enum Interest {
        case read
        case pass
        case stop
    }

    private static let chunkBytes = 1 << 20

    private let file: any File
    private let segment: SegmentHeader
    private let end: Int
    /// Where the next step begins.
    private(set) var offset: Int

    init(_ file: any File, _ segment: SegmentHeader, from offset: Int, to end: Int) {
        self.file = file
        self.segment = segment
        self.offset = max(offset, SegmentHeader.areaBytes)
        self.end = end
    }

    /// Goes on to the next record and does with it what `interest` says of its header.
    mutating func next(interest: (RecordHeader) -> Interest) -> Step {
        let start = offset
        guard start + RecordHeader.byteCount <= end else { return skipDamage(from: start) }
        let bytes = file.readTolerantly(RecordHeader.byteCount, at: start)
        guard let header = RecordHeader(decoding: bytes.span.bytes, at: 0, in: segment),
            start + header.recordBytes <= end
        else { return skipDamage(from: start) }
        switch interest(header) {
        case .read: break
        case .stop: return .stopped
        case .pass:
            offset = start + header.recordBytes
            return .passed(header)
        }
        let metadata = file.readTolerantly(header.metadataBytes, at: start + RecordHeader.byteCount)
        let payload = file.readTolerantly(
            header.payloadBytes,
            at: start + RecordHeader.byteCount + header.metadataBytes
        )
        offset = start + header.recordBytes
        guard header.matches(metadata: metadata, payload: payload, in: segment) else {
            return .damage(start..<offset)
        }
        return .record(header, header.record(metadata: metadata, payload: payload))
    }

    /// Looks for the next valid header behind `start`, at multiples of 8.
    private mutating func skipDamage(from start: Int) -> Step {
        var position = start
        var writtenEnd = start
        while position < end {
            let count = min(Self.chunkBytes + RecordHeader.byteCount, end - position)
            let bytes = file.readTolerantly(count, at: position)
            let span = bytes.span.bytes
            var index = 0
            while index + 8 <= span.byteCount && index < Self.chunkBytes {
                let word = span.word(at: index)
                if word != 0 { writtenEnd = position + index + 8 }
                if UInt32(truncatingIfNeeded: word) == segment.marker, position + index > start,
                    let header = RecordHeader(decoding: span, at: index, in: segment),
                    position + index + header.recordBytes <= end
                {
                    offset = position + index
                    return .damage(start..<offset)
                }
                index += 8
            }
            guard index > 0 else { break }
            position += index
        }
        offset = end
        return .end(tornBytes: writtenEnd - start)
    }
}
