/// One step through a JSON text (RFC 8259).
///
/// Ranges are byte offsets into the text.
package enum JSONToken: Equatable, Sendable {
    case objectStart
    case objectEnd
    case arrayStart
    case arrayEnd
    /// A member's name; its colon is consumed.
    case key(JSONString)
    case string(JSONString)
    /// The digits as written; valid by RFC 8259.
    case number(Range<Int>)
    case bool(Bool)
    case null
    /// The text is over.
    case end
}

/// A string as it stands in the text, without its quotes.
package struct JSONString: Equatable, Sendable {
    /// The bytes between the quotes.
    ///
    /// Valid UTF-8.
    package let range: Range<Int>
    /// Whether there is no escape, so that the bytes are the value.
    package let isPlain: Bool

    package init(range: Range<Int>, isPlain: Bool) {
        self.range = range
        self.isPlain = isPlain
    }
}

/// What is wrong with a JSON text, and where.
package struct JSONSyntaxError: Error, Equatable, Sendable {
    /// Byte offset of the first wrong byte.
    package let offset: Int
    /// What was found and what is allowed.
    package let reason: String
}

/// Walks a JSON text token by token without building anything.
///
/// The text is passed to every call, so that the scanner can be stored beside it. Strict: no comments, no trailing commas,
/// no bare control characters; UTF-8 is validated; nesting is limited.
package struct JSONScanner: Sendable {
    /// Containers inside containers, at most, unless told otherwise.
    package static let depthMax = 63
    /// The most that can be told.
    private static let depthLimit = 255

    /// The first byte not yet consumed.
    package private(set) var offset = 0
    /// The first byte of the token last returned.
    package private(set) var tokenStart = 0
    /// How many containers are open.
    package private(set) var depth = 0
    /// One bit for each open container, the outermost at 1: set for an object.
    private var containers: InlineArray<4, UInt64> = [0, 0, 0, 0]
    private let depthMax: Int
    private var expected = Expectation.value

    private enum Expectation: UInt8 {
        case value, valueOrArrayEnd, key, keyOrObjectEnd, commaOrEnd, nothing
    }

    /// Starts at the first byte of a text in which at most `depthMax` containers stand inside one another, of 255.
    package init(depthMax: Int = JSONScanner.depthMax) {
        self.depthMax = min(depthMax, Self.depthLimit)
    }

    /// The next token.
    ///
    /// After `.end`, again `.end`.
    package mutating func next(in text: RawSpan) throws(JSONSyntaxError) -> JSONToken {
        var byte = nextByte(in: text)
        if expected == .commaOrEnd, byte == UInt8(ascii: ",") {
            offset += 1
            expected = inObject ? .key : .value
            byte = nextByte(in: text)
        }
        tokenStart = offset
        switch expected {
        case .value where byte != 0: return try value(byte, in: text)
        case .valueOrArrayEnd where byte == UInt8(ascii: "]"): return close(.arrayEnd)
        case .valueOrArrayEnd where byte != 0: return try value(byte, in: text)
        case .key where byte == UInt8(ascii: "\""), .keyOrObjectEnd where byte == UInt8(ascii: "\""):
            return try key(in: text)
        case .keyOrObjectEnd where byte == UInt8(ascii: "}"): return close(.objectEnd)
        case .commaOrEnd where byte == closingBracket: return close(inObject ? .objectEnd : .arrayEnd)
        case .nothing where offset == text.byteCount: return .end
        default: throw unexpected(in: text)
        }
    }

    private func unexpected(in text: RawSpan) -> JSONSyntaxError {
        guard offset < text.byteCount else { return fail("the text ends too early") }
        switch expected {
        case .nothing: return fail("nothing may follow the value")
        case .key, .keyOrObjectEnd: return fail("a member's name in quotes is expected")
        case .commaOrEnd: return fail("a comma or the end of the \(inObject ? "object" : "array") is expected")
        case .value, .valueOrArrayEnd: return fail(Self.valueExpected)
        }
    }

    private static let valueExpected =
        "a value is expected: an object, an array, a string, a number, true, false or null"

    private var inObject: Bool { containers[depth >> 6] >> UInt64(depth & 63) & 1 == 1 }
    private var closingBracket: UInt8 { UInt8(ascii: inObject ? "}" : "]") }

    private func fail(_ reason: String) -> JSONSyntaxError { JSONSyntaxError(offset: offset, reason: reason) }

    private mutating func value(_ byte: UInt8, in text: RawSpan) throws(JSONSyntaxError) -> JSONToken {
        switch byte {
        case UInt8(ascii: "{"): return try open(.objectStart)
        case UInt8(ascii: "["): return try open(.arrayStart)
        case UInt8(ascii: "\""):
            let string = try string(in: text)
            expectAfterValue()
            return .string(string)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return .number(try number(in: text))
        case UInt8(ascii: "t"): return try literal("true", .bool(true), in: text)
        case UInt8(ascii: "f"): return try literal("false", .bool(false), in: text)
        case UInt8(ascii: "n"): return try literal("null", .null, in: text)
        default: throw fail(Self.valueExpected)
        }
    }

    private mutating func open(_ token: JSONToken) throws(JSONSyntaxError) -> JSONToken {
        guard depth < depthMax else { throw fail("nested deeper than \(depthMax) levels") }
        let isObject = token == .objectStart
        depth += 1
        let bit: UInt64 = 1 << UInt64(depth & 63)
        containers[depth >> 6] = containers[depth >> 6] & ~bit | (isObject ? bit : 0)
        expected = isObject ? .keyOrObjectEnd : .valueOrArrayEnd
        offset += 1
        return token
    }

    private mutating func close(_ token: JSONToken) -> JSONToken {
        depth -= 1
        offset += 1
        expectAfterValue()
        return token
    }

    private mutating func expectAfterValue() {
        expected = depth == 0 ? .nothing : .commaOrEnd
    }

    private mutating func key(in text: RawSpan) throws(JSONSyntaxError) -> JSONToken {
        let name = try string(in: text)
        guard nextByte(in: text) == UInt8(ascii: ":") else {
            throw fail("a colon is expected after a member's name")
        }
        offset += 1
        expected = .value
        return .key(name)
    }

    private mutating func literal(
        _ word: StaticString,
        _ token: JSONToken,
        in text: RawSpan
    ) throws(JSONSyntaxError) -> JSONToken {
        let matches = word.withUTF8Buffer { letters in
            guard offset + letters.count <= text.byteCount else { return false }
            return letters.indices.allSatisfy { unsafe text.byte(at: offset + $0) == letters[$0] }
        }
        guard matches else { throw fail("a value is expected: true, false and null are written in full") }
        offset += word.utf8CodeUnitCount
        expectAfterValue()
        return token
    }

    /// Moves past whitespace; the byte then at `offset`, 0 at the end.
    @inline(__always)
    private mutating func nextByte(in text: RawSpan) -> UInt8 {
        while offset < text.byteCount {
            let byte = text.byte(at: offset)
            guard byte <= UInt8(ascii: " ") else { return byte }
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): offset &+= 1
            default: return byte
            }
        }
        return 0
    }
}

extension JSONScanner {
    private mutating func string(in text: RawSpan) throws(JSONSyntaxError) -> JSONString {
        offset += 1
        let start = offset
        var isPlain = true
        var isASCII = true
        while true {
            offset = text.endOfPlainRun(from: offset, to: text.byteCount)
            guard offset < text.byteCount else { throw fail("a string has no closing quote") }
            switch text.byte(at: offset) {
            case UInt8(ascii: "\""):
                let range = start..<offset
                if !isASCII { try validateUTF8(range, in: text) }
                offset += 1
                return JSONString(range: range, isPlain: isPlain)
            case UInt8(ascii: "\\"):
                isPlain = false
                try escape(in: text)
            case 0x80...:
                isASCII = false
                offset += 1
            default:
                throw fail("a control character inside a string must be escaped")
            }
        }
    }

    private mutating func escape(in text: RawSpan) throws(JSONSyntaxError) {
        guard offset + 1 < text.byteCount else { throw fail("a string has no closing quote") }
        switch text.byte(at: offset + 1) {
        case UInt8(ascii: "u"):
            guard offset + 6 <= text.byteCount,
                (2..<6).allSatisfy({ text.byte(at: offset + $0).hexDigit != nil })
            else { throw fail(#"\u is followed by four hexadecimal digits"#) }
            offset += 6
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 2
        default:
            throw fail(#"an escape is one of \" \\ \/ \b \f \n \r \t \u"#)
        }
    }

    private func validateUTF8(_ range: Range<Int>, in text: RawSpan) throws(JSONSyntaxError) {
        guard text.extracting(range).isValidUTF8 else {
            throw JSONSyntaxError(offset: range.lowerBound, reason: "a string is not valid UTF-8")
        }
    }

    private mutating func number(in text: RawSpan) throws(JSONSyntaxError) -> Range<Int> {
        let start = offset
        if byte(in: text) == UInt8(ascii: "-") { offset += 1 }
        let first = offset
        skipDigits(in: text)
        guard offset > first else { throw fail("a number needs digits") }
        guard offset == first + 1 || text.byte(at: first) != UInt8(ascii: "0") else {
            offset = first
            throw fail("a number starts with no extra zero")
        }
        if byte(in: text) == UInt8(ascii: ".") { try moreDigits(in: text, "a fraction needs digits") }
        if byte(in: text) | 0x20 == UInt8(ascii: "e") {
            let sign = offset + 1 < text.byteCount ? text.byte(at: offset + 1) : 0
            if sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { offset += 1 }
            try moreDigits(in: text, "an exponent needs digits")
        }
        expectAfterValue()
        return start..<offset
    }

    /// The byte at `offset`; 0 at the end.
    private func byte(in text: RawSpan) -> UInt8 { offset < text.byteCount ? text.byte(at: offset) : 0 }

    private mutating func skipDigits(in text: RawSpan) {
        while offset < text.byteCount, text.byte(at: offset).isDigit { offset += 1 }
    }

    /// Moves past one byte and the digits behind it.
    private mutating func moreDigits(in text: RawSpan, _ reason: String) throws(JSONSyntaxError) {
        let start = offset
        offset += 1
        skipDigits(in: text)
        guard offset > start + 1 else {
            offset = start
            throw fail(reason)
        }
    }
}
