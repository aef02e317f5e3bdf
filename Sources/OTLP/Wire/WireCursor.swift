import Basics

/// A position in a protobuf message (protobuf.dev "Encoding").
///
/// The text is passed to every call, so that the cursor can be kept beside it. Every step checks that it stays inside the
/// message, which must lie inside the text.
struct WireCursor {
    /// The next byte to read.
    var offset: Int
    /// The first byte after the message.
    let end: Int

    init(_ range: Range<Int>) {
        offset = range.lowerBound
        end = range.upperBound
    }

    @inline(__always) var isAtEnd: Bool { offset >= end }

    /// Field number and wire type as they stand in one number.
    @inline(__always)
    mutating func tag(in text: RawSpan) throws(WireError) -> UInt32 {
        let start = offset
        let value = try varint(in: text)
        guard offset &- start == 1 else { return try checkedTag(value, at: start) }
        return UInt32(truncatingIfNeeded: value)
    }

    private func checkedTag(_ value: UInt64, at start: Int) throws(WireError) -> UInt32 {
        try checkSize(from: start)
        guard let tag = UInt32(exactly: value) else {
            throw .malformed(offset: start, reason: "a field number is over 536870911")
        }
        return tag
    }

    /// Refuses a tag or length that decoders of protobuf refuse with the whole message: they read no more than five bytes.
    @inline(__always)
    private func checkSize(from start: Int) throws(WireError) {
        guard offset &- start <= 5 else {
            throw .malformed(offset: start, reason: "a tag or length takes more than five bytes")
        }
    }

    @inline(__always)
    mutating func varint(in text: RawSpan) throws(WireError) -> UInt64 {
        guard offset < end else { throw truncated }
        let first = text.byte(at: offset)
        guard first >= 0x80 else {
            offset &+= 1
            return UInt64(first)
        }
        return try longVarint(in: text)
    }

    @inline(never)
    private mutating func longVarint(in text: RawSpan) throws(WireError) -> UInt64 {
        if end &- offset >= 2 {
            let second = text.byte(at: offset &+ 1)
            if second < 0x80 {
                let first = text.byte(at: offset)
                offset &+= 2
                return UInt64(first & 0x7F) | UInt64(second) << 7
            }
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 70 {
            guard offset < end else { throw truncated }
            let byte = text.byte(at: offset)
            offset &+= 1
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
        }
        throw .malformed(offset: offset, reason: "a number is longer than ten bytes")
    }

    /// Reads a length and moves past what it covers.
    @inline(__always)
    mutating func content(in text: RawSpan) throws(WireError) -> Range<Int> {
        let first = offset
        let length = try varint(in: text)
        try checkSize(from: first)
        guard length <= UInt64(truncatingIfNeeded: end &- offset) else { throw tooLong(length) }
        let start = offset
        offset &+= Int(truncatingIfNeeded: length)
        return Range(uncheckedBounds: (start, offset))
    }

    @inline(__always)
    mutating func fixed64(in text: RawSpan) throws(WireError) -> UInt64 {
        guard end &- offset >= 8 else { throw truncated }
        let value = text.word(at: offset)
        offset &+= 8
        return value
    }

    @inline(__always)
    mutating func fixed32(in text: RawSpan) throws(WireError) -> UInt32 {
        guard end &- offset >= 4 else { throw truncated }
        let value = text.uint32(at: offset)
        offset &+= 4
        return value
    }

    /// Reads a number of that wire type, which is none of a length-delimited field.
    mutating func number(_ wireType: UInt32, in text: RawSpan) throws(WireError) -> UInt64 {
        switch wireType {
        case WireType.varint: try varint(in: text)
        case WireType.fixed32: UInt64(try fixed32(in: text))
        default: try fixed64(in: text)
        }
    }

    /// Moves past the value of a field whose tag was just read.
    mutating func skip(_ tag: UInt32, in text: RawSpan) throws(WireError) {
        guard tag >= 8 else { throw .malformed(offset: offset, reason: "a field has the number 0") }
        switch tag & 7 {
        case WireType.varint: _ = try varint(in: text)
        case WireType.fixed64: _ = try fixed64(in: text)
        case WireType.lengthDelimited: _ = try content(in: text)
        case WireType.fixed32: _ = try fixed32(in: text)
        case 3, 4:
            throw .malformed(offset: offset, reason: "field \(tag >> 3) is a group, which OTLP does not have")
        default:
            throw .malformed(offset: offset, reason: "field \(tag >> 3) has the unknown wire type \(tag & 7)")
        }
    }

    private var truncated: WireError {
        .malformed(offset: offset, reason: "the message ends inside a field")
    }

    private func tooLong(_ length: UInt64) -> WireError {
        .malformed(offset: offset, reason: "a field of \(length) bytes is longer than its message")
    }
}

/// The wire types that OTLP uses.
enum WireType {
    static let varint: UInt32 = 0
    static let fixed64: UInt32 = 1
    static let lengthDelimited: UInt32 = 2
    static let fixed32: UInt32 = 5
}
