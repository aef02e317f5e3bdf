import Basics

extension BytePass {
    /// Whether there is nothing to find in the strings, numbers and names of JSON that has no escapes.
    ///
    /// - Parameters:
    ///   - text: What the range is of.
    ///   - range: JSON, or something that begins like it.
    ///   - names: Gets the names before colons, whose values are not looked at as such.
    /// - Returns: False as soon as something is found or cannot be told.
    mutating func isClear(ofJSON text: RawSpan, _ range: Range<Int>, names: inout [Range<Int>]) -> Bool {
        (start, end, resume) = (range.lowerBound, range.upperBound, range.lowerBound)
        (skipped, hasBackslash, hasMember) = (0, false, false)
        let count = hits.count
        var offset = start
        while offset < end {
            let partCount = Self.marks.find(in: text, from: offset, to: end, into: &parts)
            for part in 0..<partCount {
                var stops = parts[part]
                while stops != 0 {
                    let position = offset &+ stops.trailingZeroBitCount
                    stops &= stops &- 1
                    switch text.byte(at: position) {
                    case UInt8(ascii: ":"):
                        guard let quote = quote(text, before: position) else {
                            stop(text, at: position)
                            continue
                        }
                        guard let name = name(text, endingAt: quote) else { return false }
                        names.append(name)
                    case UInt8(ascii: "\\"): return false
                    case UInt8(ascii: "/"), UInt8(ascii: "J"), UInt8(ascii: "U"), UInt8(ascii: "0"):
                        stop(text, at: position)
                        if stubsMedia, beginsMedia(text, at: position) { return false }
                    default: stop(text, at: position)
                    }
                }
                if hits.count > count || work > workMax { return false }
                offset &+= 64
            }
        }
        return true
    }

    /// The quote behind which only blanks stand before `position`.
    private func quote(_ text: RawSpan, before position: Int) -> Int? {
        var offset = position &- 1
        while isOne(text, offset, of: .space) { offset &-= 1 }
        return byte(text, offset) == UInt8(ascii: "\"") ? offset : nil
    }

    /// What stands in quotes, the last of which is at `quote`; nil where that may be no name.
    private func name(_ text: RawSpan, endingAt quote: Int) -> Range<Int>? {
        guard isOne(text, quote &- 1, of: .alphanumeric) else { return nil }
        var first = quote
        while first > start, text.byte(at: first &- 1) != UInt8(ascii: "\"") { first &-= 1 }
        return first..<quote
    }

    /// Whether a string may be base64 of an image or a document, whose first mark stands at `position`.
    private func beginsMedia(_ text: RawSpan, at position: Int) -> Bool {
        switch text.byte(at: position) {
        case UInt8(ascii: "/"), UInt8(ascii: "J"), UInt8(ascii: "U"):
            byte(text, position &- 1) == UInt8(ascii: "\"")
                && (has("/9j/", text, at: position) || has("JVBERi0", text, at: position)
                    || has("UklGR", text, at: position))
        case UInt8(ascii: "0"):
            has("\"R0lGOD", text, at: position &- 2) || has("\"iVBORw0KGgo", text, at: position &- 7)
        default: false
        }
    }
}
