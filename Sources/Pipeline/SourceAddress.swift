package import Basics

/// The network address that a request came from, as coarse as one client can be told from another: an IPv4 address, or the
/// 64 bits of an IPv6 address that are given to one network, since a client may choose the rest freely.
package struct SourceAddress: Hashable, Sendable {
    /// An IPv4 address in the lower half, or the network part of an IPv6 address.
    package let bits: UInt64

    /// This machine over IPv6 or a unix socket, and whatever came from a source that is not known.
    package static let unknown = SourceAddress(bits: 0)

    package init(bits: UInt64) {
        self.bits = bits
    }

    /// Of an address; unknown for nil.
    package init(_ address: IPAddress?) {
        bits = address.map { $0.isIPv4 ? $0.low & 0xFFFF_FFFF : $0.high } ?? 0
    }
}

extension SourceAddress: CustomStringConvertible {
    /// For logs: the IPv4 address, or the network of the IPv6 address.
    package var description: String {
        if self == .unknown { return "unknown" }
        let groups = (0..<4).map { bits >> UInt64(48 - $0 * 16) & 0xFFFF }
        guard groups[0] == 0, groups[1] == 0 else {
            return groups.map { String($0, radix: 16) }.joined(separator: ":") + "::/64"
        }
        return (0..<4).map { String(bits >> UInt64(24 - $0 * 8) & 0xFF) }.joined(separator: ".")
    }
}

/// Who sent something, for sharing what there is: by name where authentication gave one, else by address.
package enum Sender: Sendable {
    case identity(String)
    case address(SourceAddress)
}

/// Names are compared byte for byte.
extension Sender: Hashable {
    private var key: (name: ExactText?, address: SourceAddress) {
        switch self {
        case .identity(let name): (ExactText(name), .unknown)
        case .address(let address): (nil, address)
        }
    }

    package static func == (lhs: Sender, rhs: Sender) -> Bool { lhs.key == rhs.key }

    package func hash(into hasher: inout Hasher) {
        let (name, address) = key
        hasher.combine(name)
        hasher.combine(address)
    }
}
