package import Basics

extension Shape<TLSSettings> {
    /// What a file says of it.
    package static let tls = Shape(
        "How a client trusts and identifies itself over TLS.",
        Settings(),
        [
            Field("ca", optional: \.ca, .text, "PEM file with the authorities to trust; without it, the system's."),
            Field("certificate", optional: \.certificate, .text, "PEM file with the certificate to present."),
            Field(
                "key",
                optional: \.key,
                .text,
                "PEM file with its private key, where `certificate` does not hold it."
            ),
            Field(
                "server_name",
                optional: \.serverName,
                .text,
                "Name to ask for and to verify; without it, the address's host."
            ),
            Field("verify", \.verify, .flag, "Whether the server's certificate is verified."),
        ]
    )
}
