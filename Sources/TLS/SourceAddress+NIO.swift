package import NIOCore
package import Pipeline

extension SourceAddress {
    /// The address of a connection's other end.
    package init(_ address: SocketAddress?) {
        // Linux lays out a sockaddr_in as family, port and address, and a sockaddr_in6 with flow information between.
        switch address {
        case .v4(let peer): self.init(networkBytes: withUnsafeBytes(of: peer.address) { Array($0[4..<8]) })
        case .v6(let peer): self.init(networkBytes: withUnsafeBytes(of: peer.address) { Array($0[8..<24]) })
        case .unixDomainSocket, nil: self = .unknown
        }
    }
}
