// The only file that reads memory without the compiler's bounds checks. Each load checks its own range first, so that a
// wrong offset traps instead of reading what is not ours. `RawSpan` has no safe loads before Swift 6.4 (SE-0525), and
// arrays take no bytes of a span in bulk.

extension RawSpan {
    /// The byte at `offset`.
    ///
    /// Traps outside the span.
    @inlinable @inline(__always)
    package func byte(at offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount)
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// Eight bytes from `offset`, the first in the lowest bits.
    ///
    /// Traps unless all eight lie in the span.
    @inlinable @inline(__always)
    package func word(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= byteCount - 8)
        return UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// Four bytes from `offset`, the first in the lowest bits.
    ///
    /// Traps unless all four lie in the span.
    @inlinable @inline(__always)
    package func halfWord(at offset: Int) -> UInt32 {
        precondition(offset >= 0 && offset <= byteCount - 4)
        return UInt32(littleEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
    }

    /// Whether the 32 bytes from `offset` are ASCII without quotes, backslashes and control characters.
    ///
    /// Traps unless all of them lie in the span.
    @inlinable @inline(__always)
    package func isPlain32(at offset: Int) -> Bool {
        precondition(offset >= 0 && offset <= byteCount - 32)
        let first = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: SIMD16<Int8>.self)
        let second = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 16, as: SIMD16<Int8>.self)
        // Signed, so that bytes over 0x7F count as control characters too.
        let space = SIMD16<Int8>(repeating: 0x20)
        let quote = SIMD16<Int8>(repeating: 0x22)
        let backslash = SIMD16<Int8>(repeating: 0x5C)
        let stops =
            (first .< space) .| (first .== quote) .| (first .== backslash)
            .| (second .< space) .| (second .== quote) .| (second .== backslash)
        let bits = unsafe unsafeBitCast(stops, to: SIMD2<UInt64>.self)
        return bits.x | bits.y == 0
    }

    /// Whether all bytes of `range` are under 0x80.
    ///
    /// Traps outside the span.
    @inlinable @inline(__always)
    package func isASCII(_ range: Range<Int>) -> Bool {
        let (start, end) = (range.lowerBound, range.upperBound)
        precondition(start >= 0 && start <= end && end <= byteCount)
        var found: UInt64 = 0
        switch end &- start {
        case 8...16:
            found = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt64.self)
            found |= unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: end &- 8, as: UInt64.self)
        case 4..<8:
            let first = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt32.self)
            let last = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: end &- 4, as: UInt32.self)
            found = UInt64(first | last)
        case 0..<4:
            for offset in start..<end {
                found |= UInt64(unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
            }
        default: return isLongASCII(start, end)
        }
        return found & 0x8080_8080_8080_8080 == 0
    }

    /// The same for eight bytes or more that are known to lie inside the span.
    @usableFromInline @inline(never)
    func isLongASCII(_ start: Int, _ end: Int) -> Bool {
        var found: UInt64 = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: end &- 8, as: UInt64.self)
        var offset = start
        while end &- offset >= 32 {
            var four = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
            four |= unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 8, as: UInt64.self)
            four |= unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 16, as: UInt64.self)
            four |= unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 24, as: UInt64.self)
            found |= four
            offset &+= 32
        }
        while end &- offset >= 8 {
            found |= unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
            offset &+= 8
        }
        return found & 0x8080_8080_8080_8080 == 0
    }
}

extension [UInt8] {
    /// Appends the bytes of `range` of `source`.
    ///
    /// Traps outside the span.
    @inlinable
    package mutating func append(_ source: RawSpan, _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= source.byteCount)
        source.withUnsafeBytes { bytes in
            unsafe append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    /// Appends the UTF-8 of a word of the program.
    @inlinable
    package mutating func append(_ word: StaticString) {
        word.withUTF8Buffer { letters in unsafe append(contentsOf: letters) }
    }

    /// Appends eight bytes, the lowest first.
    @inlinable
    package mutating func append(word: UInt64) {
        Swift.withUnsafeBytes(of: word.littleEndian) { unsafe append(contentsOf: $0) }
    }
}

extension [UInt8] {
    /// Bytes of at most that number, which `write` writes.
    @inlinable @inline(__always)
    package init(atMost size: Int, _ write: (inout ByteWriter) -> Void) {
        self.init(unsafeUninitializedCapacity: size) { buffer, count in
            var writer = unsafe ByteWriter(UnsafeMutableRawBufferPointer(buffer), from: 0)
            write(&writer)
            count = writer.offset
        }
    }
}

/// Writes into room that was made before.
///
/// Every step checks that it stays inside and traps otherwise.
@usableFromInline
package struct ByteWriter: ~Copyable {
    @usableFromInline let room: UnsafeMutableRawBufferPointer
    /// Where the next byte goes.
    @usableFromInline var offset: Int

    @inlinable @inline(__always)
    init(_ room: UnsafeMutableRawBufferPointer, from offset: Int) {
        unsafe self.room = room
        self.offset = offset
    }

    /// One byte.
    @inlinable @inline(__always)
    package mutating func byte(_ value: UInt8) {
        precondition(offset < room.count)
        unsafe room.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
        offset &+= 1
    }

    /// Eight bytes, the lowest first.
    @inlinable @inline(__always)
    package mutating func word(_ value: UInt64) {
        precondition(room.count &- offset >= 8)
        unsafe room.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt64.self)
        offset &+= 8
    }

    /// A varint in its shortest form.
    @inlinable @inline(__always)
    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    /// A length or a tag.
    @inlinable @inline(__always)
    package mutating func varint(_ value: Int) { varint(UInt64(truncatingIfNeeded: value)) }

    /// The bytes of `range` of `source`.
    @inlinable @inline(__always)
    package mutating func bytes(_ source: RawSpan, _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= source.byteCount)
        source.withUnsafeBytes { unsafe copy(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// The UTF-8 of a word of the program.
    @inlinable @inline(__always)
    package mutating func letters(_ word: StaticString) {
        word.withUTF8Buffer { unsafe copy(UnsafeRawBufferPointer($0)) }
    }

    /// The UTF-8 of a text.
    @inlinable
    package mutating func letters(_ text: String) {
        var text = text
        text.withUTF8 { unsafe copy(UnsafeRawBufferPointer($0)) }
    }

    /// Leaves out bytes that are written later.
    @inlinable @inline(__always)
    package mutating func skip(_ count: Int) {
        precondition(count >= 0 && count <= room.count &- offset)
        offset &+= count
    }

    @inlinable @inline(__always)
    mutating func copy(_ source: UnsafeRawBufferPointer) {
        precondition(source.count <= room.count &- offset)
        guard let start = source.baseAddress, let base = room.baseAddress else { return }
        unsafe (base + offset).copyMemory(from: start, byteCount: source.count)
        offset &+= source.count
    }
}

/// Bytes that grow at their end, with one check of the room for several steps.
@usableFromInline
package struct ByteSink: Sendable {
    /// Its first `count` bytes are set.
    @usableFromInline var storage: [UInt8] = []
    @usableFromInline var end = 0

    package init() {}

    /// How many bytes were written.
    @inlinable package var count: Int { end }

    /// What was written, and room that holds anything behind it.
    @inlinable package var buffer: [UInt8] { storage }

    /// Writes at most `size` bytes.
    ///
    /// Traps on more.
    @inlinable @inline(__always)
    package mutating func write(atMost size: Int, _ write: (inout ByteWriter) -> Void) {
        reserve(size)
        let start = end
        end = storage.withUnsafeMutableBytes { room in
            var writer = unsafe ByteWriter(room, from: start)
            write(&writer)
            return writer.offset
        }
    }

    /// Makes room for that many bytes more.
    @inlinable @inline(__always)
    package mutating func reserve(_ size: Int) {
        if storage.count &- end < size { grow(size) }
    }

    @usableFromInline @inline(never)
    mutating func grow(_ size: Int) {
        let room = max(end + max(size, 0), storage.count * 2, 256)
        let (old, end) = (storage, end)
        storage = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            var writer = unsafe ByteWriter(UnsafeMutableRawBufferPointer(buffer), from: 0)
            writer.bytes(old.span.bytes, 0..<end)
            count = room
        }
    }

    /// Forgets everything behind the first `count` bytes.
    package mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= end)
        end = count
    }

    /// Writes the length of what stands behind `start` into the `size` bytes before it, moving what follows where the
    /// length takes another number of bytes.
    @inlinable @inline(__always)
    package mutating func close(_ start: Int, reserved size: Int) {
        let length = end &- start
        if size == 1, length < 0x80, start > 0 {
            storage[start &- 1] = UInt8(truncatingIfNeeded: length)
        } else if size == 2, length >= 0x80, length < 0x4000, start > 1 {
            storage[start &- 2] = UInt8(truncatingIfNeeded: length) | 0x80
            storage[start &- 1] = UInt8(truncatingIfNeeded: length &>> 7)
        } else {
            closeLong(start, reserved: size)
        }
    }

    @usableFromInline
    mutating func closeLong(_ start: Int, reserved size: Int) {
        let length = end - start
        let needed = max(1, (70 - UInt64(truncatingIfNeeded: length).leadingZeroBitCount) / 7)
        let first = start - size
        precondition(first >= 0 && length >= 0)
        reserve(needed)
        let moved = end + needed - size
        storage.withUnsafeMutableBytes { room in
            if needed != size, let base = room.baseAddress {
                unsafe (base + first + needed).copyMemory(from: base + start, byteCount: length)
            }
            var writer = unsafe ByteWriter(room, from: first)
            writer.varint(length)
        }
        end = moved
    }
}
