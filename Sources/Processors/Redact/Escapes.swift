import Basics

/// The escapes of JSON strings and of the languages that write texts as JSON does.
enum Escapes {
    /// One unit of a text: a byte, or an escape that stands for a character.
    struct Unit {
        /// Bytes that it takes as it stands.
        var count = 1
        /// What it stands for; nil for a byte that stands for itself.
        var scalar: Unicode.Scalar?

        /// Bytes of what it stands for.
        var decodedCount: Int { scalar.map { UTF8.width($0) } ?? 1 }
    }

    /// The unit at `offset`; a backslash before anything that is no escape stands for itself.
    static func unit(at offset: Int, to end: Int, in text: RawSpan) -> Unit {
        guard text.byte(at: offset) == UInt8(ascii: "\\"), offset + 1 < end else { return Unit() }
        let scalar: Unicode.Scalar
        switch text.byte(at: offset + 1) {
        case UInt8(ascii: "n"): scalar = "\n"
        case UInt8(ascii: "t"): scalar = "\t"
        case UInt8(ascii: "r"): scalar = "\r"
        case UInt8(ascii: "b"): scalar = "\u{8}"
        case UInt8(ascii: "f"): scalar = "\u{C}"
        case UInt8(ascii: "\""): scalar = "\""
        case UInt8(ascii: "\\"): scalar = "\\"
        case UInt8(ascii: "/"): scalar = "/"
        case UInt8(ascii: "u"): return unicode(at: offset, to: end, in: text)
        default: return Unit()
        }
        return Unit(count: 2, scalar: scalar)
    }

    private static func unicode(at offset: Int, to end: Int, in text: RawSpan) -> Unit {
        guard let high = digits(at: offset, to: end, in: text) else { return Unit() }
        if let scalar = Unicode.Scalar(high) { return Unit(count: 6, scalar: scalar) }
        if (0xD800..<0xDC00).contains(high), let low = digits(at: offset + 6, to: end, in: text),
            (0xDC00..<0xE000).contains(low)
        {
            let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
            return Unit(count: 12, scalar: scalar)
        }
        return Unit(count: 6, scalar: "\u{FFFD}")
    }

    /// The value of `\u` and four hexadecimal digits at `offset`; nil where there is none.
    private static func digits(at offset: Int, to end: Int, in text: RawSpan) -> UInt32? {
        guard offset + 6 <= end, text.byte(at: offset) == UInt8(ascii: "\\"),
            text.byte(at: offset + 1) == UInt8(ascii: "u")
        else { return nil }
        var value: UInt32 = 0
        for index in 2..<6 {
            guard let digit = text.byte(at: offset + index).hexDigit else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    /// Appends what the bytes of `range` stand for.
    static func decode(_ text: RawSpan, _ range: Range<Int>, into decoded: inout [UInt8]) {
        decoded.reserveCapacity(decoded.count + range.count)
        var offset = range.lowerBound
        while offset < range.upperBound {
            let unit = unit(at: offset, to: range.upperBound, in: text)
            if let scalar = unit.scalar {
                decoded += UTF8.encode(scalar).map { Array($0) } ?? []
            } else {
                decoded.append(text.byte(at: offset))
            }
            offset += unit.count
        }
    }

    /// Turns hits in what the bytes of `range` stand for into hits of those bytes; whole escapes go.
    static func moveBack(_ hits: inout ArraySlice<Hit>, to text: RawSpan, _ range: Range<Int>) {
        guard !hits.isEmpty else { return }
        var marks: [(position: Int, hit: Int, isEnd: Bool)] = []
        for index in hits.indices {
            marks.append((hits[index].range.lowerBound, index, false))
            marks.append((hits[index].range.upperBound, index, true))
        }
        marks.sort { $0.position < $1.position }
        var starts = [Int: Int](minimumCapacity: hits.count)
        var (offset, position, next) = (range.lowerBound, 0, 0)
        while next < marks.count {
            let unit =
                offset < range.upperBound
                ? self.unit(at: offset, to: range.upperBound, in: text) : Unit(count: 0, scalar: nil)
            let following = position + unit.decodedCount
            while next < marks.count {
                let mark = marks[next]
                let isHere = mark.isEnd ? mark.position <= position : mark.position < following
                guard isHere || offset >= range.upperBound else { break }
                if mark.isEnd {
                    hits[mark.hit].range = (starts[mark.hit] ?? offset)..<max(starts[mark.hit] ?? offset, offset)
                } else {
                    starts[mark.hit] = offset
                }
                next += 1
            }
            position = following
            offset += unit.count
        }
    }
}
