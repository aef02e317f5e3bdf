package import Basics
package import Pipeline

// Two receivers with one address share its listener: that of HTTP listens, and its connections carry the calls of that of gRPC.

extension OTLPReceiver {
    /// Lets receivers that have one address share its listener; before they are started.
    package static func shareListeners(among receivers: [any Receiver]) {
        let receivers = receivers.compactMap { $0 as? OTLPReceiver }
        for host in receivers where host.takesGuest {
            if let guest = receivers.first(where: { !$0.takesGuest && $0.address.isPlace(of: host.address) }) {
                host.take(guest)
            }
        }
    }
}

extension ListenAddress {
    /// Whether servers with these addresses would listen at the same place: with port 0 each gets one of its own.
    package func isPlace(of other: ListenAddress) -> Bool {
        if case .tcp(_, 0) = self { return false }
        return self == other
    }
}

extension ReceptionSettings {
    /// Names of the settings that the connections of a shared listener have in common, and that differ.
    func connectionDifferences(from other: ReceptionSettings) -> [String] {
        let pairs: [(String, Bool)] = [
            ("tls", tls == other.tls), ("auth", auth == other.auth), ("limits", limits == other.limits),
            ("proxy_protocol", proxyProtocol == other.proxyProtocol),
            ("max_connections", maxConnections == other.maxConnections),
            ("header_timeout", headerTimeout == other.headerTimeout),
            ("idle_timeout", idleTimeout == other.idleTimeout), ("max_streams", maxStreams == other.maxStreams),
            ("keepalive", keepalive == other.keepalive), ("max_age", maxAge == other.maxAge),
        ]
        return pairs.compactMap { $0.1 ? nil : $0.0 }
    }
}

extension OTLPReceiverSettings {
    /// Names of the settings that keep it from sharing a listener with another receiver; nil where the two speak the same, or one of
    /// them shares with nobody.
    package func differences(from other: any ReceiverSettings) -> [String]? {
        guard let other = other as? any OTLPReceiverSettings, type(of: other) != Self.self else { return nil }
        return common.connectionDifferences(from: other.common)
    }
}
