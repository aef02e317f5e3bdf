import Basics

extension [UInt8] {
    /// Appends a varint in its shortest form.
    @inline(__always)
    package mutating func appendVarint(_ value: UInt64) {
        guard value >= 0x80 else { return append(UInt8(truncatingIfNeeded: value)) }
        appendLongVarint(value)
    }

    @inline(never)
    private mutating func appendLongVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// Appends a length or a tag.
    @inline(__always)
    package mutating func appendVarint(_ value: Int) { appendVarint(UInt64(truncatingIfNeeded: value)) }

    /// Appends eight bytes, the lowest first.
    package mutating func appendFixed64(_ value: UInt64) { append(word: value) }

    /// Appends four bytes, the lowest first.
    package mutating func appendFixed32(_ value: UInt32) {
        for shift in stride(from: 0, to: 32, by: 8) { append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
    }

    /// Leaves room for a length that is not known yet.
    ///
    /// - Returns: What `closeLength` wants.
    mutating func openLength(reserving size: Int = 1) -> Int {
        for _ in 0..<size { append(0) }
        return count
    }

    /// Writes the length of what was appended since `openLength`, moving that where the room does not fit.
    mutating func closeLength(_ start: Int, reserved size: Int = 1) {
        let length = count - start
        let needed = varintSize(length)
        if needed > size {
            insert(contentsOf: repeatElement(0, count: needed - size), at: start)
        } else if needed < size {
            removeSubrange(start - size + needed..<start)
        }
        let first = start - size
        var rest = UInt64(truncatingIfNeeded: length)
        for index in first..<first + needed - 1 {
            self[index] = UInt8(truncatingIfNeeded: rest) | 0x80
            rest >>= 7
        }
        self[first + needed - 1] = UInt8(truncatingIfNeeded: rest)
    }
}

/// How many bytes a varint takes in its shortest form.
@inlinable @inline(__always)
package func varintSize(_ value: Int) -> Int {
    let bits = 64 &- (UInt64(truncatingIfNeeded: value) | 1).leadingZeroBitCount
    return (bits &* 9 &+ 64) >> 6
}

extension RawSpan {
    /// Whether the bytes of `range` are well-formed UTF-8.
    @inline(__always)
    func isText(_ range: Range<Int>) -> Bool { isASCII(range) || isValidUTF8(range) }

    @inline(never)
    private func isValidUTF8(_ range: Range<Int>) -> Bool { extracting(range).isValidUTF8 }
}
