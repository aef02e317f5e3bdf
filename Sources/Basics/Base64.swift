/// Base64 (RFC 4648).
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The value of a letter of the standard or the URL-safe alphabet.
    private static func value(_ letter: UInt8) -> UInt32? {
        switch letter {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(letter - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(letter - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(letter - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }

    /// Reads either alphabet, with or without padding; nil for anything else.
    package static func decode(_ text: RawSpan, _ range: Range<Int>) -> [UInt8]? {
        var end = range.upperBound
        while end > range.lowerBound, range.upperBound - end < 2, text.byte(at: end - 1) == UInt8(ascii: "=") {
            end -= 1
        }
        let isPadded = end < range.upperBound
        let count = end - range.lowerBound
        guard count % 4 != 1, !isPadded || range.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * 3 / 4)
        var bits: UInt32 = 0
        var bitCount = 0
        for offset in range.lowerBound..<end {
            guard let value = value(text.byte(at: offset)) else { return nil }
            bits = bits << 6 | value
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
        }
        return bytes
    }

    /// Appends the standard alphabet with padding.
    package static func append(_ text: RawSpan, _ range: Range<Int>, to output: inout [UInt8]) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = min(3, range.upperBound - offset)
            var bits: UInt32 = 0
            for index in 0..<3 { bits = bits << 8 | (index < count ? UInt32(text.byte(at: offset + index)) : 0) }
            for index in 0..<4 {
                let letter = alphabet[Int(bits >> UInt32(18 - index * 6) & 63)]
                output.append(index <= count ? letter : UInt8(ascii: "="))
            }
            offset += count
        }
    }
}

extension [UInt8] {
    /// The bytes in base64 (RFC 4648 section 4), with padding.
    package var base64: String {
        var encoded: [UInt8] = []
        Base64.append(span.bytes, 0..<count, to: &encoded)
        return String(decoding: encoded, as: UTF8.self)
    }
}
