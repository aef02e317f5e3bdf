import Basics

/// What is known of short texts and attributes, so that what is the same in every span is looked at once.
///
/// It holds what came last: up to 1024 of up to 80 bytes, 82 KiB. They are compared byte by byte.
package struct KnownTexts: Sendable {
    package typealias Facts = TextFacts

    /// Bytes of a text at most.
    package static let bytesMax = 80
    private static let placesBits = 10

    /// By place the text, and whatever stood behind it up to the end of a word.
    private var words: [UInt64] = []
    /// By place the length of the text, then its facts.
    private var heads: [UInt16] = []
    /// By place a part of the fingerprint of the text that came last.
    private var notes: [UInt16] = []

    package init() {}

    /// What is known of the bytes in `range`; nothing where they are too many, or have not been kept.
    @inline(__always)
    package func facts(of text: RawSpan, _ range: Range<Int>) -> Facts {
        let count = range.upperBound &- range.lowerBound
        guard count <= Self.bytesMax, count > 0, !heads.isEmpty else { return .none }
        let place = Int(truncatingIfNeeded: text.fingerprint(range) >> UInt64(64 - Self.placesBits))
        let head = heads[place]
        guard Int(head & 0xFF) == count else { return .none }
        let start = place &* Self.bytesMax
        let same = text.isSame(range, as: words.span.bytes, Range(uncheckedBounds: (start, start &+ count)))
        return same ? Facts(rawValue: UInt8(truncatingIfNeeded: head >> 8)) : .none
    }

    /// Whether nothing is to be done about an attribute in the form that nearly all have: a key and then a value.
    ///
    /// - Parameters:
    ///   - member: The `KeyValue` message, which begins with the tag of its key and has all of that; at most 127 bytes.
    ///   - text: The request.
    /// - Returns: False also where it has not been kept.
    @inline(__always)
    func settles(_ member: Range<Int>, of text: RawSpan) -> Bool {
        let key = member.lowerBound &+ 2
        let value = key &+ Int(text.byte(at: member.lowerBound &+ 1))
        if value &+ 2 < member.upperBound, text.byte(at: value) == 0x12,
            value &+ 2 &+ Int(text.byte(at: value &+ 1)) == member.upperBound,
            AttributeValue.isSmallNumber(Range(uncheckedBounds: (value &+ 2, member.upperBound)), text)
        {
            return facts(of: text, Range(uncheckedBounds: (key, value))).contains(.settlesNumbers)
        }
        return facts(of: text, member).contains(.isSettledMember)
    }

    /// Keeps what else is known of the bytes in `range`, in the place of others; not where they are too many.
    ///
    /// What comes for the first time is only noted, because most of that does not come again.
    package mutating func keep(_ new: Facts, of text: RawSpan, _ range: Range<Int>) {
        guard range.count <= Self.bytesMax, !range.isEmpty else { return }
        if heads.isEmpty {
            words = Array(repeating: 0, count: (Self.bytesMax / 8) << Self.placesBits)
            heads = Array(repeating: 0, count: 1 << Self.placesBits)
            notes = Array(repeating: 0, count: 1 << Self.placesBits)
        }
        let fingerprint = text.fingerprint(range)
        let place = Int(truncatingIfNeeded: fingerprint >> UInt64(64 - Self.placesBits))
        let note = UInt16(truncatingIfNeeded: fingerprint)
        guard notes[place] == note else {
            notes[place] = note
            return
        }
        let facts = facts(of: text, range).union(new)
        var word = place * Self.bytesMax / 8
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
            words[word] = text.word(at: offset, to: range.upperBound).littleEndian
            word += 1
        }
        heads[place] = UInt16(range.count) | UInt16(facts.rawValue) << 8
    }
}

/// What is known of a text.
@usableFromInline
package struct TextFacts: OptionSet, Sendable {
    @usableFromInline package let rawValue: UInt8

    @inlinable
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Nothing is to be done about any text in the attribute that these bytes are, a `KeyValue`.
    @inlinable package static var isSettledMember: TextFacts { TextFacts(rawValue: 1) }
    /// Nothing is to be done about the text that these bytes are.
    @inlinable package static var isSettled: TextFacts { TextFacts(rawValue: 1 << 1) }

    /// Nothing is to be done about truths and small numbers whose key these bytes are, nor about the key.
    @inlinable package static var settlesNumbers: TextFacts { TextFacts(rawValue: 1 << 6) }

    /// No fact; what the literal would be, at no cost.
    @inlinable package static var none: TextFacts { TextFacts(rawValue: 0) }
}

extension RawSpan {
    /// Eight bytes from `offset`, the first in the lowest bits; what stands behind `end` is anything.
    @inline(__always)
    fileprivate func word(at offset: Int, to end: Int) -> UInt64 {
        if offset + 8 <= byteCount { return word(at: offset) }
        return (offset..<end).reversed().reduce(0) { $0 << 8 | UInt64(byte(at: $1)) }
    }
}
