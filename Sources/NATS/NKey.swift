import Basics
import COpenSSL

/// A user's key of NATS: Ed25519, written in base32 with a checksum.
struct NKey: Sendable {
    /// The 32 bytes that the key is made of.
    private let seed: [UInt8]
    /// What tells who it is for: 0xA0 for a user.
    private let kind: UInt8

    /// The kind of a seed in its first five bits.
    private static let seedKind: UInt8 = 18 << 3

    /// Reads a seed such as `SUAM…`; nil where it has another form or its checksum is wrong.
    init?(seed text: String) {
        guard text.utf8.count == 58, let bytes = Base32.decode(text), bytes.count == 36,
            bytes[0] & 0xF8 == Self.seedKind,
            UInt16(bytes[34]) | UInt16(bytes[35]) << 8 == Self.checksum(bytes[..<34])
        else { return nil }
        kind = bytes[0] << 5 | bytes[1] >> 3
        seed = Array(bytes[2..<34])
    }

    /// The signature of a text, and the public key as NATS writes it; nil where there is no memory for them.
    func sign(_ text: String) -> (signature: [UInt8], publicKey: String)? {
        var signature = [UInt8](repeating: 0, count: 64)
        var publicKey = [UInt8](repeating: 0, count: 32)
        let bytes = Array(text.utf8)
        guard unsafe millrace_ed25519_sign(seed, bytes, bytes.count, &signature, &publicKey) == 1 else { return nil }
        var written = [kind] + publicKey
        let sum = Self.checksum(written[...])
        written += [UInt8(truncatingIfNeeded: sum), UInt8(truncatingIfNeeded: sum >> 8)]
        return (signature, Base32.encode(written))
    }

    /// CRC-16 with the polynomial 0x1021, as XMODEM has it.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        var sum: UInt16 = 0
        for byte in bytes {
            sum ^= UInt16(byte) << 8
            for _ in 0..<8 { sum = sum & 0x8000 != 0 ? sum << 1 ^ 0x1021 : sum << 1 }
        }
        return sum
    }
}

/// Base32 (RFC 4648 section 6) without padding.
enum Base32 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var (bits, count): (UInt32, Int) = (0, 0)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                text.append(alphabet[Int(bits >> UInt32(count) & 31)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(5 - count) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for anything but letters of the alphabet.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var (bits, count): (UInt32, Int) = (0, 0)
        for letter in text.utf8 {
            guard let value = alphabet.firstIndex(of: letter) else { return nil }
            bits = bits << 5 | UInt32(value)
            count += 5
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
        return bytes
    }
}
