import Basics

extension TextRedactor {
    /// Hides the values of `keys` in a text that is no JSON, or is none from here on: `"NAME": VALUE` in prose, in markdown, in
    /// server-sent events, in what Python prints, and in JSON that breaks off.
    ///
    /// A value that has no end goes on to that of the text. Names without quotes are none.
    mutating func members(_ text: RawSpan, _ range: Range<Int>) {
        pass.work += range.count
        var offset = range.lowerBound
        while offset < range.upperBound {
            let sign = offset
            offset += 1
            guard text.byte(at: sign) == UInt8(ascii: ":"), let name = LooseMember.name(text, range.lowerBound..<sign),
                plan.hides(text, name)
            else { continue }
            let member = LooseMember(text, behind: sign, in: range)
            pass.work += member.value.count
            if !member.isNull { replace(member.value, isWhole: !member.isText, escapes: member.isText ? 1 : 0) }
            offset = max(offset, member.value.upperBound)
        }
    }
}

/// A member of something like JSON, as it stands in a text.
private struct LooseMember {
    /// The value without its quotes.
    let value: Range<Int>
    /// Whether it stands in quotes.
    let isText: Bool
    let isNull: Bool

    /// The value behind the colon at `sign`.
    init(_ text: RawSpan, behind sign: Int, in range: Range<Int>) {
        var first = sign + 1
        while first < range.upperBound, ByteClass.of(text.byte(at: first)).contains(.space) { first += 1 }
        guard first < range.upperBound else {
            (value, isText, isNull) = (first..<first, false, true)
            return
        }
        isText = Self.isQuote(text.byte(at: first))
        if isText {
            value = first + 1..<Self.closing(text, first, range.upperBound)
            isNull = value.isEmpty
        } else {
            value = first..<Self.end(text, first, range.upperBound)
            isNull = value.isEmpty || text.equals("null", value) || text.equals("None", value)
        }
    }

    private static func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") }

    /// The name in quotes at the end of `range`, in one line; nil for none.
    ///
    /// One whose quotes have backslashes stands in a text that is looked at without them.
    static func name(_ text: RawSpan, _ range: Range<Int>) -> Range<Int>? {
        var end = range.upperBound
        while end > range.lowerBound, range.upperBound - end < 8, ByteClass.of(text.byte(at: end - 1)).contains(.space)
        {
            end -= 1
        }
        guard end > range.lowerBound, isQuote(text.byte(at: end - 1)) else { return nil }
        let quote = text.byte(at: end - 1)
        end -= 1
        var first = end
        while first > range.lowerBound, end - first < 256, text.byte(at: first - 1) != quote {
            guard text.byte(at: first - 1) >= 0x20 else { return nil }
            first -= 1
        }
        guard first > range.lowerBound, text.byte(at: first - 1) == quote, first < end,
            text.byte(at: end - 1) != UInt8(ascii: "\\")
        else { return nil }
        return first..<end
    }

    /// Where the quote stands that closes the one at `open`, or where the text ends.
    private static func closing(_ text: RawSpan, _ open: Int, _ end: Int) -> Int {
        var offset = open + 1
        while offset < end, text.byte(at: offset) != text.byte(at: open) {
            offset += text.byte(at: offset) == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(offset, end)
    }

    /// Where a value ends that stands in no quotes: behind its last bracket, or at what comes behind it.
    private static func end(_ text: RawSpan, _ first: Int, _ end: Int) -> Int {
        var (offset, depth) = (first, 0)
        let isContainer = text.byte(at: first) == UInt8(ascii: "{") || text.byte(at: first) == UInt8(ascii: "[")
        while offset < end {
            let byte = text.byte(at: offset)
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "("): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: ")"):
                if depth == 0 { return offset }
                depth -= 1
                if depth == 0, isContainer { return offset + 1 }
            case UInt8(ascii: ","), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                if depth == 0 { return offset }
            // An apostrophe inside a word is no quote.
            case _ where isQuote(byte) && ByteClass.of(text.byte(at: offset - 1)).isDisjoint(with: .alphanumeric):
                offset = closing(text, offset, end)
            default: break
            }
            offset += 1
        }
        return end
    }
}
