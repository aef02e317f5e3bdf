extension ListenAddress {
    /// Whether a request that names `host` in its `Host` header, or in its target, may be answered here.
    ///
    /// A web page reaches a server on loopback, or behind a firewall, by a name of its own that leads there; what the page's
    /// browser then sends names it. So on loopback only loopback's own names and addresses are accepted, besides `names`.
    /// Elsewhere, where there are `names`: those, addresses, and names of loopback; without `names`, everything. Nothing is
    /// refused on a unix socket, where browsers cannot connect.
    package func accepts(host: some StringProtocol, besides names: [String] = []) -> Bool {
        guard case .tcp(let own, _) = self else { return true }
        let isLoopback = Self.isLoopback(own)
        guard isLoopback || !names.isEmpty else { return true }
        if host.utf8.starts(with: own.utf8), Self.isPort(host.dropFirst(own.count)) { return true }
        guard let name = Self.name(in: host) else { return false }
        if Self.isLoopback(name) || name == own.lowercased() { return true }
        if !isLoopback && Self.isAddress(name) { return true }
        return names.contains { Self.name(in: $0) == name }
    }

    /// Whether only programs on this machine can connect here: on loopback, or by a file.
    package var isLocal: Bool {
        switch self {
        case .tcp(let host, _): Self.isLoopback(host)
        case .unix: true
        }
    }

    /// The name or address of `NAME`, `NAME:PORT` or `[IPV6]:PORT`, in lower case and without the dot of the root; nil for
    /// anything else.
    private static func name(in host: some StringProtocol) -> String? {
        var name = Substring(host)
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return nil }
            let rest = name[name.index(after: end)...]
            guard isPort(rest) else { return nil }
            return name[name.index(after: name.startIndex)..<end].lowercased()
        }
        if let colon = name.firstIndex(of: ":") {
            guard isPort(name[colon...]) else { return nil }
            name = name[..<colon]
        }
        if name.hasSuffix(".") { name = name.dropLast() }
        return name.isEmpty ? nil : name.lowercased()
    }

    /// Nothing, or a colon and digits.
    private static func isPort(_ text: some StringProtocol) -> Bool {
        text.isEmpty || text.utf8.first == UInt8(ascii: ":") && text.utf8.dropFirst().allSatisfy { $0.isDigit }
    }

    /// Of a name in lower case: the names of RFC 6761 section 6.3, 127.0.0.0/8 and ::1.
    private static func isLoopback(_ name: String) -> Bool {
        let name = name.lowercased()
        if name == "localhost" || name.hasSuffix(".localhost") || name == "::1" { return true }
        if let mapped = name.rest(after: "::ffff:") { return isLoopback4(mapped) }
        return isLoopback4(name[...])
    }

    private static func isLoopback4(_ name: Substring) -> Bool { isIPv4(name) && name.hasPrefix("127.") }

    private static func isAddress(_ name: String) -> Bool { name.contains(":") || isIPv4(name[...]) }

    private static func isIPv4(_ name: Substring) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { $0.utf8.count <= 3 && $0.utf8.allSatisfy(\.isDigit) && UInt8($0) != nil }
    }
}

extension String {
    /// What follows a prefix; nil where the text has another.
    fileprivate func rest(after prefix: String) -> Substring? {
        hasPrefix(prefix) ? dropFirst(prefix.count) : nil
    }
}
