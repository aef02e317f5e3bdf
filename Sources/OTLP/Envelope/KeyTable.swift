import Basics

/// Known keys by their bytes: key to index, without building a string.
package struct KeyTable: Sendable {
    /// What tells a key from others at a glance.
    private struct Sample: Equatable {
        /// The first eight bytes; all there are of a shorter key, the rest zero.
        var first: UInt64
        /// The last eight bytes; zero where there are fewer.
        var last: UInt64
        var count: Int

        @inline(__always)
        init(_ text: RawSpan, _ range: Range<Int>) {
            count = range.count
            if count >= 8 {
                first = text.word(at: range.lowerBound)
                last = text.word(at: range.upperBound &- 8)
            } else if range.lowerBound &+ 8 <= text.byteCount {
                let mask = 1 &<< UInt64(truncatingIfNeeded: count &* 8) &- 1
                first = text.word(at: range.lowerBound) & mask
                last = 0
            } else {
                first = 0
                last = 0
                for (index, offset) in range.enumerated() {
                    first |= UInt64(text.byte(at: offset)) &<< UInt64(truncatingIfNeeded: index &* 8)
                }
            }
        }

        @inline(__always) var hash: Int {
            let mixed =
                first &* 0x9E37_79B9_7F4A_7C15 ^ last &* 0xD6E8_FEB8_6659_FD93 &+ UInt64(truncatingIfNeeded: count)
            return Int(truncatingIfNeeded: (mixed ^ mixed >> 29) &* 0xBF58_476D_1CE4_E5B9 >> 32)
        }
    }

    private struct Slot {
        var sample: Sample
        /// Where the key stands in `letters`.
        var start: Int32
        /// The key's index; -1 in an empty slot.
        var index: Int32
    }

    private var slots: [Slot]
    private var letters: [UInt8] = []
    private let mask: Int
    /// How many keys the table was made of.
    package let count: Int

    /// Builds a table in which each key has its index in `keys`; the first where one repeats.
    package init(_ keys: [String]) {
        var size = 16
        while size < keys.count * 4 { size *= 2 }
        mask = size - 1
        count = keys.count
        let empty: [UInt8] = []
        let none = Slot(sample: Sample(empty.span.bytes, 0..<0), start: 0, index: -1)
        slots = [Slot](repeating: none, count: size)
        for (index, key) in keys.enumerated() {
            let utf8 = Array(key.utf8)
            let sample = Sample(utf8.span.bytes, 0..<utf8.count)
            guard find(utf8.span.bytes, 0..<utf8.count) == nil else { continue }
            var slot = sample.hash & mask
            while slots[slot].index >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Slot(
                sample: sample,
                start: Int32(truncatingIfNeeded: letters.count),
                index: Int32(truncatingIfNeeded: index)
            )
            letters.append(contentsOf: utf8)
        }
    }

    /// The index of the key whose bytes stand in `range` of `text`.
    package func find(_ text: RawSpan, _ range: Range<Int>) -> Int? {
        let sample = Sample(text, range)
        var index = sample.hash & mask
        while true {
            let slot = slots[index]
            guard slot.index >= 0 else { return nil }
            if slot.sample == sample, isSameInside(Int(slot.start), text, range) {
                return Int(slot.index)
            }
            index = (index &+ 1) & mask
        }
    }

    /// Compares what the samples of two keys of the same length leave out.
    @inline(__always)
    private func isSameInside(_ start: Int, _ text: RawSpan, _ range: Range<Int>) -> Bool {
        guard range.count > 16 else { return true }
        let known = letters.span.bytes
        var offset = 8
        while offset < range.count &- 8 {
            let step = min(offset, range.count &- 16)
            guard known.word(at: start &+ step) == text.word(at: range.lowerBound &+ step) else { return false }
            offset &+= 8
        }
        return true
    }
}
