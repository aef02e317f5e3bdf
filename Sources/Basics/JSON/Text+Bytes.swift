extension UInt8 {
    /// Whether it is an ASCII digit.
    @inlinable package var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    /// The value of an ASCII hexadecimal digit of either case; nil for any other byte.
    @inlinable package var hexDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The ASCII digit of a value under 16.
    @inlinable package var lowercaseHexDigit: UInt8 { self &+ (self < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10) }
}

extension RawSpan {
    /// Whether the bytes are well-formed UTF-8; nearly free on ASCII.
    package var isValidUTF8: Bool {
        let bytes = Span<UInt8>(_bytes: self)
        return (try? UTF8Span(validating: bytes)) != nil
    }

    /// The bytes of `range` as text; ill-formed UTF-8 is replaced by U+FFFD.
    package func text(_ range: Range<Int>) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        bytes.append(self, range)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Where a run of bytes that JSON strings hold unescaped, all ASCII, ends: at a quote, a backslash, a control character,
    /// a byte over 0x7F, or `end`.
    @inlinable
    package func endOfPlainRun(from start: Int, to end: Int) -> Int {
        var position = start
        while position &+ 32 <= end, isPlain32(at: position) { position &+= 32 }
        while position &+ 8 <= end {
            let found = word(at: position).stops
            guard found == 0 else { return position &+ found.trailingZeroBitCount &>> 3 }
            position &+= 8
        }
        while position < end {
            switch byte(at: position) {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), 0..<0x20, 0x80...: return position
            default: position += 1
            }
        }
        return position
    }

    /// Where a run of bytes that JSON strings hold unescaped ends: at a quote, a backslash, a control character, or `end`.
    @inlinable @inline(__always)
    package func endOfStringRun(from start: Int, to end: Int) -> Int {
        guard start &+ 8 <= end else { return endOfLongStringRun(from: start, to: end) }
        let found = word(at: start).stringStops
        guard found == 0 else { return start &+ found.trailingZeroBitCount &>> 3 }
        return endOfLongStringRun(from: start &+ 8, to: end)
    }

    /// Whether the bytes of `range` are exactly `word`.
    @inlinable
    package func equals(_ word: StaticString, _ range: Range<Int>) -> Bool {
        guard word.utf8CodeUnitCount == range.count else { return false }
        return word.withUTF8Buffer { letters in
            letters.indices.allSatisfy { unsafe letters[$0] == byte(at: range.lowerBound + $0) }
        }
    }

    /// Whether the bytes of `range` are exactly `word`.
    @inlinable
    package func equals(_ word: some RandomAccessCollection<UInt8>, _ range: Range<Int>) -> Bool {
        word.count == range.count && zip(word, range).allSatisfy { $0 == byte(at: $1) }
    }
}

extension UInt64 {
    /// In eight bytes: the lowest bit that is set is the highest of the first byte that ends a plain run.
    @inlinable @inline(__always) var stops: UInt64 { stringStops | self & 0x8080_8080_8080_8080 }

    /// The same where bytes over 0x7F end no run.
    @inlinable @inline(__always) var stringStops: UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = self ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslashes = self ^ (ones &* UInt64(UInt8(ascii: "\\")))
        let found = (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
        return (found | (self &- ones &* 0x20) & ~self) & (ones &* 0x80)
    }
}

extension JSONString {
    /// The value, with escapes resolved; a lone surrogate becomes U+FFFD.
    package func value(in text: RawSpan) -> String {
        isPlain ? text.text(range) : String(decoding: unescaped(in: text), as: UTF8.self)
    }

    /// The value's UTF-8, with escapes resolved; a lone surrogate becomes U+FFFD.
    package func unescaped(in text: RawSpan) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        appendUnescaped(from: text, to: &bytes)
        return bytes
    }

    /// Appends the value's UTF-8, with escapes resolved; a lone surrogate becomes U+FFFD.
    package func appendUnescaped(from text: RawSpan, to bytes: inout [UInt8]) {
        var offset = range.lowerBound
        var copied = offset
        while offset < range.upperBound {
            guard text.byte(at: offset) == UInt8(ascii: "\\") else {
                offset = max(offset + 1, text.endOfPlainRun(from: offset, to: range.upperBound))
                continue
            }
            bytes.append(text, copied..<offset)
            let letter = text.byte(at: offset + 1)
            offset += 2
            switch letter {
            case UInt8(ascii: "b"): bytes.append(0x08)
            case UInt8(ascii: "f"): bytes.append(0x0C)
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "u"): bytes.append(contentsOf: scalar(at: &offset, in: text).utf8)
            default: bytes.append(letter)
            }
            copied = offset
        }
        bytes.append(text, copied..<offset)
    }

    /// Reads four hexadecimal digits at `offset`, and a second escape where they are half of a surrogate pair.
    private func scalar(at offset: inout Int, in text: RawSpan) -> Character {
        func unit(at start: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 << 4 | UInt32(text.byte(at: start + $1).hexDigit ?? 0) }
        }
        let first = unit(at: offset)
        offset += 4
        if let scalar = Unicode.Scalar(first) { return Character(scalar) }
        let pairFollows =
            first < 0xDC00 && offset + 6 <= range.upperBound && text.byte(at: offset) == UInt8(ascii: "\\")
            && text.byte(at: offset + 1) == UInt8(ascii: "u")
        guard pairFollows else { return "\u{FFFD}" }
        let second = unit(at: offset + 2)
        guard (0xDC00...0xDFFF).contains(second) else { return "\u{FFFD}" }
        offset += 6
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)).map(Character.init) ?? "\u{FFFD}"
    }
}
