/// Writes JSON text into a byte array, compact, in the order it is told.
///
/// Places commas itself. The caller is trusted to close what it opens.
package struct JSONWriter: Sendable {
    /// What was written so far.
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init(reservingCapacity capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// The text written so far.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    package mutating func beginObject() { open(UInt8(ascii: "{")) }
    package mutating func endObject() { close(UInt8(ascii: "}")) }
    package mutating func beginArray() { open(UInt8(ascii: "[")) }
    package mutating func endArray() { close(UInt8(ascii: "]")) }

    /// A member's name; its value is written next.
    package mutating func key(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A member's name that needs no escaping.
    package mutating func key(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(name)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A string, escaped as needed.
    package mutating func string(_ value: String) {
        separate()
        var value = value
        value.withUTF8 { utf8 in
            appendEscaped(unsafe utf8.span.bytes, 0..<utf8.count)
        }
    }

    /// A string whose UTF-8 stands in `range` of `text`, escaped as needed.
    package mutating func string(_ text: RawSpan, _ range: Range<Int>) {
        separate()
        appendEscaped(text, range)
    }

    /// A string of ASCII that needs no escaping, appended by `append`.
    package mutating func plainString(_ append: (inout [UInt8]) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        append(&bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func integer(_ value: some BinaryInteger) { raw(String(value)) }
    package mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }
    package mutating func null() { raw("null") }

    /// A finite number in its shortest exact form; NaN and infinities become null, which JSON can say.
    package mutating func double(_ value: Double) { raw(value.isFinite ? "\(value)" : "null") }

    /// A value already in JSON form.
    package mutating func raw(_ value: String) {
        separate()
        bytes.append(contentsOf: value.utf8)
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func appendEscaped(_ text: RawSpan, _ range: Range<Int>) {
        bytes.append(UInt8(ascii: "\""))
        var copied = range.lowerBound
        var offset = range.lowerBound
        while true {
            offset = text.endOfPlainRun(from: offset, to: range.upperBound)
            guard offset < range.upperBound else { break }
            let byte = text.byte(at: offset)
            offset += 1
            guard byte < 0x80 else { continue }
            bytes.append(text, copied..<offset - 1)
            copied = offset
            escape(byte)
        }
        bytes.append(text, copied..<range.upperBound)
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
        case 0..<0x20:
            bytes.append("u00")
            bytes.append(byte >> 4 + UInt8(ascii: "0"))
            bytes.append((byte & 15).lowercaseHexDigit)
        default: bytes.append(byte)
        }
    }
}
