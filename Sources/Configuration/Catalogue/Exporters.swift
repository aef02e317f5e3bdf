import Basics
import Exporters
import Journal
import MLflow
import Pipeline

extension Shape<MLflowDraft> {
    static let mlflowExporter = Shape(
        "Delivers to an MLflow tracking server, each trace to the experiment that `mlflow_experiment` chose.",
        Settings(),
        [
            Field("endpoint", optional: \.endpoint, .endpoint, "The tracking server's base address.", required: true),
            Field("username", optional: \.username, .text, "User for HTTP Basic authentication, with `password`."),
            Field("password", optional: \.password, .secret, "Password of that user."),
            Field("token", optional: \.token, .secret, "Bearer token, in place of user and password."),
            Field("workspace", optional: \.workspace, .text, "The server's workspace; without it, its default one."),
            Field("run_id", optional: \.runID, .text, "The run that traces are linked to."),
            Field(
                "trace_names",
                \.traceNames,
                .choice(["otlp": .otlp, "rest": .rest]),
                "How traces get their names: by an attribute, or also by a REST call for servers before 3.7."
            ),
        ],
        common: Shape<HTTPDraft>.fields(at: \.http) + Shape<ReadingSettings>.fields(at: \.reading),
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

extension Shape<OTLPHTTPDraft> {
    static let otlpHTTPExporter = Shape(
        "Delivers to any OTLP backend over HTTP.",
        Settings(),
        [
            Field("endpoint", optional: \.endpoint, .endpoint, "The backend's base address; `/v1/traces` is appended."),
            Field(
                "traces_endpoint",
                optional: \.tracesEndpoint,
                .endpoint,
                "The whole address for spans, as it stands."
            ),
            Field("encoding", \.encoding, .choice(["protobuf": .protobuf, "json": .json]), "How bodies are written."),
            .unavailable("metrics_endpoint"), .unavailable("logs_endpoint"), .unavailable("preset"),
        ],
        common: Shape<HTTPDraft>.fields(at: \.http) + Shape<ReadingSettings>.fields(at: \.reading),
        check: { settings, group, reading in
            guard settings.endpoint == nil && settings.tracesEndpoint == nil else { return }
            guard group["endpoint"] == nil && group["traces_endpoint"] == nil else { return }
            let allowed = Kind<HTTPEndpoint>.endpoint.allowed
            reading.report("\"endpoint\" or \"traces_endpoint\" is missing; allowed: \(allowed)", at: group.offset)
        }
    )
}

extension Shape<FileDraft> {
    static let fileExporter = Shape(
        "Appends to a file, and syncs it before the spans count as delivered.",
        Settings(),
        [
            Field(
                "path",
                optional: \.path,
                .text,
                "The file; it and its folders are created when missing.",
                required: true
            ),
            Field(
                "format",
                \.format,
                .choice(["json": .json, "protobuf": .protobuf]),
                "One TracesData as JSON a line, or protobuf with a 4-byte big-endian length before each."
            ),
            Field("rotate", optional: \.rotation, .group(.rotation), "When the next file is begun; without it, never."),
            .unavailable("compression"),
        ],
        common: Shape<ReadingSettings>.fields(at: \.reading) + withoutRequests
    )
}

extension Shape<FileSettings.Rotation> {
    static let rotation = Shape(
        "When a file is closed and the next one begun, and how many stay.",
        Settings(),
        [
            Field("bytes", optional: \.bytes, .size(.kibibytes(1)...), "Size that a file does not exceed."),
            Field(
                "age",
                optional: \.age,
                .duration(.seconds(1) ... .seconds(3650 * 86400)),
                "Age that a file does not exceed."
            ),
            Field("keep", \.keep, .integer(1...FileSettings.keepMax), "Closed files that stay; the oldest goes first."),
        ],
        check: { settings, group, reading in
            if settings.bytes == nil && settings.age == nil && group["bytes"] == nil && group["age"] == nil {
                reading.report("\"bytes\" or \"age\" is missing; without them no file is ever closed", at: group.offset)
            }
        }
    )
}

extension Shape<ConsoleDraft> {
    static let consoleExporter = Shape(
        "Prints traces on standard output; never holds anything back.",
        Settings(),
        [
            Field(
                "style",
                \.console.style,
                .choice(["tree": .tree, "line": .line]),
                "A trace as a tree with durations, tokens and status, or one line a span."
            )
        ],
        common: Shape<ReadingSettings>.fields(at: \.reading) + withoutRequests
    )
}

extension Shape {
    /// The settings of requests, for exporters that send none.
    fileprivate static var withoutRequests: [Field<Settings>] {
        ["timeout", "concurrency", "compression", "headers", "tls", "proxy"].map { name in
            .refused(name, "has no meaning for this type, which sends no requests")
        }
    }
}

extension Shape<ReadingSettings> {
    /// The settings of how an exporter reads the journal, which all exporters have.
    static func fields<Whole>(at part: any WritableKeyPath<Whole, ReadingSettings> & Sendable) -> [Field<Whole>] {
        let fields: [Field<Settings>] = [
            Field(
                "batch",
                optional: \.batch,
                .group(.batch),
                "Like the processor `batch`, and in its place for this exporter."
            ),
            Field("retry", \.retry, .group(.retry), "Pauses between attempts."),
            Field(
                "start",
                \.start,
                .choice(["newest": .newest, "oldest": .oldest]),
                "Where an exporter that is new to the journal begins."
            ),
            Field("backlog", optional: \.backlog, .group(.backlog), "Limits what may wait for this exporter alone."),
            Field("dead_letters", \.deadLetters, .group(.deadLetters), "Limits what the destination refuses for good."),
            .unavailable("signals"),
        ]
        return fields.map { $0.at(part) }
    }
}

extension Shape<RetrySettings> {
    static let retry = Shape(
        "Pauses between attempts, with full jitter; attempts go on until spans are delivered or expire, unless told else.",
        .standard,
        [
            Field("initial", \.initial, .pause, "Longest first pause; it doubles with each attempt."),
            Field("max", \.max, .pause, "Longest pause."),
            Field(
                "give_up_after",
                optional: \.giveUpAfter,
                .duration(.seconds(1) ... .seconds(3650 * 86400)),
                "Time after the first attempt when spans become dead letters; without it, never."
            ),
        ],
        check: { settings, group, reading in
            if settings.initial > settings.max {
                reading.report("\"initial\" is longer than \"max\"", at: group.offset)
            }
        }
    )
}

extension Shape<Backlog> {
    static let backlog = Shape(
        "What may wait in the journal for one exporter.",
        Settings(maxBytes: .gibibytes(1), whenFull: .reject),
        [
            Field(
                "max_bytes",
                \.maxBytes,
                .size(.mebibytes(1)...),
                "Bytes of the journal that wait for it.",
                required: true
            ),
            Field(
                "when_full",
                \.whenFull,
                .choice(["reject": .reject, "expire": .expire]),
                "Refuse new requests with 503, or let the oldest records expire for this exporter alone."
            ),
        ]
    )
}

extension Shape<DeadLetterLimits> {
    static let deadLetters = Shape(
        "How much is kept of what a destination refuses, beside the journal's own budget; the oldest expires first.",
        Settings(),
        [
            Field("max_bytes", \.maxBytes, .size(.mebibytes(1)...), "Bytes of dead letters."),
            Field("max_age", \.maxAge, .duration(.seconds(60) ... .seconds(3650 * 86400)), "Older ones expire."),
        ]
    )
}
