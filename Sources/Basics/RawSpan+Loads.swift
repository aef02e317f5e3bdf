import CMachine

// The only file that reads memory without the compiler's bounds checks. Each load checks its own range first, so that a
// wrong offset traps instead of reading what is not ours. `RawSpan` has no safe loads before Swift 6.4 (SE-0525), and
// arrays take no bytes of a span in bulk. What writes memory stands in `ByteSink.swift`.

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
    package func uint32(at offset: Int) -> UInt32 {
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

    /// Whether the bytes of `range` are those of `otherRange` of `other`.
    ///
    /// Traps outside the spans.
    @inlinable @inline(__always)
    package func isSame(_ range: Range<Int>, as other: RawSpan, _ otherRange: Range<Int>) -> Bool {
        let count = range.count
        guard count == otherRange.count else { return false }
        let (left, right) = (range.lowerBound, otherRange.lowerBound)
        precondition(left >= 0 && left <= byteCount &- count && right >= 0 && right <= other.byteCount &- count)
        if count >= 16, count <= 32 {
            let first = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: left, as: SIMD2<UInt64>.self)
            let same = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: right, as: SIMD2<UInt64>.self)
            let tail = count &- 16
            let last = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: left &+ tail, as: SIMD2<UInt64>.self)
            let too = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: right &+ tail, as: SIMD2<UInt64>.self)
            let difference = (first ^ same) | (last ^ too)
            return difference.x | difference.y == 0
        }
        if count > 32, count <= 96 { return isSame(left, as: other, right, count) }
        var offset = 0
        while offset &+ 8 <= count {
            let word = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: left &+ offset, as: UInt64.self)
            let same = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: right &+ offset, as: UInt64.self)
            if word != same { return false }
            offset &+= 8
        }
        guard offset < count else { return true }
        if count >= 8 {
            offset = count &- 8
            let word = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: left &+ offset, as: UInt64.self)
            let same = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: right &+ offset, as: UInt64.self)
            return word == same
        }
        if count >= 4 {
            let tail = count &- 4
            let first = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: left, as: UInt32.self)
            let same = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: right, as: UInt32.self)
            let last = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: left &+ tail, as: UInt32.self)
            let too = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: right &+ tail, as: UInt32.self)
            return (first ^ same) | (last ^ too) == 0
        }
        while offset < count {
            let byte = unsafe unsafeLoad(fromUncheckedByteOffset: left &+ offset, as: UInt8.self)
            let same = unsafe other.unsafeLoad(fromUncheckedByteOffset: right &+ offset, as: UInt8.self)
            if byte != same { return false }
            offset &+= 1
        }
        return true
    }

    /// The same of 16 bytes or more.
    @inlinable @inline(__always)
    func isSame(_ left: Int, as other: RawSpan, _ right: Int, _ count: Int) -> Bool {
        precondition(count >= 16 && left >= 0 && left <= byteCount &- count)
        precondition(right >= 0 && right <= other.byteCount &- count)
        var difference = SIMD2<UInt64>(repeating: 0)
        var offset = 0
        let tail = count &- 16
        while offset < tail {
            let part = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: left &+ offset, as: SIMD2<UInt64>.self)
            let same = unsafe other.unsafeLoadUnaligned(
                fromUncheckedByteOffset: right &+ offset,
                as: SIMD2<UInt64>.self
            )
            difference |= part ^ same
            offset &+= 16
        }
        let last = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: left &+ tail, as: SIMD2<UInt64>.self)
        let same = unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: right &+ tail, as: SIMD2<UInt64>.self)
        difference |= last ^ same
        return difference.x | difference.y == 0
    }

    /// A number that different texts seldom share: made of their length and of 24 bytes, of a short one of all.
    ///
    /// Traps outside the span.
    @inlinable @inline(__always)
    package func fingerprint(_ range: Range<Int>) -> UInt64 {
        let (start, end) = (range.lowerBound, range.upperBound)
        precondition(start >= 0 && start <= end && end <= byteCount)
        let count = end &- start
        var sum = UInt64(truncatingIfNeeded: count)
        if count >= 8 {
            let middle = start &+ (count &- 8) >> 1
            let first = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt64.self)
            let second = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: middle, as: UInt64.self)
            let third = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: end &- 8, as: UInt64.self)
            sum &+= first &* 0x9E37_79B9_7F4A_7C15 &+ second &* 0xC2B2_AE3D_27D4_EB4F &+ third &* 0x1656_67B1_9E37_79F9
        } else {
            for offset in start..<end {
                sum = sum << 8 ^ UInt64(unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
            }
        }
        return (sum ^ sum >> 32) &* 0x9E37_79B9_7F4A_7C15
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
        case 8..<16:
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
        case 16...32:
            let first = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: SIMD2<UInt64>.self)
            let last = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: end &- 16, as: SIMD2<UInt64>.self)
            let both = first | last
            found = both.x | both.y
        default: return isLongASCII(start, end)
        }
        return found & 0x8080_8080_8080_8080 == 0
    }

    /// The same for bytes that are known to lie inside the span.
    @usableFromInline @inline(never)
    func isLongASCII(_ start: Int, _ end: Int) -> Bool {
        withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return true }
            return unsafe millrace_is_ascii(base + start, end &- start) != 0
        }
    }

    /// Where bytes end that JSON strings hold unescaped.
    @usableFromInline @inline(never)
    func endOfLongStringRun(from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && start <= end && end <= byteCount)
        return withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return end }
            return unsafe start &+ millrace_string_run(base + start, end &- start)
        }
    }
}

/// ASCII bytes that are looked for together, in one pass over a text.
package struct ByteMarks: Sendable {
    private let sets: [UInt8]

    /// - Parameters:
    ///   - singles: Bytes that are marked wherever they stand.
    ///   - firsts: Bytes that are marked where one of `seconds` follows.
    ///   - seconds: What follows.
    package init(_ singles: StaticString, _ firsts: StaticString, before seconds: StaticString) {
        sets = [singles, firsts, seconds].flatMap { set in
            var table = [UInt8](repeating: 0, count: 16)
            for byte in set.description.utf8 { table[Int(byte & 15)] |= 1 << (byte >> 4) }
            return table
        }
    }

    /// Parts of 64 bytes that are looked at together.
    package static let partsMax = 16

    /// Marks the bytes of `text` from `start` on, up to `end` or `partsMax` parts of 64 bytes.
    ///
    /// Of each part one bit for each byte is written into `found`, the first in the lowest: whether it is marked, or the first of several
    /// digits. Traps outside the span, and unless `found` has `partsMax` elements.
    ///
    /// - Returns: How many parts were looked at.
    package func find(in text: RawSpan, from start: Int, to end: Int, into found: inout [UInt64]) -> Int {
        precondition(start >= 0 && start <= end && end <= text.byteCount && sets.count == 48)
        precondition(found.count == Self.partsMax)
        let count = min(end &- start, 64 &* Self.partsMax)
        let follows = start &+ count < end
        sets.withUnsafeBufferPointer { sets in
            found.withUnsafeMutableBufferPointer { found in
                text.withUnsafeBytes { bytes in
                    guard let base = bytes.baseAddress, let table = sets.baseAddress, let first = found.baseAddress
                    else { return }
                    unsafe UnsafeRawPointer(table).withMemoryRebound(to: millrace_byte_sets.self, capacity: 1) {
                        table in
                        unsafe millrace_mark(table, base + start, count, follows ? 1 : 0, first)
                    }
                }
            }
        }
        return (count &+ 63) >> 6
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
