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
        let speech = ReceiverSpeech(name: "OTLP/gRPC", offers: ["h2"]) { channel, loops, client in
            let speakers = HTTP2Speakers(grpc: loops.own)
            let connection = HTTP2Connection(loops.own, speakers: speakers, client: client)
            let preface = GRPCPreface(connection: connection).handler
            try channel.pipeline.syncOperations.addHandlers([preface, connection])
        }
        self.init(settings.common, speaking: speech, in: parts, clock: clock, steady: steady)
    }
}
