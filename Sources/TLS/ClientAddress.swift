package import Basics
package import NIOCore
package import Pipeline

/// Who is at the other end of a connection.
///
/// Where a load balancer says so, it goes through the pipeline as an inbound event before anything that the client sends.
package struct ClientAddress: Hashable, Sendable {
    /// Nil on a unix socket.
    package let ip: IPAddress?

    package init(ip: IPAddress?) {
        self.ip = ip
    }

    /// Of whom the connection itself is from.
    package init(_ address: SocketAddress?) {
        // Linux lays out a sockaddr_in as family, port and address, and a sockaddr_in6 with flow information between.
        switch address {
        case .v4(let peer): ip = IPAddress(networkBytes: withUnsafeBytes(of: peer.address) { Array($0[4..<8]) })
        case .v6(let peer): ip = IPAddress(networkBytes: withUnsafeBytes(of: peer.address) { Array($0[8..<24]) })
        case .unixDomainSocket, nil: ip = nil
        }
    }

    /// As coarse as clients are told apart by.
    package var source: SourceAddress { SourceAddress(ip) }
}

extension ClientAddress: CustomStringConvertible {
    /// For logs.
    package var description: String { ip.map { "\($0)" } ?? "unix socket" }
}
