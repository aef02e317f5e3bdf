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
        let duration: [UInt8] = [0x08, seconds, 0x10, 0x80, 0xCA, 0xB5, 0xEE, 0x01]
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
    ])
    func `a message over the server's limit is divided`(code: Int, message: String) throws {
        guard case .tooLarge = try reply(code, message).outcome(.logs) else {
            Issue.record("\(try reply(code, message).outcome(.logs))")
            return
        }
    }

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

    @Test func `a server without gzip is sent the message plain, and remembered`() async throws {
        let client = ScriptedHTTPClient { request, _ in
            let code = request.header("grpc-encoding") == nil ? "0" : "12"
            let headers = [HTTPHeader("content-type", "application/grpc"), HTTPHeader("grpc-status", code)]
            return .success(HTTPResponse(status: 200, headers: headers, body: []))
        }
        var settings = OTLPGRPCSettings(endpoint: try #require(HTTPEndpoint(text: "http://far.example:4317")))
        settings.requests.compression = .gzip
        let exporter = OTLPGRPCExporter(settings, encoder: BodyEncoder(), client: client)
        let payload = [UInt8](repeating: 7, count: 4000)
        let batch = Batch(signal: .metrics, route: .none, headers: [], payload: payload, items: 1)
        #expect(await exporter.export(batch) == .delivered)
        #expect(await exporter.export(batch) == .delivered)
        #expect(client.requests.map { $0.header("grpc-encoding") } == ["gzip", nil, nil])
        #expect(client.requests[1].body == [0, 0, 0, 0x0F, 0xA0] + payload)
        #expect(
            client.requests[0].url.hasSuffix(":4317/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
        )
    }
}
