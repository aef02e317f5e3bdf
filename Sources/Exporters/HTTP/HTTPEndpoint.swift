package import Basics

/// The address of an HTTP destination, as written in the pipeline file.
package struct HTTPEndpoint: Sendable, Hashable {
    /// The form that `init(text:)` reads, for messages.
    package static let form =
        #"an address such as "http://127.0.0.1:5000", "https://host/base" or "unix:/run/name.sock", "#
        + "without user, query or fragment"

    /// Absolute, without a slash at its end.
    package let url: String
    /// The path of the unix socket to connect to; nil where the URL names host and port.
    package let unixSocket: String?

    /// Stands for an address until one is read.
    static let placeholder = HTTPEndpoint(url: "http://localhost", unixSocket: nil)

    private init(url: String, unixSocket: String?) {
        self.url = url
        self.unixSocket = unixSocket
    }

    /// Reads an address; nil where it has not the form that `form` describes.
    package init?(text: String) {
        if text.hasPrefix("unix:/") {
            url = "http://localhost"
            unixSocket = String(text.dropFirst("unix:".count))
            return
        }
        guard let authority = Self.authority(of: text), Self.isPlain(authority),
            !text.utf8.contains(where: { $0 <= UInt8(ascii: " ") || $0 == 0x7F || $0 == UInt8(ascii: "?") }),
            !text.utf8.contains(UInt8(ascii: "#"))
        else { return nil }
        var address = Substring(text)
        while address.hasSuffix("/") { address.removeLast() }
        url = String(address)
        unixSocket = nil
    }

    /// The address with `path` (which starts with a slash) behind it.
    package func url(path: String) -> String { url + path }

    /// Whether the address has more than a host and a port.
    package var hasPath: Bool { url.split(separator: "/", omittingEmptySubsequences: false).count > 3 }

    /// Whether the destination is this machine: a unix socket, `localhost`, 127.0.0.0/8 or ::1.
    package var isLoopback: Bool {
        guard unixSocket == nil else { return true }
        guard let authority = Self.authority(of: url) else { return false }
        if authority.hasPrefix("[") { return authority.hasPrefix("[::1]") }
        let host = authority.prefix { $0 != ":" }
        return host.lowercased() == "localhost" || Self.isLoopback4(host)
    }

    /// Whether it is an address, and not a name that begins like one.
    private static func isLoopback4(_ host: Substring) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return parts.count == 4 && parts[0] == 127 && !parts.contains(nil)
    }

    /// Whether requests to it come to a server that listens there; false where that takes a resolver to tell.
    package func leads(to address: ListenAddress) -> Bool {
        switch address {
        case .unix(let path): return unixSocket == path
        case .tcp(let host, let port):
            guard unixSocket == nil, let own = hostAndPort, own.port == port else { return false }
            let host = host.lowercased()
            if own.host == host { return true }
            guard isLoopback else { return false }
            return host == "localhost" || host == "0.0.0.0" || host == "::"
                || own.host == "localhost" && address.isLocal
        }
    }

    /// The host in lower case and without brackets, and the port, by default that of the scheme.
    private var hostAndPort: (host: String, port: Int)? {
        guard let authority = Self.authority(of: url) else { return nil }
        let host =
            authority.hasPrefix("[") ? authority.dropFirst().prefix { $0 != "]" } : authority.prefix { $0 != ":" }
        let digits = authority.dropFirst(host.count + (authority.hasPrefix("[") ? 2 : 0)).dropFirst()
        let usual = url.lowercased().hasPrefix("https:") ? 443 : 80
        return (host.lowercased(), Int(digits) ?? usual)
    }

    private static func authority(of text: String) -> Substring? {
        for scheme in ["http://", "https://"] where text.lowercased().hasPrefix(scheme) {
            return text.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        }
        return nil
    }

    /// Whether it is a host with perhaps a port, without user and password.
    private static func isPlain(_ authority: Substring) -> Bool {
        guard !authority.isEmpty, !authority.contains("@") else { return false }
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return false }
            return isPort(authority[authority.index(after: end)...])
        }
        guard let colon = authority.firstIndex(of: ":") else { return true }
        return colon > authority.startIndex && isPort(authority[colon...])
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.isEmpty || text.first == ":" && UInt16(text.dropFirst()).map { $0 > 0 } == true
    }
}
