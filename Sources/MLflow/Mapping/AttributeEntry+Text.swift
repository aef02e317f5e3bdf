import Basics
import OTLP

// The mapper's state is large, and a function of it that only reads gets a copy. So what reads attributes belongs to them.

extension Table<AttributeEntry> {
    /// The text of an attribute that is a string and not empty.
    @inline(__always)
    func text(of attribute: Int, _ bytes: RawSpan) -> Range<Int>? {
        let value = self[attribute].value
        if let text = bytes.shortText(value) { return text }
        guard case .string(let range) = AttributeValue(value, in: bytes), !range.isEmpty else { return nil }
        return range
    }

    /// The text of one of the app's own attributes, without JSON's quotes; nil where it is empty or no text.
    func ownText(of attribute: Int, _ bytes: RawSpan) -> String? {
        guard let range = text(of: attribute, bytes) else { return nil }
        let inner = bytes.unquoted(range)
        return inner.isEmpty ? nil : bytes.text(inner)
    }

    /// Whether an attribute says that another one is no JSON.
    func isPlainText(_ attribute: Int, _ bytes: RawSpan) -> Bool {
        text(of: attribute, bytes).map { bytes.equals("text/plain", $0) } ?? false
    }

    /// Whether two attributes have the same value.
    func areSame(_ first: Int, _ second: Int, _ bytes: RawSpan) -> Bool {
        bytes.isSame(self[first].value, as: bytes, self[second].value)
    }
}

extension RawSpan {
    /// The text of an `AnyValue` that holds one of 1 to 127 bytes and nothing else, as most do.
    @inline(__always)
    func shortText(_ value: Range<Int>) -> Range<Int>? {
        let (start, end) = (value.lowerBound, value.upperBound)
        guard end &- start > 2, end &- start < 0x82, byte(at: start) == 0x0A,
            Int(byte(at: start &+ 1)) == end &- start &- 2
        else { return nil }
        return Range(uncheckedBounds: (start &+ 2, end))
    }

    /// The whole number that an `AnyValue` holds, where it is under 16384 and nothing else is there.
    @inline(__always)
    func shortCount(_ value: Range<Int>) -> Int64? {
        let (start, end) = (value.lowerBound, value.upperBound)
        guard end &- start == 2 || end &- start == 3, byte(at: start) == 0x18 else { return nil }
        let low = Int64(byte(at: start &+ 1))
        if end &- start == 2 { return low < 0x80 ? low : nil }
        let high = Int64(byte(at: start &+ 2))
        return low >= 0x80 && high < 0x80 ? low & 0x7F | high << 7 : nil
    }

    /// The range without the quotes of a JSON string around it.
    @inline(__always)
    func unquoted(_ range: Range<Int>) -> Range<Int> {
        let quote = UInt8(ascii: "\"")
        guard range.count >= 2, byte(at: range.lowerBound) == quote, byte(at: range.upperBound - 1) == quote else {
            return range
        }
        return range.lowerBound + 1..<range.upperBound - 1
    }
}
