package import Basics
import OTLP
package import Pipeline
package import Settings
package import TLS

/// The settings of an `otlp_http` receiver, checked.
package struct OTLPHTTPReceiverSettings: Sendable {
    /// Where it listens.
    package var listen = ListenAddress.tcp(host: "127.0.0.1", port: 4318)
    /// Nil for plaintext.
    package var tls: ServerTLSSettings?
    /// Where traces are taken; starts with a slash.
    package var tracesPath = Signal.traces.defaultPath
    package var metricsPath = Signal.metrics.defaultPath
    package var logsPath = Signal.logs.defaultPath
    /// The longest body, before and after decompression; a longer one is answered 413.
    ///
    /// The memory limit of all receivers bounds it too.
    package var maxBody = ByteCount.mebibytes(64)
    /// Connections at once; a further one takes the place of an idle one, or is answered 503 and closed.
    package var maxConnections = 4096
    /// From the first byte of a connection, or of a later request, to the end of the head; then 408.
    ///
    /// A TLS handshake has as long.
    package var headerTimeout = Duration.seconds(10)
    /// From the end of the head to the end of the body; then 408.
    package var bodyTimeout = Duration.seconds(30)
    /// Without a request; then the connection is closed.
    package var idleTimeout = Duration.seconds(120)
    /// Further paths for spans, those that SDKs have built in.
    package var aliases = ["/api/public/otel/v1/traces"]
    /// How long a request may wait for room, while room becomes free, before it is answered 503; zero to answer at once.
    package var hold = Duration.seconds(2)
    /// Names accepted in `Host`, besides addresses and the names of loopback; needed on loopback for other names, elsewhere
    /// everything is accepted while it is empty.
    package var hosts: [String] = []
    /// Names of headers that are kept with each request, besides those that processors ask for.
    ///
    /// At most 4 KiB of them in all, with 32 bytes more for each; a request with more is answered 431.
    package var forwardHeaders: [String] = []
    /// Whether headers that hold secrets may be among them; they then stand in plain text in the journal.
    package var forwardSecrets = false

    /// Names, ids and globs of experiments that `x-mlflow-experiment-id` may ask for; nil for all.
    package var allowHeader: [String]?
    /// Who may send; nil for everybody.
    package var auth: AuthSettings?
    /// Which web pages may send; nil to look at no `Origin`: what browsers send for a page of another origin, without
    /// leave, has a content type that is answered 415.
    package var cors: CORSSettings?
    /// Load balancers that begin each connection with a header of the PROXY protocol.
    package var proxyProtocol: [AddressRange] = []
    /// What one client may use; nil for all that there is.
    package var limits: LimitSettings?

    package init() {}

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

    /// The signal whose requests go to a path, and whether by one of `aliases`; nil where nothing is served there.
    func signal(at path: Substring) -> (signal: Signal, isAlias: Bool)? {
        if let signal = Signal.allCases.first(where: { self.path(of: $0) == path }) { return (signal, false) }
        return aliases.contains { $0 == path } ? (.traces, true) : nil
    }

    func path(of signal: Signal) -> String {
        switch signal {
        case .traces: tracesPath
        case .metrics: metricsPath
        case .logs: logsPath
        }
    }
}

extension OTLPHTTPReceiverSettings: ReceiverSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Takes OTLP over HTTP, protobuf and JSON, plain or compressed with gzip, deflate or zstd.",
        OTLPHTTPReceiverSettings(),
        [
            Field("listen", \.listen, .address, "Address and port, or a unix socket. Port 0 takes any free one."),
            Field("tls", optional: \.tls, .group(.serverTLS), "Takes https alone; without it, http alone."),
            Field("traces_path", \.tracesPath, .urlPath, "Path of export requests with spans."),
            Field("metrics_path", \.metricsPath, .urlPath, "Path of export requests with metrics."),
            Field("logs_path", \.logsPath, .urlPath, "Path of export requests with log records."),
            Field(
                "aliases",
                \.aliases,
                .list(of: .urlPath),
                "Further paths for spans, such as the one that the SDKs of Langfuse have built in."
            ),
            Field(
                "max_body",
                \.maxBody,
                .size(.kibibytes(1)...),
                "Largest body after inflation; a larger one is answered 413."
            ),
            Field(
                "max_connections",
                \.maxConnections,
                .integer(1...1_000_000),
                "Connections open at once; a further one takes the place of an idle one, or is answered 503 and closed."
            ),
            Field(
                "header_timeout",
                \.headerTimeout,
                .pause,
                "Time for a request's head to arrive, then it is answered 408; and for a TLS handshake."
            ),
            Field(
                "body_timeout",
                \.bodyTimeout,
                .pause,
                "Time for a request's body to arrive; then it is answered 408."
            ),
            Field("idle_timeout", \.idleTimeout, .pause, "Time a connection may stay open between requests."),
            Field(
                "hold",
                \.hold,
                .duration(.zero ... .seconds(8)),
                "Time a request may wait for room in the journal or in memory, while room becomes free, before it is answered 503."
            ),
            Field(
                "hosts",
                \.hosts,
                .list(of: .text),
                "Names accepted in `Host` besides addresses and names of loopback; others are answered 403 on loopback, and elsewhere where any are listed."
            ),
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
                "Names, ids (all digits) or globs of experiments that the header `x-mlflow-experiment-id` may ask for; others are answered 403. Without it, all."
            ),
            Field("auth", optional: \.auth, .group(AuthSettings.shape), "Who may send; without it everybody may."),
            Field(
                "cors",
                optional: \.cors,
                .group(CORSSettings.shape),
                #"Web pages that may send, such as `{"origins": ["https://app.example.com"]}`; without it those of other origins cannot."#
            ),
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
                "Load balancers that begin each connection with a PROXY header, version 1 or 2, before TLS and HTTP: the client is who that names. Without it their connections are closed; on connections of others it is answered 400."
            ),
        ],
        check: { settings, group, context in
            let paths = [settings.tracesPath, settings.metricsPath, settings.logsPath]
            if Set(paths).count < paths.count {
                let what = "traces_path, metrics_path and logs_path are not three different paths"
                context.report(what, at: group.offset)
            }
            // The path that a signal has goes to it, and a default that nobody wrote is no mistake.
            for alias in settings.aliases where paths.contains(alias) {
                guard let written = group["aliases"] else { continue }
                let what = "\"\(alias)\" is the path of a signal already; allowed: a path of its own"
                context.report(what, at: written.offset)
            }
            if !settings.forwardSecrets { refuseSecrets(in: group, &context) }
        }
    )

    package var address: ListenAddress? { listen }
    package var bodyMax: ByteCount? { maxBody }

    package func makeReceiver(in context: ReceiverContext) -> any Receiver { OTLPHTTPReceiver(self, in: context) }
}

/// Reports headers to forward that are likely to hold a secret.
private func refuseSecrets(in group: Group, _ context: inout DecodeContext) {
    for (index, node) in (group["forward_headers"]?.elements ?? []).enumerated() {
        guard let name = node.string, OTLPHTTPReceiverSettings.isSecret(header: name) else { continue }
        context.within("forward_headers", "\(index)") { context in
            let reason = "the journal and the dead letters would keep it in plain text"
            let what = "\(quoted(name)) is likely to hold a secret, and \(reason)"
            context.report("\(what); allowed: other headers, or \"forward_secrets\": true", at: node.offset)
        }
    }
}
