import Basics

/// How an exporter reaches its destination.
package struct ConnectionSettings: Sendable, Hashable {
    /// How long connecting and the TLS handshake may take by default.
    package static let defaultConnectTimeout = Duration.seconds(10)

    /// For `https` destinations.
    package var tls: TLSSettings
    /// A proxy's URL, such as `http://proxy:3128`; empty for none at all, nil for what the environment says
    /// (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`).
    package var proxy: String?
    /// The path of a unix socket to connect to instead of the URL's host; nil for none.
    package var unixSocket: String?
    /// For connecting and the TLS handshake; the request's own time-out counts too, whichever ends first.
    package var connectTimeout: Duration

    package init(
        tls: TLSSettings = TLSSettings(),
        proxy: String? = nil,
        unixSocket: String? = nil,
        connectTimeout: Duration = Self.defaultConnectTimeout
    ) {
        self.tls = tls
        self.proxy = proxy
        self.unixSocket = unixSocket
        self.connectTimeout = connectTimeout
    }
}

/// The `tls` object of an exporter.
package struct TLSSettings: Sendable, Hashable {
    /// Path of a PEM file with the authorities to trust; nil for the system's.
    package var ca: String?
    /// Path of a PEM file with the certificate to present, its chain behind it; nil for none.
    package var certificate: String?
    /// Path of a PEM file with the certificate's private key; nil where `certificate` holds it too.
    package var key: String?
    /// The name to ask for (SNI) and to verify; nil for the URL's host.
    package var serverName: String?
    /// Whether the server's certificate and name are verified.
    ///
    /// On by default.
    package var verify: Bool

    package init(
        ca: String? = nil,
        certificate: String? = nil,
        key: String? = nil,
        serverName: String? = nil,
        verify: Bool = true
    ) {
        self.ca = ca
        self.certificate = certificate
        self.key = key
        self.serverName = serverName
        self.verify = verify
    }
}
