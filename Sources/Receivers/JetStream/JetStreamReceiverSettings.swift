package import Basics
package import NATS
package import Pipeline
package import Settings
package import TLS

/// The settings of a `jetstream` receiver, checked.
package struct JetStreamReceiverSettings: Sendable {
    package var nats = NATSSettings()
    package var stream = ""
    package var partitions = 16
    /// What the consumers' names begin with; nil for the name of the pipeline.
    package var durable: String?
    package var ack = Ack.journaled
    /// How long a message may be under way here before others get it.
    package var ackWait = Duration.seconds(30)
    /// Messages of one partition under way at once.
    package var maxAckPending = 1000
    /// Names of a client's headers that are kept on.
    package var forwardHeaders: [String] = []

    package init() {}

    /// What a message is acknowledged after.
    package enum Ack: Sendable {
        /// The journal here has it.
        case journaled
        /// Every exporter of its pipelines is done with it.
        case settled
    }
}

extension JetStreamReceiverSettings: ReceiverSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Takes all signals from a stream of NATS JetStream (server 2.12 or later) that exporters `jetstream` fill; gateways with the same `durable` share its partitions among them.",
        JetStreamReceiverSettings(),
        NATSSettings.fields.map { $0.at(\.nats) } + [
            Field(
                "stream",
                \.stream,
                .natsName,
                "The stream; while it is not there, it is waited for.",
                required: true
            ),
            Field(
                "partitions",
                \.partitions,
                .integer(1...1024),
                "How many partitions it has; another number is refused."
            ),
            Field(
                "durable",
                optional: \.durable,
                .natsName,
                "What its consumers' names begin with; without it, the name of the pipeline."
            ),
            Field(
                "ack",
                \.ack,
                .choice(["journaled": Ack.journaled, "settled": .settled]),
                "What a message is acknowledged after: `journaled`, the journal here has it; `settled`, every exporter of the pipelines has delivered, filtered or sampled out all of it, so that a gateway with `storage: \"memory\"` holds nothing that the stream has not; what becomes a dead letter goes to the stream STREAM-refused then."
            ),
            Field(
                "ack_wait",
                \.ackWait,
                .duration(.seconds(10) ... .seconds(3600)),
                "Time after which a message that was not acknowledged goes to whoever serves its partition then."
            ),
            Field(
                "max_ack_pending",
                \.maxAckPending,
                .integer(1...65_536),
                "Messages of one partition that are not acknowledged at once."
            ),
            Field(
                "forward_headers",
                \.forwardHeaders,
                .list(of: .headerName),
                "Headers of clients' requests, of those that came along, that are kept with the telemetry and sent on by exporters."
            ),
        ],
        check: { settings, group, context in settings.nats.check(group, &context) }
    )

    package var address: ListenAddress? { nil }
    package var speech: OTLPSpeech? { nil }
    package var tls: ServerTLSSettings? { nil }
    package var maxConnections: Int { 0 }
    package var bodyMax: ByteCount? { nil }
    /// Well below `ack_wait`.
    package var hold: Duration { .seconds(5) }
    package var answerAfter: String? { nil }
    package var awaitsAll: Bool { ack == .settled }
    /// Until then the server is told that a message is under way.
    package var answerTimeout: Duration { .seconds(3600) }
    package var auth: AuthSettings? { nil }

    package func differences(from other: any ReceiverSettings) -> [String]? { nil }

    package func makeReceiver(in context: ReceiverContext) -> any Receiver { JetStreamReceiver(self, in: context) }
}
