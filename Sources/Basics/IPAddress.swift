import Glibc

/// An IP address; an IPv4 address inside an IPv6 one (::ffff:0:0/96) is the same as by itself.
package struct IPAddress: Hashable, Sendable {
    /// The first 64 bits, as of IPv6.
    package let high: UInt64
    /// The last 64 bits, as of IPv6.
    package let low: UInt64

    private static let mappedPrefix: UInt64 = 0xFFFF

    /// - Parameter bytes: In network order, 4 of IPv4 or 16 of IPv6; nil for any other number.
    package init?(networkBytes bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        let start: UInt64 = bytes.count == 4 ? Self.mappedPrefix : 0
        high = bytes.prefix(max(0, bytes.count - 8)).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.suffix(8).reduce(start) { $0 << 8 | UInt64($1) }
    }

    /// Reads an address without brackets, port and zone; nil for anything else.
    package init?(text: some StringProtocol) {
        guard !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, String(text), &bytes) == 1 {
            self.init(networkBytes: bytes.prefix(4))
        } else if inet_pton(AF_INET6, String(text), &bytes) == 1 {
            self.init(networkBytes: bytes)
        } else {
            return nil
        }
    }

    package var isIPv4: Bool { high == 0 && low >> 32 == Self.mappedPrefix }

    /// In network order, 4 of IPv4 or 16 of IPv6.
    package var networkBytes: [UInt8] {
        let bytes = [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
        }
        return isIPv4 ? Array(bytes.suffix(4)) : bytes
    }
}

extension IPAddress: CustomStringConvertible {
    /// The form that `init(text:)` reads.
    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        var bytes = networkBytes
        let isWritten = inet_ntop(isIPv4 ? AF_INET : AF_INET6, &bytes, &text, socklen_t(text.count)) != nil
        return isWritten ? String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
    }
}

/// Clients by where they connect from: those of one network, or of unix sockets.
package enum AddressRange: Hashable, Sendable {
    /// Addresses whose first `bits` are those of `address`, counted as in IPv6: of IPv4 at least 96.
    case network(IPAddress, bits: Int)
    case unix

    /// The forms that `init(text:)` reads, for messages.
    package static let form =
        #"an address or a network, such as "10.0.3.7", "10.0.0.0/8", "fd00::/8", or "unix" for those of a unix socket"#

    /// Reads an address, or one with the number of bits that count, where the others are zero; nil for anything else.
    package init?(text: String) {
        if text == "unix" {
            self = .unix
            return
        }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(text: first) else { return nil }
        // What is written as IPv6 is counted as IPv6.
        let offset = first.utf8.contains(UInt8(ascii: ":")) ? 0 : 96
        var bits = 128
        if parts.count > 1 {
            guard parts[1].utf8.allSatisfy(\.isDigit), let written = Int(parts[1]), written <= 128 - offset else {
                return nil
            }
            bits = offset + written
        }
        let masks = Self.masks(bits)
        guard address.high & ~masks.high == 0, address.low & ~masks.low == 0 else { return nil }
        self = .network(address, bits: bits)
    }

    /// Whether somebody with this address is one of them; nil for somebody on a unix socket.
    package func contains(_ address: IPAddress?) -> Bool {
        switch (self, address) {
        case (.unix, nil): return true
        case (.network(let own, let bits), let address?):
            let masks = Self.masks(bits)
            return (address.high ^ own.high) & masks.high == 0 && (address.low ^ own.low) & masks.low == 0
        default: return false
        }
    }

    private static func masks(_ bits: Int) -> (high: UInt64, low: UInt64) {
        // A shift by 64 and more gives zero.
        (.max << UInt64(max(0, 64 - bits)), .max << UInt64(min(64, 128 - bits)))
    }
}

extension AddressRange: CustomStringConvertible {
    /// The form that `init(text:)` reads.
    package var description: String {
        switch self {
        case .unix: "unix"
        case .network(let address, 128): "\(address)"
        case .network(let address, let bits):
            // A short prefix of zeros takes in all of IPv4 and more.
            address.isIPv4 && bits >= 96 ? "\(address)/\(bits - 96)" : "\(address)/\(bits)"
        }
    }
}
