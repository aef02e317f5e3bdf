package import Basics

/// How an exporter reaches its destination.
package struct ConnectionSettings: Sendable, Hashable {
    /// For `https` destinations.
    package var tls = TLSSettings()
    /// A proxy's URL, such as `http://proxy:3128`; empty for none at all, nil for what the environment says
    /// (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`).
    package var proxy: String?
    /// The path of a unix socket to connect to instead of the URL's host; nil for none.
    package var unixSocket: String?
    /// Whether nothing but HTTP/2 will do: without TLS it is spoken without asking (RFC 9113 section 3.3).
    package var needsHTTP2 = false
    /// For connecting and the TLS handshake; the request's own time-out counts too, whichever ends first.
    package var connectTimeout = Duration.seconds(10)
    /// Bytes of an answer's body, at most (protocol section 4.3.3: a client limits what it reads to 4 MiB).
    package var responseMax = ByteCount.mebibytes(4)

    package init() {}

    /// `user:password` of the proxy's URL, decoded; nil where it has none.
    package var proxyUser: String? {
        guard let proxy, let start = proxy.firstRange(of: "://")?.upperBound, let end = proxy.lastIndex(of: "@"),
            start < end
        else { return nil }
        return proxy[start..<end].percentDecoded
    }
}
