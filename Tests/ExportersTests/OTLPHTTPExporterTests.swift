import Basics
import CZstd
import HTTPClient
import Logging
import OTLP
import Pipeline
import Settings
import Synchronization
import TestKit
import Testing

@testable import Exporters

@Suite struct OTLPHTTPExporterTests {
    private static let payload = [UInt8]((0..<4000).map { UInt8(truncatingIfNeeded: $0 / 40) })

    private func batch(_ signal: Signal = .traces, headers: [HTTPHeader] = []) -> Batch {
        Batch(signal: signal, route: .none, headers: headers, payload: Self.payload, items: 3)
    }

    private func settings(_ compression: CompressionSetting = .none) throws -> OTLPHTTPSettings {
        let endpoint = try #require(HTTPEndpoint(text: "http://collector.example:4318/otlp"))
        return OTLPHTTPSettings(endpoint: endpoint, requests: RequestSettings(compression: compression))
    }

    private func exporter(_ settings: OTLPHTTPSettings, _ client: ScriptedHTTPClient) -> OTLPHTTPExporter {
        let client = client.authorized(Credentials(headers: settings.requests.headers))
        return OTLPHTTPExporter(settings, encoder: BodyEncoder()) { _ in client }
    }

    @Test func `the signal's path follows the base`() async throws {
        let client = ScriptedHTTPClient(.reply(200))
        let exporter = exporter(try settings(), client)
        #expect(await exporter.export(batch()) == .delivered)
        #expect(await exporter.export(batch(.logs)) == .delivered)
        #expect(
            client.calls == [
                "POST http://collector.example:4318/otlp/v1/traces", "POST http://collector.example:4318/otlp/v1/logs",
            ]
        )
        #expect(client.requests[0].body == Self.payload)
        #expect(client.requests[0].header("Content-Type") == "application/x-protobuf")
    }

    @Test func `a signal's own endpoint is used as it is`() async throws {
        let client = ScriptedHTTPClient(.reply(200))
        var settings = try settings()
        settings.endpoint = nil
        settings.signalEndpoints = [.traces: try #require(HTTPEndpoint(text: "http://h/api/public/otel/traces"))]
        let exporter = exporter(settings, client)
        #expect(await exporter.export(batch()) == .delivered)
        #expect(client.calls == ["POST http://h/api/public/otel/traces"])
        #expect(await exporter.export(batch(.metrics)) == .unsendable(reason: "there is no endpoint for metrics"))
    }

    /// Three addresses, of which some are down; the clock moves by hand.
    private func failover(_ outage: Outage, _ clock: ManualClock) throws -> (OTLPHTTPExporter, ScriptedHTTPClient) {
        let client = ScriptedHTTPClient { request, _ in
            let host = request.url.dropFirst("http://".count).prefix { $0 != "/" }
            if outage.strangers.withLock({ $0.contains(String(host)) }) { return .reply(404) }
            return outage.hosts.withLock { $0.contains(String(host)) } ? .failure(.unreachable("refused")) : .reply(200)
        }
        var settings = OTLPHTTPSettings(endpoint: nil, requests: RequestSettings(compression: .none))
        settings.endpoints = try ["a", "b", "c"].map { try #require(HTTPEndpoint(text: "http://\($0)")) }
        let circuits = EndpointCircuits(
            settings.endpoints.map(\.url),
            of: "there",
            retry: RetrySettings(initial: .seconds(1), max: .seconds(1)),
            clock: MonotonicClock(clock),
            events: Timeline(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        return (OTLPHTTPExporter(settings, encoder: BodyEncoder(), circuits: circuits) { _ in client }, client)
    }

    @Test func `what fails at an address whose circuit is open goes to the next, and back after one request`()
        async throws
    {
        let (outage, clock) = (Outage(["a", "b"]), ManualClock())
        let (exporter, client) = try failover(outage, clock)
        let unreachable = DeliveryOutcome.unavailable(reason: "refused", after: nil)
        // Nobody knows yet whether the first is down.
        #expect(await exporter.export(batch()) == unreachable)
        #expect(await exporter.export(batch()) == unreachable)
        // It is; so far nothing is known of the second.
        #expect(await exporter.export(batch()) == unreachable)
        #expect(await exporter.export(batch()) == unreachable)
        #expect(await exporter.export(batch()) == .delivered)
        #expect(exporter.endpoints.map(\.isInUse) == [false, false, true])
        #expect(exporter.endpoints.map(\.circuit) == [.open, .open, .closed])
        let hosts = client.requests.map { $0.url.dropFirst(7).prefix(1) }
        #expect(hosts == ["a", "a", "a", "b", "b", "b", "c"])
        // The first is asked again by one request, which is not lost where it is still down.
        try await clock.sleep(for: .seconds(1))
        #expect(await exporter.export(batch()) == .delivered)
        #expect(client.requests.suffix(3).map(\.url).map { $0.dropFirst(7).prefix(1) } == ["a", "b", "c"])
        outage.hosts.withLock { $0 = [] }
        try await clock.sleep(for: .seconds(1))
        #expect(await exporter.export(batch()) == .delivered)
        #expect(exporter.endpoints.map(\.isInUse) == [true, false, false])
        #expect(client.requests.last?.url == "http://a/v1/traces")
    }

    @Test func `an address that was down is back when it takes a request, not when something answers there`()
        async throws
    {
        let (outage, clock) = (Outage(["a"]), ManualClock())
        let (exporter, _) = try failover(outage, clock)
        for _ in 0..<3 { _ = await exporter.export(batch()) }
        #expect(exporter.endpoints.map(\.isInUse) == [false, true, false])
        outage.strangers.withLock { $0 = ["a"] }
        for _ in 0..<3 {
            try await clock.sleep(for: .seconds(1))
            #expect(await exporter.export(batch()) == .delivered)
            #expect(exporter.endpoints.map(\.isInUse) == [false, true, false])
        }
    }

    @Test func `where all are down one is asked all the same, and the delivery's circuit says when`() async throws {
        let (outage, clock) = (Outage(["a", "b", "c"]), ManualClock())
        let (exporter, client) = try failover(outage, clock)
        for _ in 0..<12 { _ = await exporter.export(batch()) }
        #expect(exporter.endpoints.allSatisfy { $0.circuit == .open && !$0.isInUse })
        let before = client.requests.count
        #expect(await exporter.export(batch()) == .unavailable(reason: "refused", after: nil))
        #expect(client.requests.count == before + 1)
    }

    @Test func `JSON bodies are OTLP's own JSON`() async throws {
        let client = ScriptedHTTPClient(.reply(200))
        var settings = try settings()
        settings.encoding = .json
        let payload = Body.request(service: "s", Body.span(0xAB, "root"))
        let batch = Batch(signal: .traces, route: .none, headers: [], payload: payload, items: 1)
        #expect(await exporter(settings, client).export(batch) == .delivered)
        #expect(client.requests[0].header("Content-Type") == "application/json")
        let node = try JSONNode(parsing: client.requests[0].body)
        let span = node["resourceSpans"]?.elements?[0]["scopeSpans"]?.elements?[0]["spans"]?.elements?[0]
        #expect(span?["spanId"]?.string == "abababababababab")
    }

    @Test func `a batch that cannot be written as JSON is refused`() async throws {
        let client = ScriptedHTTPClient(.reply(200))
        var settings = try settings()
        settings.encoding = .json
        let batch = Batch(signal: .traces, route: .none, headers: [], payload: [0xFF], items: 1)
        let outcome = await exporter(settings, client).export(batch)
        #expect(outcome == .refused(Rejection(status: nil, reason: "the batch cannot be written as JSON")))
        #expect(client.requests.isEmpty)
    }

    @Test func `a client's header replaces a configured one but none of the connection's`() async throws {
        let client = ScriptedHTTPClient(.reply(200))
        var settings = try settings()
        settings.requests.headers = ["X-Tenant": "default", "X-Key": "k"].map {
            Named(name: $0.key, value: Secret($0.value))
        }
        let forwarded = [
            HTTPHeader("x-tenant", "team"), HTTPHeader("content-length", "1"), HTTPHeader("host", "evil"),
        ]
        _ = await exporter(settings, client).export(batch(headers: forwarded))
        let names = client.requests[0].headers.map { "\($0.name): \($0.value)" }
        #expect(names == ["Content-Type: application/x-protobuf", "x-tenant: team", "X-Key: k"])
    }

    @Test func `a compressed body inflates to the batch`() async throws {
        let client = ScriptedHTTPClient(.reply(200))
        _ = await exporter(try settings(.gzip), client).export(batch())
        #expect(client.requests[0].header("Content-Encoding") == "gzip")
        #expect(client.requests[0].body.count < Self.payload.count)
        #expect(gunzip(client.requests[0].body) == Self.payload)
    }

    @Test func `a body in zstd inflates to the batch`() async throws {
        let client = ScriptedHTTPClient(.reply(200))
        _ = await exporter(try settings(.zstd), client).export(batch())
        let sent = client.requests[0]
        var inflated = [UInt8](repeating: 0, count: 64 << 10)
        let count = ZSTD_decompress(&inflated, inflated.count, sent.body, sent.body.count)
        #expect(sent.header("Content-Encoding") == "zstd")
        #expect(ZSTD_isError(count) == 0 && Array(inflated.prefix(count)) == Self.payload)
    }

    @Test(arguments: [
        ("http://127.0.0.1:4318", CompressionSetting.auto, false), ("http://far.example", .auto, true),
        ("http://127.0.0.1:4318", .gzip, true), ("http://far.example", .none, false),
    ])
    func `compression follows the setting and the distance`(
        address: String,
        compression: CompressionSetting,
        isOn: Bool
    ) async throws {
        let client = ScriptedHTTPClient(.reply(200))
        let settings = OTLPHTTPSettings(
            endpoint: HTTPEndpoint(text: address),
            requests: RequestSettings(compression: compression)
        )
        _ = await exporter(settings, client).export(batch())
        #expect((client.requests[0].header("Content-Encoding") == "gzip") == isOn)
    }

    /// A destination that cannot inflate.
    private func plainOnly(_ rejection: Int) -> ScriptedHTTPClient {
        ScriptedHTTPClient { request, _ in
            request.header("Content-Encoding") == nil ? .reply(200) : .reply(rejection, "cannot inflate")
        }
    }

    @Test(arguments: [400, 415])
    func `a refused compressed body goes out plain and the destination is remembered`(rejection: Int) async throws {
        let client = plainOnly(rejection)
        let exporter = exporter(try settings(.gzip), client)
        #expect(await exporter.export(batch()) == .delivered)
        #expect(await exporter.export(batch()) == .delivered)
        #expect(client.requests.map { $0.header("Content-Encoding") } == ["gzip", nil, nil])
    }

    @Test func `a destination that was away is asked again whether it inflates`() async throws {
        let client = ScriptedHTTPClient { request, number in
            if number == 2 { return .failure(.unreachable("down")) }
            return request.header("Content-Encoding") == nil || number > 2 ? .reply(200) : .reply(400)
        }
        let exporter = exporter(try settings(.gzip), client)
        #expect(await exporter.export(batch()) == .delivered)
        #expect(await exporter.export(batch()) == .unavailable(reason: "down", after: nil))
        #expect(await exporter.export(batch()) == .delivered)
        #expect(client.requests.map { $0.header("Content-Encoding") } == ["gzip", nil, nil, "gzip"])
    }

    @Test func `a destination that took gzip before is not sent a bad body twice`() async throws {
        let client = ScriptedHTTPClient(.reply(200), .reply(400, "bad"))
        let exporter = exporter(try settings(.gzip), client)
        #expect(await exporter.export(batch()) == .delivered)
        #expect(
            await exporter.export(batch())
                == .refused(Rejection(status: 400, reason: "status 400: bad", body: Array("bad".utf8)))
        )
        #expect(client.requests.count == 2)
    }

    @Test func `over real sockets a batch arrives compressed and the pause of the answer comes back`() async throws {
        let server = try LoopbackServer { _ in
            .reply(status: 503, headers: [HTTPHeader("Retry-After", "12")], body: Array("busy".utf8))
        }
        let loop = CurlLoop()
        let settings = OTLPHTTPSettings(
            endpoint: HTTPEndpoint(text: server.url),
            requests: RequestSettings(compression: .gzip)
        )
        let exporter = OTLPHTTPExporter(settings, encoder: BodyEncoder()) { CurlClient(loop: loop, connection: $0) }
        #expect(await exporter.export(batch()) == .unavailable(reason: "status 503: busy", after: .seconds(12)))
        let request = try #require(server.requests.first)
        #expect(request.path == "/v1/traces")
        #expect(gunzip(request.body) == Self.payload)
        await loop.close()
    }
}

/// Hosts that are down.
private final class Outage: Sendable {
    let hosts: Mutex<Set<String>>
    /// Where something else answers that there is no such path.
    let strangers = Mutex<Set<String>>([])

    init(_ hosts: Set<String>) { self.hosts = Mutex(hosts) }
}
