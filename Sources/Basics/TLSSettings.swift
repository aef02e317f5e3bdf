/// How a client trusts and identifies itself over TLS: the `tls` object of exporters, and of what connects to NATS.
package struct TLSSettings: Sendable, Hashable {
    /// Path of a PEM file with the authorities to trust; nil for the system's.
    package var ca: String?
    /// Path of a PEM file with the certificate to present, its chain behind it; nil for none.
    package var certificate: String?
    /// Path of a PEM file with the certificate's private key; nil where `certificate` holds it too.
    package var key: String?
    /// The name to ask for (SNI) and to verify; nil for the address's host.
    package var serverName: String?
    /// Whether the server's certificate and name are verified.
    package var verify = true
    /// SHA-256 of the public key that the server must show, as `sha256//` and base64; nil for any.
    ///
    /// No setting of a file; libcurl alone looks at it.
    package var publicKeyPin: String?

    package init() {}
}
