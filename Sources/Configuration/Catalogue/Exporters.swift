import Basics

extension Shape<MLflowExporterSettings> {
    static let mlflowExporter = Shape(
        "Delivers to an MLflow tracking server, each trace to the experiment that `mlflow_experiment` chose.",
        Settings(),
        [
            Field("endpoint", \.endpoint, .url, "The tracking server's base URL.", required: true),
            Field("username", optional: \.username, .text, "User for HTTP Basic authentication, with `password`."),
            Field("password", optional: \.password, .secret, "Password of that user."),
            Field("token", optional: \.token, .secret, "Bearer token, in place of user and password."),
            .unavailable("workspace"), .unavailable("run_id"), .unavailable("trace_names"),
        ],
        common: Shape<DeliverySettings>.common(at: \.delivery),
        check: { settings, group, reading in
            if settings.token != nil && (settings.username ?? settings.password) != nil {
                reading.report("\"token\" and \"username\" exclude each other", at: group.offset)
            }
            if (settings.username == nil) != (settings.password == nil) {
                reading.report("\"username\" and \"password\" go together", at: group.offset)
            }
        }
    )
}

extension Shape<OTLPHTTPExporterSettings> {
    static let otlpHTTPExporter = Shape(
        "Delivers to any OTLP backend over HTTP.",
        Settings(),
        [
            Field("endpoint", optional: \.endpoint, .url, "The backend's base URL; `/v1/traces` is appended."),
            Field("traces_endpoint", optional: \.tracesEndpoint, .url, "The whole URL for spans, used as it stands."),
            Field("encoding", \.encoding, .encoding, "How bodies are written."),
            .unavailable("preset"), .unavailable("metrics_endpoint"), .unavailable("logs_endpoint"),
        ],
        common: Shape<DeliverySettings>.common(at: \.delivery),
        check: { settings, group, reading in
            guard settings.endpoint == nil && settings.tracesEndpoint == nil else { return }
            reading.report(
                "\"endpoint\" or \"traces_endpoint\" is missing; allowed: \(Kind.url.allowed)",
                at: group.offset
            )
        }
    )
}

extension Shape<FileExporterSettings> {
    static let fileExporter = Shape(
        "Appends to a file, and syncs it before the spans count as delivered.",
        Settings(),
        [
            Field("path", \.path, .text, "The file; it is created when missing.", required: true),
            Field(
                "format",
                \.format,
                .encoding,
                "One TracesData as JSON a line, or protobuf with a 4-byte big-endian length before each."
            ),
            .unavailable("rotate"),
        ],
        common: Shape<DeliverySettings>.common(at: \.delivery)
    )
}

extension Shape<ConsoleExporterSettings> {
    static let consoleExporter = Shape(
        "Prints traces on standard output; never holds anything back.",
        Settings(),
        [
            Field(
                "style",
                \.style,
                .choice(["tree": .tree, "line": .line]),
                "A trace as a tree with durations, tokens and status, or one line a span."
            )
        ],
        common: Shape<DeliverySettings>.common(at: \.delivery)
    )
}

extension Kind<OTLPEncoding> {
    static let encoding = choice(["protobuf": .protobuf, "json": .json])
}

extension Shape<DeliverySettings> {
    /// The settings that all exporters have.
    static func common<Whole>(at part: any WritableKeyPath<Whole, DeliverySettings> & Sendable) -> [Field<Whole>] {
        let fields: [Field<Settings>] = [
            Field(
                "timeout",
                \.timeout,
                .pause,
                "For one request; then it counts as failed and the next one is smaller."
            ),
            Field("concurrency", \.concurrency, .integer(1...256), "Requests under way at once."),
            Field(
                "compression",
                \.compression,
                .choice(["gzip": .gzip, "none": .none, "auto": .auto]),
                "`auto` compresses unless the destination cannot read it or is this machine."
            ),
            Field("headers", \.headers, .headers, "Sent with every request; values are treated as secrets."),
            Field("batch", optional: \.batch, .group(.batch), "In place of the `batch` processor of the pipeline."),
            Field("retry", \.retry, .group(.retry), "Pauses between attempts."),
            Field(
                "start",
                \.start,
                .choice(["newest": .newest, "oldest": .oldest]),
                "Where an exporter that is new to the journal begins."
            ),
            Field("tls", \.tls, .group(.tls), "For `https`."),
            Field("proxy", optional: \.proxy, .url, "A proxy's URL; without it, what the environment says."),
            .unavailable("backlog"), .unavailable("signals"),
        ]
        return fields.map { $0.at(part) }
    }
}

extension Kind<[HTTPHeader]> {
    /// Headers of requests: the values are secrets, and what the exporter sets itself is refused.
    static let headers = Kind<[Named<String>]>.map(.ownHeaderName, to: .secret).held(
        as: [HTTPHeader].self,
        { entries in entries.map { HTTPHeader($0.name, $0.value) } },
        { headers in headers.map { Named(name: $0.name, value: $0.value) } }
    )
}

extension Kind<String> {
    /// The name of a header that the user may set.
    static let ownHeaderName = Kind.parsed(
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
}

extension Shape<RetrySettings> {
    static let retry = Shape(
        "Pauses between attempts, with full jitter; attempts go on until the spans are delivered or expire.",
        Settings(),
        [
            Field("initial", \.initial, .pause, "Longest first pause; it doubles with each attempt."),
            Field("max", \.max, .pause, "Longest pause."),
            .unavailable("give_up_after"),
        ],
        check: { settings, group, reading in
            if settings.initial > settings.max {
                reading.report("\"initial\" is longer than \"max\"", at: group.offset)
            }
        }
    )
}

extension Shape<TLSSettings> {
    static let tls = Shape(
        "How an exporter trusts and identifies itself over TLS.",
        Settings(),
        [
            Field("ca", optional: \.ca, .text, "PEM file with the authorities to trust; without it, the system's."),
            Field("certificate", optional: \.certificate, .text, "PEM file with the certificate to present."),
            Field("key", optional: \.key, .text, "PEM file with its private key."),
            Field(
                "server_name",
                optional: \.serverName,
                .text,
                "Name to ask for and to verify; without it, the URL's host."
            ),
            Field("verify", \.verify, .flag, "Whether the server's certificate is verified."),
        ]
    )
}
