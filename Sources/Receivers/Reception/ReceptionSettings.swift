package import Basics
import Pipeline
import Settings
package import TLS

/// The settings that all receivers of OTLP have, whatever they speak; checked.
package struct ReceptionSettings: Sendable {
    /// Where it listens.
    package var listen: ListenAddress
    /// Nil for plaintext.
    package var tls: ServerTLSSettings?
    /// The longest body, before and after decompression.
    ///
    /// The memory limit of all receivers bounds it too.
    package var maxBody = ByteCount.mebibytes(64)
    /// Connections at once; a further one takes the place of an idle one, or is told to come later.
    package var maxConnections = 4096
    /// From the first byte of a connection, or of a later request, to the end of the head.
    ///
    /// A TLS handshake has as long.
    package var headerTimeout = Duration.seconds(10)
    /// From the end of the head to the end of the body.
    package var bodyTimeout = Duration.seconds(30)
    /// Without a request; then the connection is closed.
    package var idleTimeout = Duration.seconds(120)
    /// Requests of one HTTP/2 connection that are open at once; a client keeps further ones back.
    package var maxStreams = 100
    /// Between two pings of an HTTP/2 connection on which nothing comes; nil for none.
    package var keepalive: Duration?
    /// How old a connection may become before its client is told to open another one; nil for any age.
    package var maxAge: Duration?
    /// How long a request may wait for room, while room becomes free, before it is refused; zero to answer at once.
    package var hold = Duration.seconds(2)
    /// What an answer waits for: `journal`, or the name of an exporter.
    package var answerAfter = "journal"
    /// How long it waits for an exporter, before it says that the client is to come back.
    package var answerTimeout = Duration.seconds(5)
    /// Names of headers that are kept with each request, besides those that processors ask for.
    ///
    /// At most 4 KiB of them in all, with 32 bytes more for each; a request with more is refused.
    package var forwardHeaders: [String] = []
    /// Whether headers that hold secrets may be among them; they then stand in plain text in the journal.
    package var forwardSecrets = false
    /// Names, ids and globs of experiments that `x-mlflow-experiment-id` may ask for; nil for all.
    package var allowHeader: [String]?
    /// Who may send; nil for everybody.
    package var auth: AuthSettings?
    /// Load balancers that begin each connection with a header of the PROXY protocol.
    package var proxyProtocol: [AddressRange] = []
    /// What one client may use; nil for all that there is.
    package var limits: LimitSettings?

    /// The defaults.
    package init(listen: ListenAddress) {
        self.listen = listen
    }

    /// Names of the headers that are kept with a request, in lower case.
    func keptHeaders(besides processorHeaders: [String]) -> [String] {
        (forwardHeaders + processorHeaders).map { $0.lowercased() }
    }

    /// What the forwarded headers of one request may take.
    static let forwardedMax = ByteCount.kibibytes(4)

    /// Whether a header of that name is likely to hold a secret.
    static func isSecret(header name: String) -> Bool {
        let name = name.lowercased().replacing("_", with: "-")
        let words = [
            "authorization", "authentication", "cookie", "token", "secret", "password", "passwd", "credential", "jwt",
            "bearer", "api-key", "apikey", "access-key", "private-key", "signature",
        ]
        return words.contains { name.contains($0) } || name.split(separator: "-").contains { $0 == "auth" }
            || name == "x-honeycomb-team"
    }
}

/// The settings of a receiver that has these.
package protocol OTLPReceiverSettings: ReceiverSettings {
    /// What it has in common with other receivers of OTLP.
    var common: ReceptionSettings { get set }
}

extension OTLPReceiverSettings {
    /// Where it listens.
    package var address: ListenAddress? { common.listen }
    /// Its `tls`; nil for plaintext.
    package var tls: ServerTLSSettings? {
        get { common.tls }
        set { common.tls = newValue }
    }
    /// Connections that it takes at once.
    package var maxConnections: Int {
        get { common.maxConnections }
        set { common.maxConnections = newValue }
    }
    /// The largest body that it takes.
    package var bodyMax: ByteCount? { common.maxBody }
    /// How long a request may wait for room before it is refused.
    package var hold: Duration {
        get { common.hold }
        set { common.hold = newValue }
    }
    /// The exporter that answers wait for; nil where the journal is enough.
    package var answerAfter: String? { common.answerAfter == "journal" ? nil : common.answerAfter }
    /// How long they wait for it.
    package var answerTimeout: Duration { common.answerTimeout }
    /// Names of headers that are kept with each request.
    package var forwardHeaders: [String] {
        get { common.forwardHeaders }
        set { common.forwardHeaders = newValue }
    }
    /// Who may send; nil for everybody.
    package var auth: AuthSettings? {
        get { common.auth }
        set { common.auth = newValue }
    }
}

/// What the reference calls the answers of a protocol.
struct AnswerWords {
    let tooLarge: String
    let unavailable: String
    let slow: String
    /// What becomes of a head that does not come.
    let slowHead: String
    let forbidden: String
    /// A header of the PROXY protocol by somebody who is no load balancer.
    let foreign: String

    static let http = AnswerWords(
        tooLarge: "413",
        unavailable: "503",
        slow: "408",
        slowHead: "answered 408",
        forbidden: "403",
        foreign: "answered 400"
    )
    static let grpc = AnswerWords(
        tooLarge: "RESOURCE_EXHAUSTED",
        unavailable: "UNAVAILABLE",
        slow: "UNAVAILABLE",
        slowHead: "closed",
        forbidden: "PERMISSION_DENIED",
        foreign: "answered 400"
    )
}

extension ReceptionSettings {
    /// Where and how it listens.
    static let listenFields: [Field<ReceptionSettings>] = [
        Field("listen", \.listen, .address, "Address and port, or a unix socket. Port 0 takes any free one."),
        Field("tls", optional: \.tls, .group(.serverTLS), "Takes TLS alone; without it, plaintext alone."),
    ]

    /// The other settings.
    static func fields(saying words: AnswerWords) -> [Field<ReceptionSettings>] {
        boundFields(words) + connectionFields + [
            Field(
                "forward_headers",
                \.forwardHeaders,
                .list(of: .headerName),
                "Headers of requests that are kept with the spans, 4 KiB in all, and sent along by exporters."
            ),
            Field(
                "forward_secrets",
                \.forwardSecrets,
                .flag,
                "Whether `forward_headers` may name headers such as `authorization`, whose values then lie in plain text in the journal and among dead letters."
            ),
            Field(
                "allow_header",
                optional: \.allowHeader,
                .list(of: .text),
                "Names, ids (all digits) or globs of experiments that the header `x-mlflow-experiment-id` may ask for; others are answered \(words.forbidden). Without it, all."
            ),
            Field("auth", optional: \.auth, .group(AuthSettings.shape), "Who may send; without it everybody may."),
            Field(
                "limits",
                optional: \.limits,
                .group(LimitSettings.shape),
                "What one client may use; without it, all."
            ),
            Field(
                "proxy_protocol",
                \.proxyProtocol,
                .list(of: .addressRange),
                "Load balancers that begin each connection with a PROXY header, version 1 or 2, before TLS and HTTP: the client is who that names. Without it their connections are closed; on connections of others it is \(words.foreign)."
            ),
        ]
    }

    private static let connectionFields: [Field<ReceptionSettings>] = [
        Field(
            "max_streams",
            \.maxStreams,
            .integer(1...10_000),
            "Requests of one HTTP/2 connection open at once; clients keep further ones back."
        ),
        Field(
            "keepalive",
            optional: \.keepalive,
            .pause,
            "Time without a byte after which an HTTP/2 connection is pinged; it is closed without an answer in 20 s. Without it, no pings."
        ),
        Field(
            "max_age",
            optional: \.maxAge,
            .pause,
            "Age at which a connection ends behind its open requests, over HTTP/1.1 with its next answer, so that clients spread over new servers. Over HTTP/2, requests begun 10 s after the GOAWAY get REFUSED_STREAM. Without it, any age."
        ),
    ]

    private static func boundFields(_ words: AnswerWords) -> [Field<ReceptionSettings>] {
        [
            Field(
                "max_body",
                \.maxBody,
                .size(.kibibytes(1)...),
                "Largest body after inflation; a larger one is answered \(words.tooLarge)."
            ),
            Field(
                "max_connections",
                \.maxConnections,
                .integer(1...1_000_000),
                "Connections open at once; a further one takes the place of an idle one, or is answered \(words.unavailable) and closed."
            ),
            Field(
                "header_timeout",
                \.headerTimeout,
                .pause,
                "Time for a request's head to arrive, then it is \(words.slowHead); and for a TLS handshake."
            ),
            Field(
                "body_timeout",
                \.bodyTimeout,
                .pause,
                "Time for a request's body to arrive; then it is answered \(words.slow)."
            ),
            Field("idle_timeout", \.idleTimeout, .pause, "Time a connection may stay open between requests."),
            Field(
                "hold",
                \.hold,
                .duration(.zero ... .seconds(8)),
                "Time a request may wait for room in the journal or in memory, while room becomes free, before it is answered \(words.unavailable)."
            ),
            Field(
                "answer_after",
                \.answerAfter,
                .text,
                "What an answer waits for: `journal`, or the name of an exporter, which must have delivered, filtered or sampled out all of the request; dead letters and what expires are answered \(words.unavailable), and at once, before anything is kept, what would come while the exporter's destination is down or the oldest record waits longer than `answer_timeout`."
            ),
            Field(
                "answer_timeout",
                \.answerTimeout,
                .duration(.milliseconds(100) ... .seconds(60)),
                "Time an answer waits for the exporter of `answer_after`, before it is \(words.unavailable) although the request is kept and will be delivered; most SDKs give up after 10 s."
            ),
        ]
    }

    /// Reports headers to forward that are likely to hold a secret.
    func check(_ group: Group, _ context: inout DecodeContext) {
        guard !forwardSecrets else { return }
        for (index, node) in (group["forward_headers"]?.elements ?? []).enumerated() {
            guard let name = node.string, Self.isSecret(header: name) else { continue }
            context.within("forward_headers", "\(index)") { context in
                let reason = "the journal and the dead letters would keep it in plain text"
                let what = "\(quoted(name)) is likely to hold a secret, and \(reason)"
                context.report("\(what); allowed: other headers, or \"forward_secrets\": true", at: node.offset)
            }
        }
    }
}
