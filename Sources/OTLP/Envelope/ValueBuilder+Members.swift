/// Members whose size is known before they are written: nothing has to be moved when they end.
extension ValueBuilder {
    /// A word of the program as a text.
    package mutating func word(_ word: StaticString) {
        word.withUTF8Buffer { letters in string(unsafe letters.span.bytes, 0..<letters.count) }
    }

    /// A member that is a text in `range` of `text`; the caller knows that it is well-formed.
    @inlinable @inline(__always)
    package mutating func member(_ name: StaticString, _ text: RawSpan, _ range: Range<Int>) {
        member(name, size: 1 + varintSize(range.count) + range.count) { writer in
            writer.field(0x0A, length: range.count)
            writer.bytes(text, range)
        }
    }

    /// A member that is a word of the program.
    @inlinable @inline(__always)
    package mutating func member(_ name: StaticString, word: StaticString) {
        let size = word.utf8CodeUnitCount
        member(name, size: 1 + varintSize(size) + size) { writer in
            writer.field(0x0A, length: size)
            writer.letters(word)
        }
    }

    /// A member that is a whole number.
    @inlinable @inline(__always)
    package mutating func member(_ name: StaticString, int value: Int64) {
        member(name, size: 1 + varintSize(Int(value))) { writer in
            writer.byte(0x18)
            writer.varint(UInt64(bitPattern: value))
        }
    }

    /// A member that is a number.
    @inlinable @inline(__always)
    package mutating func member(_ name: StaticString, double value: Double) {
        member(name, size: 9) { writer in
            writer.byte(0x21)
            writer.word(value.bitPattern)
        }
    }

    /// A member in which nothing is set.
    @inlinable @inline(__always)
    package mutating func nullMember(_ name: StaticString) {
        member(name, size: 0) { _ in }
    }

    /// The fields of an `AnyValue` that `write` writes, in at most `size` bytes; it is no part of a container.
    @inlinable @inline(__always)
    package mutating func value(atMost size: Int, _ write: (inout ByteWriter) -> Void) {
        precondition(depth == 0)
        bytes.write(atMost: size, write)
    }

    /// What was written since there were `count` bytes, of which none may be left out.
    package func withBytes<Result>(from count: Int, _ read: (RawSpan) -> Result) -> Result {
        precondition(bytes.quotes.last.map { Int($0.position) < count } ?? true, "what is read was left out")
        return bytes.withBytes { read($0.extracting(droppingFirst: count)) }
    }

    /// A key-value list of the members that `build` writes, in at most `size` bytes; it is no part of a container.
    @inlinable @inline(__always)
    package mutating func flatList(atMost size: Int, _ build: (inout ByteWriter) -> Void) {
        let start = bytes.count + 2
        bytes.write(atMost: size + 2) { writer in
            writer.shortField(0x32, length: 0)
            build(&writer)
        }
        bytes.close(start, reserved: 1)
    }

    @inlinable @inline(__always)
    mutating func member(_ name: StaticString, size: Int, _ value: (inout ByteWriter) -> Void) {
        let keySize = name.utf8CodeUnitCount
        bytes.write(atMost: keySize &+ size &+ 32) { writer in
            if keySize &+ size < 0x7C {
                writer.shortField(0x0A, length: keySize &+ size &+ 4)
                writer.shortField(0x0A, length: keySize)
                writer.letters(name)
                writer.shortField(0x12, length: size)
            } else {
                writer.field(0x0A, length: 1 + varintSize(keySize) + keySize + 1 + varintSize(size) + size)
                writer.field(0x0A, length: keySize)
                writer.letters(name)
                writer.field(0x12, length: size)
            }
            value(&writer)
        }
    }
}

extension ByteWriter {
    /// A member of a flat list that is a whole number, under a name of at most 64 bytes.
    @inlinable @inline(__always)
    package mutating func member(_ name: StaticString, int value: Int64) {
        let keySize = name.utf8CodeUnitCount
        let size = 1 &+ varintSize(Int(value))
        shortField(0x0A, length: keySize &+ size &+ 4)
        shortField(0x0A, length: keySize)
        letters(name)
        shortField(0x12, length: size)
        byte(0x18)
        varint(UInt64(bitPattern: value))
    }
}

extension Envelope {
    /// Makes room for what a processor is about to add, so that it grows in one step.
    ///
    /// `edits` and `bytes` are guesses; neither is a limit.
    package mutating func reserve(edits: Int, bytes: Int) {
        marks.edits.reserveCapacity(marks.edits.count + edits)
        marks.builder.bytes.reserve(bytes)
    }
}
