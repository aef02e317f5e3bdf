import Basics
package import Pipeline
package import Settings

/// The settings of an `otlp_grpc` receiver, checked.
@dynamicMemberLookup
package struct OTLPGRPCReceiverSettings: Sendable {
    /// What it has in common with other receivers of OTLP.
    package var common = ReceptionSettings(listen: .tcp(host: "127.0.0.1", port: 4317))
    /// Calls of one connection that are open at once; a client keeps further ones back.
    package var maxStreams = 100
    /// Between two pings of a connection on which nothing comes; nil for none.
    package var keepalive: Duration?
    /// How old a connection may become before its client is told to open another one; nil for any age.
    package var maxAge: Duration?

    package init() {}

    /// A setting that it has in common with other receivers of OTLP.
    package subscript<Value>(dynamicMember path: WritableKeyPath<ReceptionSettings, Value>) -> Value {
        get { common[keyPath: path] }
        set { common[keyPath: path] = newValue }
    }
}

extension OTLPGRPCReceiverSettings: OTLPReceiverSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Takes OTLP over gRPC, plain or compressed with gzip, deflate or zstd, and answers health checks.",
        OTLPGRPCReceiverSettings(),
        ReceptionSettings.listenFields.map { $0.at(\.common) } + [
            Field(
                "max_streams",
                \.maxStreams,
                .integer(1...10_000),
                "Calls of one connection open at once; clients keep further ones back."
            ),
            Field(
                "keepalive",
                optional: \.keepalive,
                .pause,
                "Time without a byte after which a connection is pinged; it is closed without an answer in 20 s. Without it, no pings."
            ),
            Field(
                "max_age",
                optional: \.maxAge,
                .pause,
                "Age at which a connection ends behind its open calls, so that clients spread over new servers. Without it, any age."
            ),
        ] + ReceptionSettings.fields(saying: .grpc).map { $0.at(\.common) },
        check: { settings, group, context in settings.common.check(group, &context) }
    )

    package func makeReceiver(in context: ReceiverContext) -> any Receiver { OTLPReceiver(self, in: context) }
}
