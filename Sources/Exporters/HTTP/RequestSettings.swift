package import Basics
package import HTTPClient
package import Settings

/// The requests and connections of an exporter that speaks HTTP.
package struct RequestSettings: Sendable {
    /// For one request, connecting included; a slower answer is a failure that is tried again.
    package var timeout: Duration
    /// Requests under way at once, at least 1.
    package var concurrency: Int
    package var compression: CompressionSetting
    /// Sent with every request; a forwarded header of the same name replaces one.
    package var headers: [Named<Secret>] = []
    /// Where access tokens come from; nil for none.
    package var oauth2: OAuth2Settings?
    /// What requests are signed with; nil for nothing.
    package var sigv4: SigV4Settings?
    package var connection = ConnectionSettings()

    package init(timeout: Duration = .seconds(30), concurrency: Int = 4, compression: CompressionSetting = .auto) {
        self.timeout = timeout
        self.concurrency = concurrency
        self.compression = compression
    }

    /// The settings in the pipeline file.
    static func fields<Whole>(at part: any WritableKeyPath<Whole, RequestSettings> & Sendable) -> [Field<Whole>] {
        let fields: [Field<RequestSettings>] = [
            Field("timeout", \.timeout, .pause, "For one request; a slower answer is a failure that is tried again."),
            Field("concurrency", \.concurrency, .integer(1...256), "Requests under way at once."),
            Field(
                "compression",
                \.compression,
                .choice(["gzip": .gzip, "zstd": .zstd, "none": .none, "auto": .auto]),
                "`auto` is `gzip`, but not to this machine, where it costs more than it saves."
            ),
            Field("headers", \.headers, .headers, "Sent with every request; their values are treated as secrets."),
            Field("oauth2", optional: \.oauth2, .group(.oauth2), "Where access tokens for the destination come from."),
            Field("sigv4", optional: \.sigv4, .group(.sigv4), "Keys of AWS that requests are signed with."),
            Field("tls", \.connection.tls, .group(.tls), "For `https`."),
            Field(
                "proxy",
                optional: \.connection.proxy,
                .proxy,
                "A proxy's URL, or an empty text for none; without it, what `http_proxy`, `HTTPS_PROXY` and `NO_PROXY` say."
            ),
        ]
        return fields.map { $0.at(part) }
    }

    /// Reports settings that would each give requests an `Authorization` header.
    static func checkAuthorization(_ group: Group, _ context: inout DecodeContext) {
        guard let chosen = ["oauth2", "sigv4"].first(where: { group[$0] != nil }) else { return }
        let header = group["headers"]?.members?.first { $0.name.lowercased() == "authorization" }
        let names = ["sigv4", "token", "username"].filter { $0 != chosen }
        let others =
            names.compactMap { name in group[name].map { (quoted(name), $0.offset) } }
            + (header.map { [("the header \(quoted($0.name))", $0.nameOffset)] } ?? [])
        for (what, offset) in others { context.report("\(quoted(chosen)) and \(what) exclude each other", at: offset) }
    }
}

extension Kind<HTTPEndpoint> {
    /// The address of an HTTP destination.
    static let endpoint = Kind.parsed(
        HTTPEndpoint.form,
        brief: "URL",
        schema: ["type": "string", "pattern": #"^[hH][tT][tT][pP][sS]?://[^/?#]|^unix:/|\$\{"#],
        parse: { HTTPEndpoint(text: $0) },
        format: { endpoint in endpoint.unixSocket.map { "unix:\($0)" } ?? endpoint.url }
    )
}

extension Kind<[Named<Secret>]> {
    /// Headers of requests: the values are secrets, and what the exporter sets itself is refused.
    fileprivate static let headers = map(.ownHeaderName, to: .secret)
}

extension Kind<String> {
    /// The name of a header that the user may set.
    fileprivate static let ownHeaderName = Kind.parsed(
        "the name of an HTTP header that the exporter does not set itself",
        brief: "header name",
        schema: ["type": "string", "minLength": .integer(1)],
        parse: { name in
            let own = [
                "content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "expect",
            ]
            return isHeaderName(name) && !own.contains(name.lowercased()) ? name : nil
        },
        format: { $0 }
    )

    /// A proxy's URL, or nothing.
    fileprivate static let proxy = Kind.parsed(
        #"a URL such as "http://proxy:3128" or "socks5h://proxy:1080", or "" for no proxy"#,
        brief: "URL or empty",
        schema: ["type": "string", "pattern": #"^$|^(https?|socks5h?)://.|\$\{"#],
        parse: { isProxy($0) ? $0 : nil },
        format: { $0 }
    )
}

private func isProxy(_ text: String) -> Bool {
    guard !text.isEmpty else { return true }
    guard let scheme = ["http", "https", "socks5", "socks5h"].first(where: { text.hasPrefix("\($0)://") }) else {
        return false
    }
    let authority = text.dropFirst(scheme.count + 3)
    let host = authority[(authority.lastIndex(of: "@").map { authority.index(after: $0) } ?? authority.startIndex)...]
    return !host.isEmpty && !text.utf8.contains { $0.isControl || $0 == UInt8(ascii: " ") }
}
