import Basics

/// One field of a protobuf message.
package struct WireField: Sendable {
    /// How the value is written.
    package enum Form: UInt8, Sendable {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    package let number: Int
    package let form: Form
    /// From the first byte of the tag to the last of the value.
    package let field: Range<Int>
    /// The bytes of the value, without tag and length.
    package let content: Range<Int>
    /// The value of a number; 0 where the field is length-delimited.
    package let value: UInt64
}

/// Walks the fields of one message, each as it stands.
package struct WireReader: Sendable {
    private var offset: Int
    private let end: Int

    /// Starts at a message whose bytes lie in `range` of the text.
    package init(_ range: Range<Int>) {
        offset = range.lowerBound
        end = range.upperBound
    }

    /// The next field; nil after the last.
    package mutating func next(in text: RawSpan) throws(WireError) -> WireField? {
        guard offset < end else { return nil }
        let start = offset
        var cursor = WireCursor(offset..<min(end, text.byteCount))
        let tag = try cursor.tag(in: text)
        var content = cursor.offset..<cursor.offset
        var value: UInt64 = 0
        switch tag & 7 {
        case WireType.varint where tag >= 8: value = try cursor.varint(in: text)
        case WireType.fixed64 where tag >= 8: value = try cursor.fixed64(in: text)
        case WireType.fixed32 where tag >= 8: value = UInt64(try cursor.fixed32(in: text))
        case WireType.lengthDelimited where tag >= 8: content = try cursor.content(in: text)
        default: try cursor.skip(tag, in: text)
        }
        let form = WireField.Form(rawValue: UInt8(tag & 7)) ?? .varint
        if form != .lengthDelimited { content = content.lowerBound..<cursor.offset }
        offset = cursor.offset
        return WireField(
            number: Int(tag >> 3),
            form: form,
            field: start..<offset,
            content: content,
            value: value
        )
    }
}
