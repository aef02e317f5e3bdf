import Basics

extension EnvelopeIndexer {
    /// Indexes one span, then the events in it, so that the attributes of each stand together in the table.
    mutating func span(_ frame: Frame, _ scope: Int, _ text: RawSpan) throws(WireError) {
        var entry = SpanEntry()
        entry.unit = try newUnit(frame, scope, in: SpanEntry.self)
        let owner = Place.span(spans.count).packed
        let firstAttribute = attributes.count
        let firstEvent = events.count
        var lengths = (traceID: 0, spanID: 0)
        if spans.isEmpty { endTwins() } else { expectTwins(of: spans[spans.count &- 1].unit) }
        let firstTwin = twin
        var cursor = WireCursor(frame.content)
        head(&cursor, &entry, &lengths, text)
        while !cursor.isAtEnd {
            let start = cursor.offset
            switch try cursor.tag(in: text) {
            case 0x4A: try attributes(0x4A, from: start, &cursor, owner, text)
            case 0x0A: lengths.traceID = try traceID(&cursor, &entry.unit.traceID, text)
            case 0x12: lengths.spanID = try spanID(&cursor, &entry.unit.spanID, text)
            case 0x1A: entry.traceStateRange = try string(&cursor, text)
            case 0x22: try parentID(&cursor, &entry, text)
            case 0x2A: entry.nameRange = try string(&cursor, text)
            case 0x30: entry.kindBits = Int32(truncatingIfNeeded: try cursor.varint(in: text))
            case 0x39: entry.start = try cursor.fixed64(in: text)
            case 0x41: entry.end = try cursor.fixed64(in: text)
            case 0x50, 0x60, 0x70: _ = try cursor.varint(in: text)
            case 0x5A: try event(Frame(start: start, body: try cursor.content(in: text)), text)
            case 0x6A: try link(try cursor.content(in: text), text)
            case 0x7A: try status(try cursor.content(in: text), &entry, text)
            case 0x85: entry.flagBits = try cursor.fixed32(in: text)
            case let tag: try otherField(tag, lastKnown: 16, &cursor, text)
            }
        }
        entry.unit.attributeRange = ShortRange(firstAttribute, attributes.count)
        entry.eventRange = ShortRange(firstEvent, events.count)
        entry.twinCount = UInt16(clamping: twin &- firstTwin)
        endTwins()
        for index in firstEvent..<events.count { try eventBody(index, text) }
        noteIDs(entry, lengths.traceID, lengths.spanID)
        entry.unit.flaw = flaw
        flaw = nil
        spans.append(entry)
    }

    private mutating func noteIDs(_ entry: SpanEntry, _ traceIDLength: Int, _ spanIDLength: Int) {
        if traceIDLength != 16 {
            note(.traceIDLength)
        } else if entry.traceID.high | entry.traceID.low == 0 {
            note(.traceIDZero)
        }
        if spanIDLength != 8 {
            note(.spanIDLength)
        } else if entry.spanID.value == 0 {
            note(.spanIDZero)
        }
    }

    /// Reads 16 bytes, zero where they are more or fewer; returns how many there were.
    @inline(__always)
    func traceID(_ cursor: inout WireCursor, _ id: inout TraceID, _ text: RawSpan) throws(WireError) -> Int {
        let content = try cursor.content(in: text)
        id = content.count == TraceID.byteCount ? TraceID(text, at: content.lowerBound) : TraceID(high: 0, low: 0)
        return content.count
    }

    /// Reads 8 bytes, zero where they are more or fewer; returns how many there were.
    @inline(__always)
    func spanID(_ cursor: inout WireCursor, _ id: inout SpanID, _ text: RawSpan) throws(WireError) -> Int {
        let content = try cursor.content(in: text)
        id = SpanID(content.count == 8 ? text.word(at: content.lowerBound).byteSwapped : 0)
        return content.count
    }

    @inline(__always)
    private mutating func parentID(
        _ cursor: inout WireCursor,
        _ entry: inout SpanEntry,
        _ text: RawSpan
    ) throws(WireError) {
        let content = try cursor.content(in: text)
        switch content.count {
        case 8: entry.parentBits = text.word(at: content.lowerBound).byteSwapped
        case 0: entry.parentBits = 0
        default: note(.parentIDLength)
        }
    }

    private mutating func event(_ frame: Frame, _ text: RawSpan) throws(WireError) {
        try reserve(EventEntry.self)
        events.append(EventEntry(frame: frame, spanIndex: Int32(truncatingIfNeeded: spans.count)))
    }

    private mutating func eventBody(_ index: Int, _ text: RawSpan) throws(WireError) {
        let owner = Place.event(index).packed
        let first = attributes.count
        var entry = events[index]
        var cursor = WireCursor(entry.frame.content)
        while !cursor.isAtEnd {
            let start = cursor.offset
            switch try cursor.tag(in: text) {
            case 0x09: entry.time = try cursor.fixed64(in: text)
            case 0x12: entry.nameRange = try string(&cursor, text)
            case 0x1A: try attributes(0x1A, from: start, &cursor, owner, text)
            case 0x20: _ = try cursor.varint(in: text)
            case let tag: try otherField(tag, lastKnown: 4, &cursor, text)
            }
        }
        entry.attributeRange = ShortRange(first, attributes.count)
        events[index] = entry
    }

    private mutating func status(
        _ body: Range<Int>,
        _ entry: inout SpanEntry,
        _ text: RawSpan
    ) throws(WireError) {
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            switch try cursor.tag(in: text) {
            case 0x12: entry.statusMessageRange = try string(&cursor, text)
            case 0x18: entry.statusBits = Int32(truncatingIfNeeded: try cursor.varint(in: text))
            case let tag where tag >> 3 == 1: try cursor.skip(tag, in: text)
            case let tag: try otherField(tag, lastKnown: 3, &cursor, text)
            }
        }
    }

    private mutating func link(_ body: Range<Int>, _ text: RawSpan) throws(WireError) {
        var traceID = TraceID(high: 0, low: 0)
        var spanID = SpanID(0)
        var traceIDLength = 0
        var spanIDLength = 0
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            switch try cursor.tag(in: text) {
            case 0x0A: traceIDLength = try self.traceID(&cursor, &traceID, text)
            case 0x12: spanIDLength = try self.spanID(&cursor, &spanID, text)
            case 0x1A: _ = try string(&cursor, text)
            case 0x22: try member(try cursor.content(in: text), 1, text)
            case 0x28: _ = try cursor.varint(in: text)
            case 0x35: _ = try cursor.fixed32(in: text)
            case let tag: try otherField(tag, lastKnown: 6, &cursor, text)
            }
        }
        if traceIDLength != 16 || traceID.high | traceID.low == 0 { note(.linkTraceID) }
        if spanIDLength != 8 || spanID.value == 0 { note(.linkSpanID) }
    }
}
