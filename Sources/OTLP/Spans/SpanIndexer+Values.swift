import Basics

extension SpanIndexer {
    /// Adds one `KeyValue` to the table.
    @inline(__always)
    mutating func attribute(
        at start: Int,
        _ body: Range<Int>,
        _ owner: UInt32,
        _ text: RawSpan
    ) throws(WireError) {
        try reserve(AttributeEntry.self)
        let end = body.upperBound
        if let keyEnd = plainKeyEnd(body, text) {
            attributes.append(
                AttributeEntry(
                    fieldRange: ShortRange(start, end),
                    keyRange: ShortRange(body.lowerBound &+ 2, keyEnd),
                    valueRange: ShortRange(keyEnd &+ 2, end),
                    owner: owner
                )
            )
            return
        }
        var key = ShortRange(end, end)
        var value = ShortRange(end, end)
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            switch try cursor.tag(in: text) {
            case 0x0A: key = try string(&cursor, text)
            case 0x12:
                let content = try cursor.content(in: text)
                if !content.isEmpty { value = ShortRange(content) }
                try anyValue(content, 1, text)
            case let tag: try otherField(tag, lastKnown: 2, &cursor, text)
            }
        }
        _ = isTwin(key.range, text)
        attributes.append(
            AttributeEntry(fieldRange: ShortRange(start, end), keyRange: key, valueRange: value, owner: owner)
        )
    }

    /// Where the key ends, in the form that nearly all attributes have: a key, then a value that is a scalar, all ASCII and
    /// all lengths under 128; nil for any other form.
    @inline(__always)
    private mutating func plainKeyEnd(_ body: Range<Int>, _ text: RawSpan) -> Int? {
        let start = body.lowerBound
        let end = body.upperBound
        guard end &- start >= 6, text.byte(at: start) == 0x0A else { return nil }
        let keyEnd = start &+ 2 &+ Int(text.byte(at: start &+ 1))
        guard end &- keyEnd >= 4 else { return nil }
        let head = text.halfWord(at: keyEnd)
        let size = Int(head >> 8 & 0xFF)
        guard head & 0xFF == 0x12, keyEnd &+ 2 &+ size == end, keyEnd &- start < 0x82, size < 0x80 else { return nil }
        let length = Int(head >> 24)
        switch head >> 16 & 0xFF {
        case 0x0A where length == size &- 2:
            guard text.isASCII(Range(uncheckedBounds: (keyEnd &+ 4, end))) else { return nil }
        case 0x18 where length < 0x80 && size == 2: break
        case 0x18 where length >= 0x80 && size == 3 && text.byte(at: end &- 1) < 0x80: break
        case 0x21 where size == 9: break
        default: return nil
        }
        let key = Range(uncheckedBounds: (start &+ 2, keyEnd))
        return isTwin(key, text) || text.isASCII(key) ? keyEnd : nil
    }

    @inline(__always)
    mutating func string(_ cursor: inout WireCursor, _ text: RawSpan) throws(WireError) -> ShortRange {
        let content = try cursor.content(in: text)
        if !text.isText(content) { note(.text) }
        return ShortRange(content)
    }

    /// Skips an unknown field; a known one of another wire type is a flaw.
    @inline(never)
    mutating func otherField(
        _ tag: UInt32,
        lastKnown: UInt32,
        _ cursor: inout WireCursor,
        _ text: RawSpan
    ) throws(WireError) {
        try cursor.skip(tag, in: text)
        if tag >> 3 <= lastKnown { note(.wireType) }
    }

    /// Validates one `AnyValue`; `depth` is 1 for the value of an attribute.
    @inline(__always)
    private mutating func anyValue(_ body: Range<Int>, _ depth: Int, _ text: RawSpan) throws(WireError) {
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            switch try cursor.tag(in: text) {
            case 0x0A: _ = try string(&cursor, text)
            case 0x10, 0x18: _ = try cursor.varint(in: text)
            case 0x21: _ = try cursor.fixed64(in: text)
            case 0x2A: try array(try cursor.content(in: text), depth, text)
            case 0x32: try keyValueList(try cursor.content(in: text), depth, text)
            case 0x3A: _ = try cursor.content(in: text)
            case let tag: try otherField(tag, lastKnown: 7, &cursor, text)
            }
        }
    }

    @inline(never)
    private mutating func array(_ body: Range<Int>, _ depth: Int, _ text: RawSpan) throws(WireError) {
        guard depth < limits.nestingMax else { return note(.nesting) }
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            switch try cursor.tag(in: text) {
            case 0x0A: try anyValue(try cursor.content(in: text), depth + 1, text)
            case let tag: try otherField(tag, lastKnown: 1, &cursor, text)
            }
        }
    }

    @inline(never)
    private mutating func keyValueList(_ body: Range<Int>, _ depth: Int, _ text: RawSpan) throws(WireError) {
        guard depth < limits.nestingMax else { return note(.nesting) }
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            switch try cursor.tag(in: text) {
            case 0x0A: try member(try cursor.content(in: text), depth + 1, text)
            case let tag: try otherField(tag, lastKnown: 1, &cursor, text)
            }
        }
    }

    /// Validates one `KeyValue` that gets no entry of its own.
    mutating func member(_ body: Range<Int>, _ depth: Int, _ text: RawSpan) throws(WireError) {
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            switch try cursor.tag(in: text) {
            case 0x0A: _ = try string(&cursor, text)
            case 0x12: try anyValue(try cursor.content(in: text), depth, text)
            case let tag: try otherField(tag, lastKnown: 2, &cursor, text)
            }
        }
    }
}
