package import Basics
package import Settings

/// What one client may use of a receiver (`limits`): a member or the name in a certificate, else a source address.
package struct LimitSettings: Sendable, Equatable {
    /// Connections open at once; nil for no limit.
    package var connections: Int?
    /// Bytes of bodies that are being read or wait for the journal; nil for no limit.
    package var bytesInFlight: ByteCount?
    /// Requests a second, over some time; nil for no limit.
    package var requestsPerSecond: Double?

    package init() {}
}

extension LimitSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "What one client may use at once: a member of `auth` or the name in a certificate, else an address, of IPv6 its first 64 bits; all of a unix socket are one. Over it a request is answered 429.",
        LimitSettings(),
        [
            Field(
                "connections",
                optional: \.connections,
                .integer(1...1_000_000),
                "Connections of one client open at once; a further one is answered 429 and closed. They count by address until their first request."
            ),
            Field(
                "bytes_in_flight",
                optional: \.bytesInFlight,
                .size(.kibibytes(1)...),
                "Bytes of one client's bodies that are being read or wait for the journal; a further request is answered 429 before its body is read. A request alone may have more, up to `max_body`."
            ),
            Field(
                "requests_per_second",
                optional: \.requestsPerSecond,
                .number(0.1...1_000_000),
                "Requests of one client a second. Those of five seconds may come at once; what is more is answered 429."
            ),
        ]
    )
}
