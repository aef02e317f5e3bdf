package import Settings

/// The `tls` object of a server: where its files lie.
package struct ServerTLSSettings: Sendable, Hashable {
    /// Path of a PEM file with the server's certificate, its chain behind it.
    package var certificate: String
    /// Path of a PEM file with the certificate's private key; nil where `certificate` holds it too.
    package var key: String?
    /// Path of a PEM file with the authorities one of which must have signed a client's certificate; nil to ask for none.
    package var clientCA: String?
    /// Between two looks at the files; a change that two looks in a row find is taken.
    package var reload = Duration.seconds(10)

    package init(certificate: String, key: String? = nil, clientCA: String? = nil) {
        self.certificate = certificate
        self.key = key
        self.clientCA = clientCA
    }
}

extension Shape<ServerTLSSettings> {
    /// The settings in the pipeline file.
    package static let serverTLS = Shape(
        "TLS of a server, 1.2 at least; files that change are read again without dropping a connection.",
        Settings(certificate: ""),
        [
            Field(
                "certificate",
                \.certificate,
                .text,
                "PEM file with the certificate, its chain behind it.",
                required: true
            ),
            Field(
                "key",
                optional: \.key,
                .text,
                "PEM file with its private key, not encrypted, where `certificate` does not hold it."
            ),
            Field(
                "client_ca",
                optional: \.clientCA,
                .text,
                "PEM file with authorities: clients must show a certificate that one of them has signed."
            ),
            Field(
                "reload",
                \.reload,
                .duration(.seconds(1) ... .seconds(24 * 3600)),
                "Time between two looks at the files. What two looks in a row find changed is taken, where it fits together."
            ),
        ]
    )
}
