package import Basics
import NIOCore
import Pipeline

extension OTLPReceiver {
    /// The `otlp_grpc` receiver: OTLP over gRPC, on HTTP/2 by prior knowledge or behind TLS.
    ///
    /// What a client is told follows the OTLP specification's section "OTLP/gRPC"; `GRPCCode` has what it leaves open.
    ///
    /// - Parameters:
    ///   - settings: Checked settings.
    ///   - parts: What it is made with besides.
    ///   - clock: Tells what is idle.
    ///   - steady: Tells how fast requests come.
    package convenience init(
        _ settings: OTLPGRPCReceiverSettings,
        in parts: ReceiverContext,
        clock: WallClock = .system,
        steady: MonotonicClock = .system
    ) {
        // HTTP/2 keeps the buffer of the last read, which for an idle connection is the first one.
        let speech = ReceiverSpeech(name: "OTLP/gRPC", offers: ["h2"], firstRead: 2048) { channel, observer, client in
            let connection = GRPCConnection(observer, settings, client: client)
            let preface = GRPCPreface(connection: connection, settings: settings).handler
            try channel.pipeline.syncOperations.addHandlers([preface, connection])
        }
        self.init(settings.common, speaking: speech, in: parts, clock: clock, steady: steady)
    }
}
