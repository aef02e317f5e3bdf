/// The names that a server answers to: what its addresses accept in a `Host` header.
///
/// It remembers the name it accepted last, because most clients always send the same. One thread at a time.
package struct AcceptedHosts {
    private let addresses: [ListenAddress]
    private let names: [String]
    private var last: String?

    /// - Parameters:
    ///   - addresses: Where the server listens.
    ///   - names: What is accepted besides; see `ListenAddress.accepts(host:besides:)`.
    package init(at addresses: [ListenAddress], besides names: [String] = []) {
        self.addresses = addresses
        self.names = names
    }

    /// Whether a request that names this host may be answered.
    package mutating func accept(_ host: String) -> Bool {
        if host == last { return true }
        guard addresses.contains(where: { $0.accepts(host: host, besides: names) }) else { return false }
        last = host
        return true
    }
}
