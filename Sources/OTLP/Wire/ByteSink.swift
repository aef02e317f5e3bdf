import Basics

// The only file that writes memory without the compiler's bounds checks. Each step checks first that it stays inside its
// room, so that a wrong size traps instead of writing over what is not ours.

extension [UInt8] {
    /// Bytes of at most that number, which `write` writes.
    @inlinable @inline(__always)
    package init(atMost size: Int, _ write: (inout ByteWriter) -> Void) {
        self.init(unsafeUninitializedCapacity: Swift.max(size, 1)) { buffer, count in
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
    @usableFromInline let room: UnsafeMutableRawPointer
    /// How many bytes the room has.
    @usableFromInline let capacity: Int
    /// Where the next byte goes.
    @usableFromInline var offset: Int

    /// The same, for whoever writes over what stands there later.
    @inlinable package var position: Int { offset }

    @inlinable @inline(__always)
    init(_ room: UnsafeMutableRawBufferPointer, from offset: Int) {
        guard let base = room.baseAddress else { preconditionFailure("there is no room at all") }
        unsafe self.room = base
        capacity = room.count
        self.offset = offset
    }

    /// One byte.
    @inlinable @inline(__always)
    package mutating func byte(_ value: UInt8) {
        precondition(offset < capacity)
        unsafe room.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
        offset &+= 1
    }

    /// Two bytes.
    @inlinable @inline(__always)
    package mutating func pair(_ first: UInt8, _ second: UInt8) {
        precondition(capacity &- offset >= 2)
        let both = UInt16(first) | UInt16(second) &<< 8
        unsafe room.storeBytes(of: both.littleEndian, toByteOffset: offset, as: UInt16.self)
        offset &+= 2
    }

    /// Eight bytes, the lowest first.
    @inlinable @inline(__always)
    package mutating func word(_ value: UInt64) {
        precondition(capacity &- offset >= 8)
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

    /// A length over the `size` bytes at `position`, which were written before and are as many as it takes.
    @inlinable @inline(__always)
    package func varint(_ value: Int, at position: Int, size: Int) {
        precondition(position >= 0 && size > 0 && size <= 8 && position <= offset &- size)
        if size == 2 {
            let bytes = UInt16(truncatingIfNeeded: value & 0x7F | 0x80 | (value &>> 7) &<< 8)
            return unsafe room.storeBytes(of: bytes.littleEndian, toByteOffset: position, as: UInt16.self)
        }
        var rest = UInt64(truncatingIfNeeded: value)
        for index in position..<position &+ size &- 1 {
            unsafe room.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: index, as: UInt8.self)
            rest >>= 7
        }
        let last = position &+ size &- 1
        unsafe room.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: last, as: UInt8.self)
    }

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
        precondition(count >= 0 && count <= capacity &- offset)
        offset &+= count
    }

    @inlinable @inline(__always)
    mutating func copy(_ source: UnsafeRawBufferPointer) {
        precondition(source.count <= capacity &- offset)
        guard let start = source.baseAddress else { return }
        unsafe Self.copy(source.count, from: start, to: room + offset)
        offset &+= source.count
    }

    /// Most of what is copied is a few bytes, for which a call costs more than the copy.
    @inlinable @inline(__always)
    static func copy(_ count: Int, from start: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        if count > 32 {
            unsafe target.copyMemory(from: start, byteCount: count)
        } else if count >= 16 {
            let first = unsafe start.loadUnaligned(as: SIMD16<UInt8>.self)
            let last = unsafe start.loadUnaligned(fromByteOffset: count &- 16, as: SIMD16<UInt8>.self)
            unsafe target.storeBytes(of: first, as: SIMD16<UInt8>.self)
            unsafe target.storeBytes(of: last, toByteOffset: count &- 16, as: SIMD16<UInt8>.self)
        } else if count >= 8 {
            let first = unsafe start.loadUnaligned(as: UInt64.self)
            let last = unsafe start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            unsafe target.storeBytes(of: first, as: UInt64.self)
            unsafe target.storeBytes(of: last, toByteOffset: count &- 8, as: UInt64.self)
        } else if count >= 4 {
            let first = unsafe start.loadUnaligned(as: UInt32.self)
            let last = unsafe start.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
            unsafe target.storeBytes(of: first, as: UInt32.self)
            unsafe target.storeBytes(of: last, toByteOffset: count &- 4, as: UInt32.self)
        } else {
            for index in 0..<count {
                let byte = unsafe start.load(fromByteOffset: index, as: UInt8.self)
                unsafe target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
            }
        }
    }
}

/// The memory of a `ByteSink`, freed with its last owner.
@usableFromInline
final class ByteRoom: @unchecked Sendable {
    @usableFromInline let bytes: UnsafeMutableRawBufferPointer

    init(_ count: Int) {
        unsafe bytes = .allocate(byteCount: count, alignment: 16)
    }

    deinit {
        unsafe bytes.deallocate()
    }
}

/// Bytes of a request that stand somewhere in what is written about it, and are not copied before all is put together.
@usableFromInline
struct ByteQuote: BitwiseCopyable, Sendable {
    /// Where they belong in what is written; as many bytes are left out there.
    @usableFromInline var position: Int32
    /// Where they stand in the request.
    @usableFromInline let source: ShortRange

    @inlinable
    init(position: Int, source: Range<Int>) {
        self.position = Int32(truncatingIfNeeded: position)
        self.source = ShortRange(source)
    }
}

/// Bytes that grow at their end, with one check of the room for several steps.
///
/// A copy shares the memory; whoever may hold one calls `own` before it writes.
@usableFromInline
package struct ByteSink: Sendable {
    @usableFromInline var owner: ByteRoom?
    /// The memory of `owner`; its first `end` bytes are set, but for what was left out.
    @usableFromInline nonisolated(unsafe) var room = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    @usableFromInline var end = 0
    /// What was left out, in its order.
    @usableFromInline var quotes: [ByteQuote] = []

    package init() {}

    /// How many bytes were written.
    @inlinable package var count: Int { end }

    /// What was written; what was left out may be anything.
    package func withBytes<Result>(_ read: (RawSpan) -> Result) -> Result {
        let written = unsafe UnsafeRawBufferPointer(rebasing: room[0..<end])
        return unsafe read(written.bytes)
    }

    /// Makes sure that no copy shares the memory.
    @inlinable @inline(__always)
    package mutating func own() {
        if owner != nil, !isKnownUniquelyReferenced(&owner) { grow(0) }
    }

    /// Writes at most `size` bytes.
    ///
    /// Traps on more.
    @inlinable @inline(__always)
    package mutating func write(atMost size: Int, _ write: (inout ByteWriter) -> Void) {
        reserve(size)
        var writer = unsafe ByteWriter(room, from: end)
        write(&writer)
        end = writer.offset
    }

    /// Makes room for that many bytes more.
    @inlinable @inline(__always)
    package mutating func reserve(_ size: Int) {
        if room.count &- end <= size { grow(size) }
    }

    @usableFromInline @inline(never)
    mutating func grow(_ size: Int) {
        let larger = ByteRoom(max(end + max(size, 0) + 1, room.count * 2, 256))
        var writer = unsafe ByteWriter(larger.bytes, from: 0)
        unsafe writer.copy(UnsafeRawBufferPointer(rebasing: room[0..<end]))
        owner = larger
        unsafe room = larger.bytes
    }

    /// Forgets everything behind the first `count` bytes.
    package mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= end)
        end = count
        while let last = quotes.last, last.position >= count { quotes.removeLast() }
    }

    /// Writes a word over another one of the same size, the first of them between `start` and 32 bytes behind it.
    package mutating func replace(_ word: StaticString, with other: StaticString, from start: Int) {
        let size = word.utf8CodeUnitCount
        precondition(other.utf8CodeUnitCount == size && start >= 0)
        own()
        let position = withBytes { written in
            (start..<min(start + 32, written.byteCount)).first { offset in
                offset + size <= written.byteCount && written.equals(word, offset..<offset + size)
            }
        }
        guard let position else { return }
        var writer = unsafe ByteWriter(UnsafeMutableRawBufferPointer(rebasing: room[..<end]), from: position)
        writer.letters(other)
    }

    /// Writes the length of what stands behind `start` into the `size` bytes before it, moving what follows where the
    /// length takes another number of bytes.
    @inlinable @inline(__always)
    package mutating func close(_ start: Int, reserved size: Int) {
        let length = end &- start
        if size == 1, length >= 0, length < 0x80, start > 0 {
            unsafe room.storeBytes(of: UInt8(truncatingIfNeeded: length), toByteOffset: start &- 1, as: UInt8.self)
        } else if size == 2, length >= 0x80, length < 0x4000, start > 1 {
            let bytes = UInt16(truncatingIfNeeded: length & 0x7F | 0x80 | (length &>> 7) &<< 8)
            unsafe room.storeBytes(of: bytes.littleEndian, toByteOffset: start &- 2, as: UInt16.self)
        } else {
            closeLong(start, reserved: size)
        }
    }

    @usableFromInline @inline(never)
    mutating func closeLong(_ start: Int, reserved size: Int) {
        let length = end - start
        let needed = max(1, (70 - UInt64(truncatingIfNeeded: length).leadingZeroBitCount) / 7)
        let first = start - size
        precondition(first >= 0 && length >= 0)
        reserve(needed)
        let moved = end + needed - size
        if needed != size, let base = room.baseAddress {
            unsafe (base + first + needed).copyMemory(from: base + start, byteCount: length)
            for index in quotes.indices.reversed() {
                guard quotes[index].position >= start else { break }
                quotes[index].position += Int32(truncatingIfNeeded: needed - size)
            }
        }
        var writer = unsafe ByteWriter(room, from: first)
        writer.varint(length)
        end = moved
    }
}
