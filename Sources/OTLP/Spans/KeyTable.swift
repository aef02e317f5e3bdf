import Basics

/// Known keys by their bytes: key to index, without building a string.
package struct KeyTable: Sendable {
    private var slots: [Int32]
    /// For each key where its UTF-8 ends in `letters`, and its hash.
    private var ends: [Int32] = []
    private var hashes: [UInt64] = []
    private var letters: [UInt8] = []
    private let mask: Int

    /// Builds a table in which each key has its index in `keys`; the first where one repeats.
    package init(_ keys: [String]) {
        var size = 16
        while size < keys.count * 4 { size *= 2 }
        mask = size - 1
        slots = [Int32](repeating: -1, count: size)
        for (index, key) in keys.enumerated() {
            let start = letters.count
            letters.append(contentsOf: key.utf8)
            ends.append(Int32(truncatingIfNeeded: letters.count))
            let hash = Self.hash(letters.span.bytes, start..<letters.count)
            hashes.append(hash)
            var slot = Int(truncatingIfNeeded: hash >> 32) & mask
            var isKnown = false
            while slots[slot] >= 0, !isKnown {
                isKnown = keys[Int(slots[slot])] == key
                slot = (slot + 1) & mask
            }
            if !isKnown { slots[slot] = Int32(truncatingIfNeeded: index) }
        }
    }

    /// How many keys the table was made of.
    package var count: Int { ends.count }

    /// The index of the key whose bytes stand in `range` of `text`.
    package func find(_ text: RawSpan, _ range: Range<Int>) -> Int? {
        let hash = Self.hash(text, range)
        var slot = Int(truncatingIfNeeded: hash >> 32) & mask
        while true {
            let index = Int(slots[slot])
            guard index >= 0 else { return nil }
            if hashes[index] == hash, isKey(index, text, range) { return index }
            slot = (slot &+ 1) & mask
        }
    }

    private func isKey(_ index: Int, _ text: RawSpan, _ range: Range<Int>) -> Bool {
        let start = index == 0 ? 0 : Int(ends[index - 1])
        guard Int(ends[index]) - start == range.count else { return false }
        let known = letters.span.bytes
        var offset = 0
        while offset &+ 8 <= range.count {
            guard known.word(at: start &+ offset) == text.word(at: range.lowerBound &+ offset) else { return false }
            offset &+= 8
        }
        while offset < range.count {
            guard known.byte(at: start &+ offset) == text.byte(at: range.lowerBound &+ offset) else { return false }
            offset &+= 1
        }
        return true
    }

    /// Mixes the length with the first and the last eight bytes and eight from the middle.
    private static func hash(_ text: RawSpan, _ range: Range<Int>) -> UInt64 {
        let count = range.count
        var hash = UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
        if count >= 8 {
            hash = mix(hash, text.word(at: range.lowerBound))
            hash = mix(hash, text.word(at: range.upperBound &- 8))
            hash = mix(hash, text.word(at: range.lowerBound &+ (count &- 8) / 2))
        } else {
            for offset in range { hash = mix(hash, UInt64(text.byte(at: offset))) }
        }
        return hash
    }

    @inline(__always)
    private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ word).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return product.high ^ product.low
    }
}
