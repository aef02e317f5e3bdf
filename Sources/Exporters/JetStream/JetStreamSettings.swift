import Basics
package import NATS
package import Pipeline
package import Settings

/// The settings of a `jetstream` exporter.
package struct JetStreamSettings: Sendable {
    package var nats = NATSSettings()
    package var stream = ""
    /// What the stream's subjects begin with; nil for `mr.` and its name.
    package var subject: String?
    package var partitions = 16
    package var limits = RelayStream.Limits()
    /// Whether a stream that is not there is created.
    package var creates = true
    /// For the answer to one message.
    package var timeout = Duration.seconds(5)
    /// Batches under way at once, each as one message for each of its partitions.
    package var concurrency = 16

    package init() {}

    /// How telemetry lies in the stream.
    var layout: RelayStream {
        RelayStream(name: stream, subject: subject ?? "mr.\(stream)", partitions: partitions)
    }
}

extension JetStreamSettings: DestinationSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Stores all signals in a stream of NATS JetStream (server 2.12 or later), whole traces in one of its partitions, for gateways with the receiver `jetstream`.",
        JetStreamSettings(),
        NATSSettings.fields.map { $0.at(\.nats) } + [
            Field("stream", \.stream, .natsName, "The stream.", required: true),
            Field(
                "subject",
                optional: \.subject,
                .natsSubject,
                "Messages go to SUBJECT.N, N from 0; without it SUBJECT is `mr.` and the stream's name."
            ),
            Field(
                "partitions",
                \.partitions,
                .integer(1...1024),
                "Subjects that traces are spread over by their ids, and what belongs to no trace by its resource; fixed for a stream, so at least as many as there will ever be gateways."
            ),
            Field("replicas", \.limits.replicas, .integer(1...5), "Servers that hold each message: 1, 3 or 5."),
            Field(
                "max_bytes",
                optional: \.limits.maxBytes,
                .size(.mebibytes(1)...),
                "Bytes of the stream when it is created; full, it takes no more and the journal here fills. Without it, what the servers allow."
            ),
            Field(
                "max_age",
                optional: \.limits.maxAge,
                .duration(.seconds(60) ... .seconds(3650 * 86400)),
                "Age at which messages that no gateway took are lost, when the stream is created; without it, none."
            ),
            Field(
                "create",
                \.creates,
                .flag,
                "Whether a stream that is not there is created; one that is there is checked."
            ),
            Field(
                "timeout",
                \.timeout,
                .pause,
                "For the answer to one message; a slower one is tried again under the same id."
            ),
            Field(
                "concurrency",
                \.concurrency,
                .integer(1...256),
                "Batches under way at once, each of up to `partitions` messages."
            ),
        ],
        check: { settings, group, context in
            settings.nats.check(group, &context)
            guard settings.limits.replicas.isMultiple(of: 2), let node = group["replicas"] else { return }
            context.within("replicas") { context in
                context.report(
                    "an even number of servers has no majority that is worth it; allowed: 1, 3 or 5",
                    at: node.offset
                )
            }
        }
    )

    package var descriptors: Int { 5 }

    package func makeExporter(in context: ExporterContext) -> any Exporter {
        JetStreamExporter(self, in: context)
    }
}
