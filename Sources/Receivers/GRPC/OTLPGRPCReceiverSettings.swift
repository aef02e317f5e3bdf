import Basics
package import Pipeline
package import Settings

/// The settings of an `otlp_grpc` receiver, checked.
@dynamicMemberLookup
package struct OTLPGRPCReceiverSettings: Sendable {
    /// What it has in common with other receivers of OTLP.
    package var common = ReceptionSettings(listen: .tcp(host: "127.0.0.1", port: 4317))

    package init() {}

    /// A setting that it has in common with other receivers of OTLP.
    package subscript<Value>(dynamicMember path: WritableKeyPath<ReceptionSettings, Value>) -> Value {
        get { common[keyPath: path] }
        set { common[keyPath: path] = newValue }
    }
}

extension OTLPGRPCReceiverSettings: OTLPReceiverSettings {
    package var speech: OTLPSpeech? { .grpc }

    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Takes OTLP over gRPC, plain or compressed with gzip, deflate or zstd, and answers health checks.",
        OTLPGRPCReceiverSettings(),
        (ReceptionSettings.listenFields + ReceptionSettings.fields(saying: .grpc)).map { $0.at(\.common) },
        check: { settings, group, context in settings.common.check(group, &context) }
    )

    package func makeReceiver(in context: ReceiverContext) -> any Receiver { OTLPReceiver(self, in: context) }
}
