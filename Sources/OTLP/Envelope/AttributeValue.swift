import Basics

/// What an `AnyValue` holds.
///
/// Text, bytes and containers are ranges of the body.
package enum AttributeValue: Sendable, Equatable {
    /// No value was set.
    case empty
    case string(Range<Int>)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case bytes(Range<Int>)
    /// An `ArrayValue` message.
    case array(Range<Int>)
    /// A `KeyValueList` message.
    case keyValueList(Range<Int>)

    /// Reads the `AnyValue` message in `range`.
    ///
    /// The last field counts, as it does for any decoder; bytes that cannot be read are `.empty`.
    package init(_ range: Range<Int>, in text: RawSpan) {
        // Most values are one short text.
        if let string = Self.plainText(range, text) {
            self = .string(string)
            return
        }
        if let count = Self.shortInteger(range, text) {
            self = .int(count)
            return
        }
        self = .empty
        var cursor = WireCursor(range)
        while !cursor.isAtEnd, let value = try? Self.next(&cursor, text) {
            if value != .empty { self = value }
        }
    }

    /// One text under 16384 bytes and nothing else.
    @inline(__always)
    static func plainText(_ range: Range<Int>, _ text: RawSpan) -> Range<Int>? {
        let (start, end) = (range.lowerBound, range.upperBound)
        guard end &- start >= 4 else { return nil }
        let head = text.uint32(at: start)
        let length = Int(head >> 8 & 0xFF)
        guard head & 0xFF == 0x0A else { return nil }
        if length < 0x80 {
            return end &- start == length &+ 2 ? Range(uncheckedBounds: (start &+ 2, end)) : nil
        }
        let high = Int(head >> 16 & 0xFF)
        guard high < 0x80, end &- start == (length & 0x7F | high &<< 7) &+ 3 else { return nil }
        return Range(uncheckedBounds: (start &+ 3, end))
    }

    /// An integer under 16384 and nothing else.
    @inline(__always)
    private static func shortInteger(_ range: Range<Int>, _ text: RawSpan) -> Int64? {
        guard range.count == 2 || range.count == 3, text.byte(at: range.lowerBound) == 0x18 else { return nil }
        let first = Int64(text.byte(at: range.lowerBound + 1))
        if range.count == 2 { return first < 0x80 ? first : nil }
        let second = Int64(text.byte(at: range.lowerBound + 2))
        return first >= 0x80 && second < 0x80 ? first & 0x7F | second << 7 : nil
    }

    /// Whether there is room for a truth or a number only, beside which no text fits in.
    @inline(__always)
    static func isSmallNumber(_ range: Range<Int>, _ text: RawSpan) -> Bool {
        guard !range.isEmpty else { return true }
        switch text.byte(at: range.lowerBound) {
        case 0x10, 0x18: return range.count <= 4
        case 0x21: return range.count <= 11
        default: return false
        }
    }

    /// The next field; `.empty` for an unknown one.
    private static func next(_ cursor: inout WireCursor, _ text: RawSpan) throws(WireError) -> AttributeValue {
        switch try cursor.tag(in: text) {
        case 0x0A: return .string(try cursor.content(in: text))
        case 0x10: return .bool(try cursor.varint(in: text) != 0)
        case 0x18: return .int(Int64(bitPattern: try cursor.varint(in: text)))
        case 0x21: return .double(Double(bitPattern: try cursor.fixed64(in: text)))
        case 0x2A: return .array(try cursor.content(in: text))
        case 0x32: return .keyValueList(try cursor.content(in: text))
        case 0x3A: return .bytes(try cursor.content(in: text))
        case let tag:
            try cursor.skip(tag, in: text)
            return .empty
        }
    }
}

extension RawSpan {
    /// Visits the `AnyValue` messages of an `ArrayValue` message; stops at bytes that cannot be read.
    package func forEachElement(of array: Range<Int>, _ visit: (Range<Int>) -> Void) {
        var reader = WireReader(array)
        while let field = try? reader.next(in: self) {
            if field.number == 1, field.form == .lengthDelimited { visit(field.content) }
        }
    }

    /// Visits the members of a `KeyValueList` message: the key, and the `AnyValue` message, empty where there is none.
    package func forEachMember(of list: Range<Int>, _ visit: (_ key: Range<Int>, _ value: Range<Int>) -> Void) {
        forEachElement(of: list) { member in
            var key = member.upperBound..<member.upperBound
            var value = key
            var reader = WireReader(member)
            while let field = try? reader.next(in: self) {
                guard field.form == .lengthDelimited else { continue }
                if field.number == 1 { key = field.content }
                if field.number == 2, !field.content.isEmpty { value = field.content }
            }
            visit(key, value)
        }
    }
}
