package import Basics
import NIOCore
import Pipeline
import TLS

extension OTLPReceiver {
    /// The `otlp_http` receiver: OTLP over HTTP/1.1 and HTTP/2, protobuf and JSON.
    ///
    /// What a client is told follows the OTLP specification's section "OTLP/HTTP"; what it leaves open is decided so:
    /// - A content encoding that is not supported is answered 415 (RFC 9110 section 15.5.16), as is a missing or other content type.
    /// - Where a request has no usable content type, the Status is protobuf, unless its content type or `Accept` speaks of JSON.
    /// - An empty body is an empty request, and so a success, under any content encoding.
    ///
    /// - Parameters:
    ///   - settings: Checked settings.
    ///   - parts: What it is made with besides.
    ///   - clock: Gives the `Date` of answers.
    ///   - steady: Tells how fast requests come.
    package convenience init(
        _ settings: OTLPHTTPReceiverSettings,
        in parts: ReceiverContext,
        clock: WallClock = .system,
        steady: MonotonicClock = .system
    ) {
        let speech = ReceiverSpeech(name: "OTLP/HTTP", offers: ["h2", "http/1.1"], takesGuest: true) {
            channel,
            loops,
            client in
            let decoder = RequestDecoder.make()
            let connection = HTTPConnection(loops.own, decoder: decoder, client: client)
            let preface = connection.preface(
                speaking: HTTP2Speakers(grpc: loops.guest, http: loops.own)
            )
            try channel.pipeline.syncOperations.addHandlers([preface, decoder, connection])
        }
        self.init(
            settings.common,
            speaking: speech,
            in: parts,
            hosts: settings.hosts,
            pages: WebPages(settings, in: parts, clock: clock),
            paths: settings.paths,
            clock: clock,
            steady: steady
        )
    }
}

extension WebPages {
    /// Nil for a receiver without `cors`.
    fileprivate convenience init?(
        _ settings: OTLPHTTPReceiverSettings,
        in parts: ReceiverContext,
        clock: WallClock
    ) {
        guard let cors = settings.cors else { return nil }
        self.init(
            CORSPolicy(
                cors,
                keptHeaders: settings.common.keptHeaders(besides: parts.processorHeaders),
                trustsBrowsers: settings.trustsBrowsers
            ),
            receiver: parts.name,
            meters: parts.meters,
            clock: clock,
            logger: parts.logger
        )
    }
}

extension OTLPHTTPReceiverSettings {
    /// Whether what browsers add by themselves shows who sends: a password that they remember, or a certificate.
    fileprivate var trustsBrowsers: Bool { auth?.basic.isEmpty == false || tls?.clientCA != nil }
}
