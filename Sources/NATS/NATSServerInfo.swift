import Basics

/// What a server says about itself (INFO).
struct NATSServerInfo: Sendable {
    /// What servers can be told to take, at most.
    private static let payloadLimit = 64 << 20

    /// Bytes of headers and payload of one message, at most.
    var payloadMax = 1_048_576
    /// Other servers of the cluster, `HOST:PORT` each.
    var servers: [NATSServer] = []
    var needsTLS = false
    var offersTLS = false
    /// What a client with a key has to sign; nil where none is asked for.
    var nonce: String?
    var hasHeaders = false
    var version = ""

    init() {}

    /// Nil where the text is no object of JSON.
    init?(_ text: [UInt8]) {
        guard let node = try? JSONNode(parsing: text), node.members != nil else { return nil }
        payloadMax = node["max_payload"]?.integer.flatMap { $0 > 0 ? min($0, Self.payloadLimit) : nil } ?? payloadMax
        servers = (node["connect_urls"]?.elements ?? []).compactMap { $0.string.flatMap { NATSServer(text: $0) } }
        needsTLS = node["tls_required"]?.bool ?? false
        offersTLS = node["tls_available"]?.bool ?? false
        nonce = node["nonce"]?.string
        hasHeaders = node["headers"]?.bool ?? false
        version = node["version"]?.string ?? ""
    }
}

/// Where a server of NATS listens.
package struct NATSServer: Sendable, Hashable {
    /// The form that `init(text:)` reads, for messages.
    package static let form =
        #"an address such as "nats://10.0.0.1:4222" or "tls://nats.example:4222", without user and path"#

    package let host: String
    package let port: Int
    /// Whether nothing but TLS will do.
    package private(set) var needsTLS: Bool

    /// Reads `nats://HOST:PORT`, `tls://HOST:PORT` or `HOST:PORT`; without a port it is 4222.
    package init?(text: String) {
        var rest = text[...]
        needsTLS = rest.hasPrefix("tls://")
        for scheme in ["nats://", "tls://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        let hasPort = rest.hasPrefix("[") ? !rest.hasSuffix("]") : rest.contains(":")
        guard !rest.contains("@"), !rest.contains("/"), !rest.contains(" "),
            case .tcp(let host, let port) = ListenAddress(text: hasPort ? String(rest) : "\(rest):4222"), port > 0
        else { return nil }
        self.host = host
        self.port = port
    }

    /// The same server, where nothing but TLS will do.
    var secured: NATSServer {
        var server = self
        server.needsTLS = true
        return server
    }
}

extension NATSServer: CustomStringConvertible {
    /// The form that `init(text:)` reads.
    package var description: String {
        "\(needsTLS ? "tls" : "nats")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
}
