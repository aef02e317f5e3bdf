import Basics
import Journal
import Logging
import OTLP
import Pipeline
import Settings
import TLS

extension PipelineFile {
    static let shape = Shape(
        "A pipeline file of Millrace.",
        PipelineFile(),
        [
            Field("$schema", optional: \.schema, .text, "Where editors find this schema; Millrace ignores it."),
            Field(
                "receivers",
                \.receivers,
                .components(Catalogue.receivers),
                "Where telemetry comes in.",
                required: true
            ),
            Field("processors", \.processors, .components(Catalogue.processors), "What happens to it on its way."),
            Field("exporters", \.exporters, .components(Catalogue.exporters), "Where it goes.", required: true),
            Field(
                "pipelines",
                \.pipelines,
                .map(.componentName, to: .group(PipelineSettings.shape)),
                "Which receivers, processors and exporters belong together. A pipeline's name is that of its journal.",
                required: true
            ),
            Field("journal", \.journal, .group(.journal), "Where spans wait until every exporter has them."),
            Field("admin", \.admin, .group(.admin), "Health, metrics and the ledger."),
            Field("log", \.log, .group(.log), "What the process writes about itself."),
            Field(
                "telemetry",
                optional: \.telemetry,
                .group(TelemetrySettings.shape),
                "What the process sends about itself, to an exporter of this file; without it, nothing."
            ),
            Field(
                "drain_timeout",
                \.drainTimeout,
                .duration(.zero ... .seconds(3600)),
                "How long a stopping process goes on delivering; what is left stays in the journal."
            ),
            Field(
                "memory_limit",
                \.memoryLimit,
                .size(.mebibytes(16)...),
                "Bytes of telemetry held at once, a quarter reserved for exporters; over it requests are answered 503."
            ),
            Field(
                "request_cost",
                \.requestCost,
                .group(.requestCost),
                "What one request may cost for its size: over it in bytes it is answered 413, over it in steps 400."
            ),
            Field(
                "tests",
                \.tests,
                .array(of: .test),
                "What `millrace test` runs: requests, and what is to become of them."
            ),
        ]
    )
}

extension Shape<CostLimits> {
    static let requestCost = Shape(
        "The most that a request may cost for each byte of its body; a constant for small ones comes on top.",
        CostLimits(),
        [
            Field(
                "held_per_byte",
                \.heldPerByte,
                .integer(4...1024),
                "Bytes of memory: the body, its index, what processors add, its records; and 1 MiB."
            ),
            Field(
                "written_per_byte",
                \.writtenPerByte,
                .integer(2...1024),
                "Bytes of its records in the journal; and 64 KiB for each route."
            ),
            Field(
                "steps_per_byte",
                \.stepsPerByte,
                .integer(8...65536),
                "Steps of work, such as an attribute looked at or a field copied; and 100,000."
            ),
        ]
    )
}

extension PipelineSettings {
    static let shape = Shape(
        "A way of spans from receivers through processors to exporters.",
        PipelineSettings(),
        [
            Field("receivers", \.receivers, .list(of: .text), "Names of receivers, at least one.", required: true),
            Field("processors", \.processors, .list(of: .text), "Names of processors, in the order they run."),
            Field("exporters", \.exporters, .list(of: .text), "Names of exporters, at least one.", required: true),
            Field("signals", \.signals, .list(of: .signal), "Kinds of telemetry that the pipeline takes."),
        ]
    )
}

extension Shape<JournalSettings> {
    static let journal = Shape(
        "The log on disk that makes spans durable before their request is answered.",
        Settings(),
        [
            Field("directory", \.directory, .text, "Where the logs of all pipelines lie; created when missing."),
            Field(
                "storage",
                \.storage,
                .choice(["disk": .disk, "memory": .memory]),
                "With `memory`, `max_bytes` is `64MiB` unless set, and nothing survives the process."
            ),
            Field(
                "sync",
                \.sync,
                .sync,
                "`batch`: on disk before each answer, shared by all requests that wait; or at an interval; or never."
            ),
            Field(
                "max_bytes",
                \.maxBytes,
                .size(.mebibytes(1)...),
                "Bytes of all logs together; at the limit `when_full` decides."
            ),
            Field(
                "min_free",
                \.minFree,
                .size(ByteCount(bytes: 0)...),
                "Bytes to leave free on the disk; then `when_full` decides."
            ),
            Field(
                "max_age",
                \.maxAge,
                .duration(.seconds(60) ... .seconds(3650 * 86400)),
                "Older records expire, and are counted."
            ),
            Field(
                "retain",
                \.retain,
                .duration(.zero ... .seconds(3650 * 86400)),
                "How long delivered records stay, within `max_bytes`."
            ),
            Field(
                "segment",
                \.segment,
                .size(.kibibytes(64)...),
                "Size of one file of a log, at most an eighth of `max_bytes`; a larger record gets its own."
            ),
            Field(
                "when_full",
                \.whenFull,
                .choice(["reject": .reject, "drop_oldest": .dropOldest]),
                "Refuse new requests with 503, or let the oldest records expire."
            ),
        ],
        check: { settings, group, context in
            if settings.storage == .memory && group["max_bytes"] == nil {
                settings.maxBytes = .mebibytes(64)
            }
        }
    )
}

extension Kind<SyncMode> {
    /// When the journal goes to disk.
    static let sync = Kind.parsed(
        #""batch", "never", or a duration with a unit such as "100ms""#,
        brief: "`batch` \\| duration \\| `never`",
        schema: ["anyOf": [["enum": ["batch", "never"]], ["$ref": "#/$defs/duration"]]],
        parse: { text in
            switch text {
            case "batch": .everyGroup
            case "never": .never
            default: Duration(text: text).flatMap { $0 >= .milliseconds(1) ? .interval($0) : nil }
            }
        },
        format: { policy in
            switch policy {
            case .everyGroup: "batch"
            case .never: "never"
            case .interval(let interval): interval.text
            }
        }
    )
}

extension Shape<AdminSettings> {
    static let admin = Shape(
        "The administration endpoint: `/healthz`, `/readyz`, `/metrics`, `/ledger`.",
        Settings(),
        [
            Field(
                "listen",
                \.listen,
                .address,
                "Address and port, or a unix socket. Where it is not loopback, everything but `/healthz` and `/readyz` needs the token."
            ),
            Field("tls", optional: \.tls, .group(.serverTLS), "Answers https alone; without it, http alone."),
            Field(
                "token",
                optional: \.token,
                .secret,
                "What clients show as `Authorization: Bearer TOKEN`, at least 16 bytes; without it, the first process writes one to `admin-token` in the journal's directory, which stays."
            ),
            Field(
                "open_metrics",
                \.opensMetrics,
                .flag,
                "Whether `/metrics` needs no token, wherever the endpoint listens."
            ),
        ],
        check: { admin, group, context in
            guard let token = admin.token, token.text.utf8.count < AdminSettings.tokenBytesMin,
                let node = group["token"]
            else { return }
            context.within("token") { context in
                let allowed = "at least \(AdminSettings.tokenBytesMin) bytes, as `openssl rand -hex 32` gives them"
                context.report("the token can be guessed; allowed: \(allowed)", at: node.offset)
            }
        }
    )
}

extension Shape<LogSettings> {
    static let log = Shape(
        "Records on standard error.",
        Settings(),
        [
            Field("level", \.level, .level, "The least important level that is written."),
            Field(
                "format",
                \.format,
                .choice(["text": .text, "json": .json]),
                "One line a record, for people or for machines."
            ),
        ]
    )
}

extension Kind<Logger.Level> {
    static let level = choice([
        "trace": .trace, "debug": .debug, "info": .info, "notice": .notice, "warning": .warning, "error": .error,
        "critical": .critical,
    ])
}
