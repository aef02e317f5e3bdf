import Basics
import Settings

/// The `oauth2` object of an exporter: the client credentials grant (RFC 6749 section 4.4).
package struct OAuth2Settings: SecretHolder {
    /// How long one request for a token may take.
    static let timeout = Duration.seconds(15)

    /// An `https` URL, or an `http` one of this machine.
    var tokenEndpoint = ""
    var clientID = ""
    var clientSecret = Secret("")
    /// Separated by spaces; nil for what the server gives by default.
    var scope: String?

    func read() -> OAuth2Settings {
        var read = self
        read.clientSecret = clientSecret.read()
        return read
    }

    /// The request for a token, the client authenticated by HTTP Basic (section 2.3.1).
    var request: HTTPRequest {
        let scope = scope.map { "&scope=\($0.percentEncoded)" } ?? ""
        return HTTPRequest(
            method: "POST",
            url: tokenEndpoint,
            headers: [
                HTTPHeader("Authorization", "Basic \(basic)"), HTTPHeader("Accept", "application/json"),
                HTTPHeader("Content-Type", "application/x-www-form-urlencoded"),
            ],
            body: Array("grant_type=client_credentials\(scope)".utf8),
            timeout: Self.timeout
        )
    }

    /// What no answer may bring into logs.
    var hidden: [String] { [clientSecret.text, clientSecret.text.percentEncoded, basic] }

    private var basic: String {
        Array("\(clientID.percentEncoded):\(clientSecret.text.percentEncoded)".utf8).base64
    }
}

extension Shape<OAuth2Settings> {
    static let oauth2 = Shape(
        "Access tokens for a destination, by the client credentials grant of OAuth 2.0.",
        Settings(),
        [
            Field(
                "token_endpoint",
                \.tokenEndpoint,
                .tokenEndpoint,
                "Where tokens are asked for; verified by `ca` of `tls`, else by the system's authorities.",
                required: true
            ),
            Field("client_id", \.clientID, .text, "Who asks.", required: true),
            Field("client_secret", \.clientSecret, .secret, "Sent by HTTP Basic authentication.", required: true),
            Field("scope", optional: \.scope, .text, "Scopes to ask for, separated by spaces."),
        ]
    )
}

extension Kind<String> {
    /// A URL that the client secret may be sent to.
    fileprivate static let tokenEndpoint = Kind.parsed(
        #"an "https" URL, or an "http" URL of this machine, without user and fragment"#,
        brief: "URL",
        schema: ["type": "string", "pattern": #"^[hH][tT][tT][pP][sS]?://[^/?#]|\$\{"#],
        parse: { text in
            guard let endpoint = HTTPEndpoint(text: String(text.prefix { $0 != "?" })), endpoint.unixSocket == nil,
                endpoint.isLoopback || text.lowercased().hasPrefix("https://"),
                text.utf8.allSatisfy({ $0 > UInt8(ascii: " ") && $0 != UInt8(ascii: "#") && $0 != 0x7F })
            else { return nil }
            return text
        },
        format: { $0 }
    )
}
