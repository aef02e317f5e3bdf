import Basics
package import Journal
package import OTLP
package import Settings

/// How an exporter reads the journal.
package struct ReaderSettings: Sendable {
    /// Wins over the pipeline's `batch` processor; nil for that, or for its defaults.
    package var batch: BatchLimits?
    package var retry = RetrySettings.standard
    /// Where an exporter that is new to the journal begins.
    package var start = ReaderDefinition.Start.newest
    /// What may wait for this exporter; nil for as much as the journal takes.
    package var backlog: Backlog?
    /// What may lie among its dead letters.
    package var deadLetters = DeadLetterLimits()
    /// What goes there of its pipelines' signals; nil for all that the destination takes.
    package var signals: [Signal]?

    package init() {}
}

extension ReaderSettings {
    /// The settings that all exporters have.
    package static let fields: [Field<ReaderSettings>] = [
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
        Field(
            "signals",
            optional: \.signals,
            .list(of: .signal),
            "What goes there of its pipelines' signals; without it, all that the destination takes."
        ),
    ]
}

extension Kind<Signal> {
    /// A kind of telemetry.
    package static let signal = choice(["traces": .traces, "metrics": .metrics, "logs": .logs])
}

extension Shape<BatchLimits> {
    /// The settings of `batch`, as a processor and as a group of an exporter.
    package static let batch = Shape(
        "How much an exporter takes from the journal for one request; what arrives with more spans is divided by traces.",
        .standard,
        [
            Field("spans", \.items, .integer(1...1_000_000), "Spans in one request at most."),
            Field("bytes", \.bytes, .size(.kibibytes(1)...), "Bytes in one request at most, before compression."),
            Field(
                "linger",
                \.linger,
                .duration(.zero ... .seconds(60)),
                "How long to wait for more spans while a request is not full."
            ),
        ]
    )
}

extension Shape<RetrySettings> {
    fileprivate static let retry = Shape(
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
        check: { settings, group, context in
            if settings.initial > settings.max {
                context.report("\"initial\" is longer than \"max\"", at: group.offset)
            }
        }
    )
}

extension Shape<Backlog> {
    fileprivate static let backlog = Shape(
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
    fileprivate static let deadLetters = Shape(
        "How much is kept of what a destination refuses, beside the journal's own budget; the oldest expires first.",
        Settings(),
        [
            Field("max_bytes", \.maxBytes, .size(.mebibytes(1)...), "Bytes of dead letters."),
            Field("max_age", \.maxAge, .duration(.seconds(60) ... .seconds(3650 * 86400)), "Older ones expire."),
        ]
    )
}
