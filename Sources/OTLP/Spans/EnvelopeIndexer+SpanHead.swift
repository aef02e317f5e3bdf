import Basics

extension EnvelopeIndexer {
    /// Reads the fields before the attributes where they stand as nearly all exporters write them: each once, in the order of
    /// their numbers and with the length that it should have.
    ///
    /// Whatever is otherwise is left to the loop over the fields, from where this ends.
    @inline(__always)
    mutating func head(
        _ cursor: inout WireCursor,
        _ entry: inout SpanEntry,
        _ lengths: inout (traceID: Int, spanID: Int),
        _ text: RawSpan
    ) {
        guard ids(&cursor, &entry, text) else { return }
        lengths = (TraceID.byteCount, 8)
        name(&cursor, &entry, text)
        if let kind = cursor.pair(0x30, in: text), kind < 0x80 {
            entry.kindBits = Int32(kind)
            cursor.offset &+= 2
        }
        // Tag and eight bytes each.
        if cursor.end &- cursor.offset >= 18, text.byte(at: cursor.offset) == 0x39,
            text.byte(at: cursor.offset &+ 9) == 0x41
        {
            entry.start = text.word(at: cursor.offset &+ 1)
            entry.end = text.word(at: cursor.offset &+ 10)
            cursor.offset &+= 18
        }
    }

    /// Reads the ids of the trace, the span and its parent; says whether the first two stand there.
    @inline(__always)
    private func ids(_ cursor: inout WireCursor, _ entry: inout SpanEntry, _ text: RawSpan) -> Bool {
        let start = cursor.offset
        guard cursor.end &- start >= 28, text.uint32(at: start) & 0xFFFF == 0x100A,
            text.uint32(at: start &+ 18) & 0xFFFF == 0x0812
        else { return false }
        entry.unit.traceID = TraceID(text, at: start &+ 2)
        entry.unit.spanID = SpanID(text.word(at: start &+ 20).byteSwapped)
        cursor.offset = start &+ 28
        if cursor.end &- cursor.offset >= 10, text.uint32(at: cursor.offset) & 0xFFFF == 0x0822 {
            entry.parentBits = text.word(at: cursor.offset &+ 2).byteSwapped
            cursor.offset &+= 10
        }
        return true
    }

    @inline(__always)
    private func name(_ cursor: inout WireCursor, _ entry: inout SpanEntry, _ text: RawSpan) {
        let start = cursor.offset &+ 2
        guard let length = cursor.pair(0x2A, in: text), length < 0x80, length <= cursor.end &- start,
            case let range = Range(uncheckedBounds: (start, start &+ length)), text.isASCII(range)
        else { return }
        entry.nameRange = ShortRange(range)
        cursor.offset = range.upperBound
    }
}

extension WireCursor {
    /// The byte behind that tag; nil where another tag is next, or none.
    @inline(__always)
    fileprivate func pair(_ tag: UInt8, in text: RawSpan) -> Int? {
        guard end &- offset >= 2, text.byte(at: offset) == tag else { return nil }
        return Int(text.byte(at: offset &+ 1))
    }
}
