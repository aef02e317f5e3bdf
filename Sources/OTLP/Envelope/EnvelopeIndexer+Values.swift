import Basics

extension EnvelopeIndexer {
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
            } else if let next = try longText(at: start, to: cursor.end, owner, text) {
                cursor.offset = next
            } else {
                try attribute(at: start, try cursor.content(in: text), owner, text)
            }
            guard !cursor.isAtEnd, text.byte(at: cursor.offset) == tag else { return }
            start = cursor.offset
            cursor.offset &+= 1
        }
    }

    /// Indexes attributes in the form that nearly all have: a key, then a value that is a scalar or a list of texts, all ASCII
    /// and all lengths under 128.
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
            let head = text.uint32(at: offset)
            guard head & 0x80FF_80FF == form else { return offset }
            let fieldEnd = offset &+ 2 &+ Int(head >> 8 & 0x7F)
            let keyStart = offset &+ 4
            let keyEnd = keyStart &+ Int(head >> 24)
            guard fieldEnd <= end, fieldEnd &- keyEnd >= 4, isPlainValue(keyEnd, fieldEnd, text) else {
                return offset
            }
            let key = Range(uncheckedBounds: (keyStart, keyEnd))
            guard isTwin(key, text) || text.isASCII(key) else { return offset }
            try add(offset, fieldEnd, key, Range(uncheckedBounds: (keyEnd &+ 2, fieldEnd)), owner)
            offset = fieldEnd
        }
        return offset
    }

    /// Whether from `start` to `end`, at least four bytes, there is nothing but a value that is a short scalar.
    @inline(__always)
    private func isPlainValue(_ start: Int, _ end: Int, _ text: RawSpan) -> Bool {
        // Tag, length, tag of the scalar, its length or first byte.
        let head = text.uint32(at: start)
        let size = Int(head >> 8 & 0xFF)
        guard head & 0xFF == 0x12, start &+ 2 &+ size == end else { return false }
        let first = Int(head >> 24)
        switch head >> 16 & 0xFF {
        case 0x0A: return first == size &- 2 && text.isASCII(Range(uncheckedBounds: (start &+ 4, end)))
        case 0x18: return first < 0x80 ? size == 2 : size == 3 && text.byte(at: end &- 1) < 0x80
        case 0x21: return size == 9
        case 0x2A: return first == size &- 2 && limits.nestingMax > 1 && Self.isPlainList(start &+ 4, end, text)
        default: return false
        }
    }

    /// Whether from `start` to `end` there are nothing but elements that are short texts in ASCII.
    private static func isPlainList(_ start: Int, _ end: Int, _ text: RawSpan) -> Bool {
        var offset = start
        while end &- offset >= 4 {
            // Tag of the element, its length, tag of the text, its length.
            let head = text.uint32(at: offset)
            let size = Int(head >> 24)
            let next = offset &+ 4 &+ size
            guard head & 0x80FF_80FF == 0x000A_000A, Int(head >> 8 & 0x7F) == size &+ 2, next <= end,
                text.isASCII(Range(uncheckedBounds: (offset &+ 4, next)))
            else { return false }
            offset = next
        }
        return offset == end
    }

    /// Indexes the attribute at `start` where it is a key and a text, as `plainAttributes` does, but with any lengths.
    ///
    /// - Returns: Where it ends; nil where it has another form.
    @inline(__always)
    private mutating func longText(
        at start: Int,
        to end: Int,
        _ owner: UInt32,
        _ text: RawSpan
    ) throws(WireError) -> Int? {
        var offset = start &+ 1
        guard let size = Self.length(&offset, end, text), size <= end &- offset else { return nil }
        let fieldEnd = offset &+ size
        // Tag of the key and its length.
        guard fieldEnd &- offset >= 4, case let head = text.uint32(at: offset), head & 0x80FF == 0x0A else {
            return nil
        }
        let key = Range(uncheckedBounds: (offset &+ 2, offset &+ 2 &+ Int(head >> 8 & 0x7F)))
        guard fieldEnd &- key.upperBound >= 8, text.byte(at: key.upperBound) == 0x12 else { return nil }
        offset = key.upperBound &+ 1
        guard let size = Self.length(&offset, fieldEnd, text), size == fieldEnd &- offset else { return nil }
        let value = Range(uncheckedBounds: (offset, fieldEnd))
        guard size > 0, text.byte(at: offset) == 0x0A else { return nil }
        offset &+= 1
        guard let size = Self.length(&offset, fieldEnd, text), size == fieldEnd &- offset,
            text.isText(Range(uncheckedBounds: (offset, fieldEnd))), isTwin(key, text) || text.isASCII(key)
        else { return nil }
        try add(start, fieldEnd, key, value, owner)
        return fieldEnd
    }

    /// Reads a length of at most three bytes; nil for a longer one, or so close to the end that it cannot be told.
    @inline(__always)
    private static func length(_ offset: inout Int, _ end: Int, _ text: RawSpan) -> Int? {
        guard end &- offset >= 4 else { return nil }
        let bytes = Int(text.uint32(at: offset))
        if bytes & 0x80 == 0 {
            offset &+= 1
            return bytes & 0x7F
        }
        if bytes & 0x8000 == 0 {
            offset &+= 2
            return bytes & 0x7F | bytes >> 1 & 0x3F80
        }
        guard bytes & 0x80_0000 == 0 else { return nil }
        offset &+= 3
        return bytes & 0x7F | bytes >> 1 & 0x3F80 | bytes >> 2 & 0x1F_C000
    }

    /// Puts an attribute into the table.
    @inline(__always)
    private mutating func add(
        _ start: Int,
        _ end: Int,
        _ key: Range<Int>,
        _ value: Range<Int>,
        _ owner: UInt32
    ) throws(WireError) {
        try reserve(AttributeEntry.self)
        attributes.append(
            AttributeEntry(
                fieldRange: ShortRange(start, end),
                keyRange: ShortRange(key),
                valueRange: ShortRange(value),
                owner: owner
            )
        )
    }

    /// Adds one `KeyValue` to the table.
    @inline(never)
    private mutating func attribute(
        at start: Int,
        _ body: Range<Int>,
        _ owner: UInt32,
        _ text: RawSpan
    ) throws(WireError) {
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
        try add(start, end, key.range, value.range, owner)
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
    mutating func anyValue(_ body: Range<Int>, _ depth: Int, _ text: RawSpan) throws(WireError) {
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
