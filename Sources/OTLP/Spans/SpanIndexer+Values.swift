import Basics

extension SpanIndexer {
    /// Indexes the attribute whose tag was read at `start`, and those directly behind it.
    mutating func attributes(
        _ tag: UInt8,
        from start: Int,
        _ cursor: inout WireCursor,
        _ owner: UInt32,
        _ text: RawSpan
    ) throws(WireError) {
        var start = start
        while true {
            let next = try plainAttributes(tag, from: start, to: cursor.end, owner, text)
            if next > start {
                cursor.offset = next
            } else {
                try attribute(at: start, try cursor.content(in: text), owner, text)
            }
            guard !cursor.isAtEnd, text.byte(at: cursor.offset) == tag else { return }
            start = cursor.offset
            cursor.offset &+= 1
        }
    }

    /// Indexes attributes in the form that nearly all have: a key, then a value that is a scalar, all ASCII and all lengths
    /// under 128.
    ///
    /// - Returns: Where the first that has another form starts, or whatever follows.
    @inline(__always)
    private mutating func plainAttributes(
        _ tag: UInt8,
        from start: Int,
        to end: Int,
        _ owner: UInt32,
        _ text: RawSpan
    ) throws(WireError) -> Int {
        let form = UInt32(tag) | 0x0A_0000
        var offset = start
        while end &- offset >= 8 {
            // Tag, length, tag of the key, length of the key.
            let head = text.halfWord(at: offset)
            guard head & 0x80FF_80FF == form else { return offset }
            let fieldEnd = offset &+ 2 &+ Int(head >> 8 & 0x7F)
            let keyStart = offset &+ 4
            let keyEnd = keyStart &+ Int(head >> 24)
            guard fieldEnd <= end, fieldEnd &- keyEnd >= 4, Self.isPlainValue(keyEnd, fieldEnd, text) else {
                return offset
            }
            let key = Range(uncheckedBounds: (keyStart, keyEnd))
            guard isTwin(key, text) || text.isASCII(key) else { return offset }
            try reserve(AttributeEntry.self)
            attributes.append(
                AttributeEntry(
                    fieldRange: ShortRange(offset, fieldEnd),
                    keyRange: ShortRange(key),
                    valueRange: ShortRange(keyEnd &+ 2, fieldEnd),
                    owner: owner
                )
            )
            offset = fieldEnd
        }
        return offset
    }

    /// Whether from `start` to `end`, at least four bytes, there is nothing but a value that is a short scalar.
    @inline(__always)
    private static func isPlainValue(_ start: Int, _ end: Int, _ text: RawSpan) -> Bool {
        // Tag, length, tag of the scalar, its length or first byte.
        let head = text.halfWord(at: start)
        let size = Int(head >> 8 & 0xFF)
        guard head & 0xFF == 0x12, start &+ 2 &+ size == end else { return false }
        let first = Int(head >> 24)
        switch head >> 16 & 0xFF {
        case 0x0A: return first == size &- 2 && text.isASCII(Range(uncheckedBounds: (start &+ 4, end)))
        case 0x18: return first < 0x80 ? size == 2 : size == 3 && text.byte(at: end &- 1) < 0x80
        case 0x21: return size == 9
        default: return false
        }
    }

    /// Adds one `KeyValue` to the table.
    @inline(never)
    private mutating func attribute(
        at start: Int,
        _ body: Range<Int>,
        _ owner: UInt32,
        _ text: RawSpan
    ) throws(WireError) {
        try reserve(AttributeEntry.self)
        let end = body.upperBound
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
