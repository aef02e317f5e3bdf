// How metadata is written: numbers as LEB128, texts and bytes behind their length.

extension [UInt8] {
    mutating func append(leb128 value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    mutating func append(counted bytes: some Collection<UInt8>) {
        append(leb128: UInt64(bytes.count))
        append(contentsOf: bytes)
    }

    mutating func append(text: String) {
        append(counted: text.utf8)
    }
}

extension ArraySlice<UInt8> {
    /// Nil where the number is cut short or over 64 bits.
    mutating func popLEB128() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            guard let byte = popFirst(), shift < 63 || byte <= 1 else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    mutating func popCount() -> Int? { popLEB128().flatMap(Int.init(exactly:)) }

    mutating func popCounted() -> ArraySlice<UInt8>? {
        guard let length = popCount(), length <= count else { return nil }
        defer { removeFirst(length) }
        return prefix(length)
    }

    /// Nil also where the bytes are not UTF-8.
    mutating func popText() -> String? {
        popCounted().flatMap { String(validating: $0, as: UTF8.self) }
    }
}
