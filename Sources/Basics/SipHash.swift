/// SipHash-2-4: a keyed hash of 64 bits that is the same in every process that has the key.
///
/// Who does not know the key cannot make two messages look alike.
package struct SipHash: Sendable {
    private let key: (UInt64, UInt64)

    /// - Parameter key: Two random words.
    package init(key: (UInt64, UInt64)) { self.key = key }

    /// The hash of some words and the bytes behind them.
    package func hash(_ words: [UInt64], _ bytes: some Collection<UInt8> = EmptyCollection<UInt8>()) -> UInt64 {
        var state = State(key)
        for word in words { state.compress(word) }
        var (word, shift): (UInt64, UInt64) = (0, 0)
        for byte in bytes {
            word |= UInt64(byte) << shift
            shift += 8
            if shift == 64 {
                state.compress(word)
                (word, shift) = (0, 0)
            }
        }
        let length = UInt64(truncatingIfNeeded: words.count * 8 + bytes.count)
        state.compress(word | length << 56)
        return state.finish()
    }

    private struct State {
        private var (v0, v1, v2, v3): (UInt64, UInt64, UInt64, UInt64)

        init(_ key: (UInt64, UInt64)) {
            v0 = key.0 ^ 0x736F_6D65_7073_6575
            v1 = key.1 ^ 0x646F_7261_6E64_6F6D
            v2 = key.0 ^ 0x6C79_6765_6E65_7261
            v3 = key.1 ^ 0x7465_6462_7974_6573
        }

        mutating func compress(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }

        mutating func finish() -> UInt64 {
            v2 ^= 0xFF
            for _ in 0..<4 { round() }
            return v0 ^ v1 ^ v2 ^ v3
        }

        private mutating func round() {
            v0 &+= v1
            v1 = Self.rotated(v1, 13) ^ v0
            v0 = Self.rotated(v0, 32)
            v2 &+= v3
            v3 = Self.rotated(v3, 16) ^ v2
            v0 &+= v3
            v3 = Self.rotated(v3, 21) ^ v0
            v2 &+= v1
            v1 = Self.rotated(v1, 17) ^ v2
            v2 = Self.rotated(v2, 32)
        }

        private static func rotated(_ word: UInt64, _ by: UInt64) -> UInt64 { word << by | word >> (64 - by) }
    }
}
