import Basics

/// A pattern for whole values: `*` stands for any text, `?` for one character, everything else for itself.
package struct Glob: Sendable, Equatable {
    private let pattern: [UInt8]
    private let ignoresCase: Bool

    /// Every text is a pattern.
    package init(_ pattern: String) {
        self.init(Array(pattern.utf8), ignoresCase: false)
    }

    private init(_ pattern: [UInt8], ignoresCase: Bool) {
        (self.pattern, self.ignoresCase) = (pattern, ignoresCase)
    }

    /// A pattern for values whose letters of ASCII may be of either case.
    package static func ignoringCase(_ pattern: String) -> Glob {
        Glob(pattern.utf8.map(lower), ignoresCase: true)
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// Whether a text has a wildcard, so that it is more than itself.
    package static func isPattern(_ text: String) -> Bool { text.utf8.contains { $0 == Self.any || $0 == Self.one } }

    private static let any = UInt8(ascii: "*")
    private static let one = UInt8(ascii: "?")

    /// Whether a value matches as a whole.
    package func matches(_ value: String) -> Bool {
        var value = value
        return value.withUTF8 { utf8 in matches(unsafe utf8.span.bytes, 0..<utf8.count) }
    }

    /// Whether the UTF-8 in `range` of `text` matches as a whole; takes at most the product of both lengths in steps.
    package func matches(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        var offset = range.lowerBound
        var position = 0
        var retry: (position: Int, offset: Int)?
        while offset < range.upperBound {
            if position < pattern.count, pattern[position] == Self.any {
                retry = (position, offset)
                position += 1
            } else if position < pattern.count, pattern[position] == Self.one {
                position += 1
                offset = text.endOfCharacter(at: offset, in: range)
            } else if position < pattern.count,
                pattern[position] == (ignoresCase ? Self.lower(text.byte(at: offset)) : text.byte(at: offset))
            {
                position += 1
                offset += 1
            } else if let (star, start) = retry {
                retry = (star, start + 1)
                position = star + 1
                offset = start + 1
            } else {
                return false
            }
        }
        return pattern[position...].allSatisfy { $0 == Self.any }
    }
}

extension RawSpan {
    fileprivate func endOfCharacter(at offset: Int, in range: Range<Int>) -> Int {
        var end = offset + 1
        while end < range.upperBound, byte(at: end) & 0xC0 == 0x80 { end += 1 }
        return end
    }
}
