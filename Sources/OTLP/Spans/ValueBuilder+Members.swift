import Basics

/// Members whose size is known before they are written: nothing has to be moved when they end.
extension ValueBuilder {
    /// A word of the program as a text.
    package mutating func word(_ word: StaticString) {
        word.withUTF8Buffer { letters in string(unsafe letters.span.bytes, 0..<letters.count) }
    }

    /// A member that is a text in `range` of `text`; the caller knows that it is well-formed.
    package mutating func member(_ name: StaticString, _ text: RawSpan, _ range: Range<Int>) {
        openMember(name, valueSize: 1 + varintSize(range.count) + range.count)
        openField(0x0A, length: range.count)
        bytes.append(text, range)
    }

    /// A member that is a word of the program.
    package mutating func member(_ name: StaticString, word: StaticString) {
        let size = word.utf8CodeUnitCount
        openMember(name, valueSize: 1 + varintSize(size) + size)
        openField(0x0A, length: size)
        bytes.append(word)
    }

    /// A member that is a whole number.
    package mutating func member(_ name: StaticString, int value: Int64) {
        openMember(name, valueSize: 1 + (value < 0 ? 10 : varintSize(Int(value))))
        bytes.append(0x18)
        bytes.appendVarint(UInt64(bitPattern: value))
    }

    /// A member that is a number.
    package mutating func member(_ name: StaticString, double value: Double) {
        openMember(name, valueSize: 9)
        bytes.append(0x21)
        bytes.appendFixed64(value.bitPattern)
    }

    /// A member in which nothing is set.
    package mutating func nullMember(_ name: StaticString) {
        openMember(name, valueSize: 0)
    }

    @inline(__always)
    private mutating func openMember(_ name: StaticString, valueSize: Int) {
        let keySize = name.utf8CodeUnitCount
        openField(0x0A, length: 1 + varintSize(keySize) + keySize + 1 + varintSize(valueSize) + valueSize)
        openField(0x0A, length: keySize)
        bytes.append(name)
        openField(0x12, length: valueSize)
    }
}

extension SpanBatch {
    /// Makes room for what a processor is about to add, so that it grows in one step.
    ///
    /// `edits` and `bytes` are guesses; neither is a limit.
    package mutating func reserve(edits: Int, bytes: Int) {
        marks.edits.reserveCapacity(marks.edits.count + edits)
        marks.builder.bytes.reserveCapacity(marks.builder.bytes.count + bytes)
    }
}
