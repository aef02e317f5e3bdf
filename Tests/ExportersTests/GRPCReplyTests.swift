import Basics
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Exporters

@Suite struct GRPCReplyTests {
    private func reply(_ code: Int, _ message: String = "so", details: String? = nil) throws -> GRPCReply {
        var headers = [
            HTTPHeader("content-type", "application/grpc+proto"), HTTPHeader("grpc-status", "\(code)"),
            HTTPHeader("grpc-message", message),
        ]
        if let details { headers.append(HTTPHeader("grpc-status-details-bin", details)) }
        return try #require(GRPCReply(HTTPResponse(status: 200, headers: headers, body: [])))
    }

    /// A `Status` with a `RetryInfo` of that many seconds and 500,000,000 ns, in base64 without padding.
    private func details(seconds: UInt8) -> String {
        details([0x08, seconds, 0x10, 0x80, 0xCA, 0xB5, 0xEE, 0x01])
    }

    private func details(_ duration: [UInt8]) -> String {
        let info: [UInt8] = [0x0A, UInt8(duration.count)] + duration
        let type = Array("type.googleapis.com/google.rpc.RetryInfo".utf8)
        let any: [UInt8] = [0x0A, UInt8(type.count)] + type + [0x12, UInt8(info.count)] + info
        let status: [UInt8] = [0x08, 14, 0x1A, UInt8(any.count)] + any
        return String(status.base64.prefix { $0 != "=" })
    }

    @Test(arguments: [
        (1, "unavailable"), (2, "failed"), (3, "refused"), (4, "timedOut"), (5, "parked"), (6, "refused"),
        (7, "parked"),
        (8, "unavailable"), (9, "parked"), (10, "unavailable"), (11, "unavailable"), (12, "parked"), (13, "failed"),
        (14, "unavailable"), (15, "unavailable"), (16, "parked"), (99, "failed"),
    ])
    func `every status has its outcome`(code: Int, outcome: String) throws {
        #expect("\(try reply(code).outcome(.traces))".hasPrefix(outcome))
    }

    @Test(arguments: [
        (8, "grpc: received message larger than max (5 vs. 4)"), (8, "gRPC message exceeds maximum size 4: 5"),
        (8, "Received%20message%20larger%20than%20max"), (11, "Error, decoded message length too large: found 5 bytes"),
        (8, "Received message exceeds the maximum configured message size."), (8, "the body is longer than 64KiB"),
        (8, "Error: size limit, of 4 bytes, exceeded while decompressing message"),
    ])
    func `a message over the server's limit is divided`(code: Int, message: String) throws {
        guard case .tooLarge = try reply(code, message).outcome(.logs) else {
            Issue.record("\(try reply(code, message).outcome(.logs))")
            return
        }
    }

    @Test(arguments: [
        "quota exceeded for requests", "too many requests, rate limit exceeded", "no room", "request rate too large",
    ])
    func `a limit that passes with time divides nothing`(message: String) throws {
        guard case .unavailable = try reply(8, message).outcome(.traces) else {
            Issue.record("\(try reply(8, message).outcome(.traces))")
            return
        }
        #expect("\(try reply(8, "message too large", details: details(seconds: 3)).outcome(.logs))".hasPrefix("unav"))
    }

    @Test func `no pause is longer than an hour`() throws {
        // 2³¹ seconds.
        let duration: [UInt8] = [0x08, 0x80, 0x80, 0x80, 0x80, 0x08]
        #expect(try reply(14, details: details(duration)).pause == .seconds(3600))
    }

    /// A partial success that turns 3 spans away.
    private static let partial: [UInt8] = [0x0A, 0x02, 0x08, 0x03]

    @Test(
        arguments: [
            (frame(partial), nil, 3), (GRPCReply.framed(Gzip.compress(partial) ?? [], isCompressed: true), "gzip", 3),
            (GRPCReply.framed(Gzip.compress(partial) ?? [], isCompressed: true), nil, 0),
            (GRPCReply.framed(partial, isCompressed: true), "gzip", 0), (frame(partial).dropLast(), nil, 0),
            (frame(partial) + frame(partial), nil, 0), ([], nil, 0),
        ] as [([UInt8], String?, Int)]
    )
    func `what an answer turns away is counted, compressed or not`(body: [UInt8], coding: String?, rejected: Int) throws
    {
        var headers = [HTTPHeader("content-type", "application/grpc"), HTTPHeader("grpc-status", "0")]
        if let coding { headers.append(HTTPHeader("grpc-encoding", coding)) }
        let reply = try #require(GRPCReply(HTTPResponse(status: 200, headers: headers, body: body)))
        #expect(reply.outcome(.traces) == .delivered(rejected: rejected, message: ""))
    }

    private static func frame(_ message: [UInt8]) -> [UInt8] { GRPCReply.framed(message, isCompressed: false) }

    @Test func `a message without anything turned away is a warning`() throws {
        let warning: [UInt8] = [0x0A, 0x04, 0x12, 0x02] + Array("hm".utf8)
        let headers = [HTTPHeader("content-type", "application/grpc"), HTTPHeader("grpc-status", "0")]
        let response = HTTPResponse(status: 200, headers: headers, body: Self.frame(warning))
        #expect(try #require(GRPCReply(response)).outcome(.traces) == .delivered(rejected: 0, message: "hm"))
    }

    @Test(
        arguments: [
            (200, "application/grpc", nil, "failed"), (200, "text/html", nil, "parked"),
            (400, "text/html", nil, "parked"),
            (418, "text/html", nil, "parked"), (431, "application/json", nil, "parked"),
            (503, "text/html", nil, "unavailable"),
            (413, "text/html", nil, "tooLarge"), (400, "application/grpc", "14", "unavailable"),
            (503, "application/grpc", "0", "unavailable"),
        ] as [(Int, String, String?, String)]
    )
    func `an answer that is not gRPC's refuses nothing`(
        status: Int,
        type: String,
        code: String?,
        outcome: String
    ) async throws {
        let headers = [HTTPHeader("content-type", type)] + (code.map { [HTTPHeader("grpc-status", $0)] } ?? [])
        let client = ScriptedHTTPClient { _, _ in
            .success(HTTPResponse(status: status, headers: headers, body: Array("x".utf8)))
        }
        let exporter = OTLPGRPCExporter(try settings(), encoder: BodyEncoder(), client: client)
        #expect("\(await exporter.export(batch))".hasPrefix(outcome))
    }

    private func settings() throws -> OTLPGRPCSettings {
        OTLPGRPCSettings(endpoint: try #require(HTTPEndpoint(text: "http://far.example:4317")))
    }

    private let batch = Batch(
        signal: .metrics,
        route: .none,
        headers: [],
        payload: [UInt8](repeating: 7, count: 4000),
        items: 1
    )

    @Test func `a pause of the details is kept, and broken ones are none`() throws {
        #expect(try reply(14, details: details(seconds: 3)).pause == .milliseconds(3500))
        let whole = details(seconds: 3)
        for length in 0..<whole.count { _ = try reply(14, details: String(whole.prefix(length))).pause }
        #expect(try reply(14, details: "!").pause == nil)
        #expect(try reply(14).pause == nil)
    }

    @Test(arguments: [(200, "text/html", "0"), (503, "application/grpc", "0"), (200, "application/grpc", "x")])
    func `another answer is not gRPC's`(status: Int, type: String, code: String) {
        let headers = [HTTPHeader("content-type", type), HTTPHeader("grpc-status", code)]
        #expect(GRPCReply(HTTPResponse(status: status, headers: headers, body: [])) == nil)
    }

    @Test(arguments: [1, 2]) func `a server without gzip is sent the message plain, and remembered`(
        firstRefused: Int
    ) async throws {
        let client = ScriptedHTTPClient { request, number in
            let code = number == firstRefused - 1 && request.header("grpc-encoding") != nil ? "12" : "0"
            let headers = [HTTPHeader("content-type", "application/grpc"), HTTPHeader("grpc-status", code)]
            return .success(HTTPResponse(status: 200, headers: headers, body: []))
        }
        var settings = try settings()
        settings.requests.compression = .gzip
        let exporter = OTLPGRPCExporter(settings, encoder: BodyEncoder(), client: client)
        for _ in 1...firstRefused + 1 { #expect(await exporter.export(batch) == .delivered) }
        // Each compressed until one is refused, which goes plain, as all that follow do.
        let codings = [String?](repeating: "gzip", count: firstRefused) + [nil, nil]
        #expect(client.requests.map { $0.header("grpc-encoding") } == codings)
        #expect(client.requests[firstRefused].body == [0, 0, 0, 0x0F, 0xA0] + batch.payload)
        #expect(
            client.requests[0].url.hasSuffix(":4317/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
        )
    }
}
