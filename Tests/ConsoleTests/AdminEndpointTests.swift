import Basics
import Console
import Logging
import TestKit
import Testing

private struct FixedSource: AdminSource {
    var unreadyReasons: [String] = []
    var ledgerJSON: [UInt8] { Array(#"{"pipelines":{}}"#.utf8) }
    var metricsText: String { "# TYPE a counter\na 1\n" }
}

private func withEndpoint(
    _ source: FixedSource = FixedSource(),
    on listen: ListenAddress = .tcp(host: "127.0.0.1", port: 0),
    _ body: (AdminEndpoint, ListenAddress) async throws -> Void
) async throws {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let endpoint = AdminEndpoint(listen: listen, source: source, logger: logger)
    try await endpoint.start()
    let result: Result<Void, any Error>
    do {
        result = .success(try await body(endpoint, try #require(endpoint.boundAddress)))
    } catch {
        result = .failure(error)
    }
    await endpoint.close()
    #expect(endpoint.boundAddress == nil)
    try result.get()
}

@Suite struct `What the admin endpoint shows` {
    @Test(arguments: [
        ("GET", "/healthz", 200, "text/plain; charset=utf-8", "ok"),
        ("GET", "/healthz?now", 200, "text/plain; charset=utf-8", "ok"),
        ("GET", "/readyz", 200, "application/json", #"{"ready":true,"reasons":[]}"#),
        ("GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", "# TYPE a counter\na 1\n"),
        ("GET", "/ledger", 200, "application/json", #"{"pipelines":{}}"#),
        ("POST", "/metrics", 405, "text/plain; charset=utf-8", "POST is not allowed here\n"),
    ])
    func `each path has its page`(
        _ method: String,
        _ path: String,
        _ status: Int,
        _ type: String,
        _ body: String
    ) async throws {
        try await withEndpoint { _, address in
            let connection = try RawConnection(to: address)
            await connection.send("\(method) \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try #require(await connection.receive())
            #expect(answer.status == status && answer.headers["content-type"] == type && answer.text == body)
            #expect(answer.headers["allow"] == (status == 405 ? "GET, HEAD" : nil))
        }
    }

    @Test func `one connection takes several requests, HEAD among them`() async throws {
        try await withEndpoint { _, address in
            let connection = try RawConnection(to: address)
            await connection.send("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
            let head = try #require(await connection.receive(hasBody: false))
            #expect(head.status == 200 && head.headers["content-length"] == "2")
            #expect(await connection.receive()?.status == 404)
            await connection.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(await connection.receive()?.text.contains("/readyz") == true)
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `not being ready is a 503 with the reasons`() async throws {
        try await withEndpoint(FixedSource(unreadyReasons: ["no \"disk\"", "b"])) { _, address in
            let connection = try RawConnection(to: address)
            await connection.send("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try #require(await connection.receive())
            #expect(answer.status == 503 && answer.text == #"{"ready":false,"reasons":["no \"disk\"","b"]}"#)
        }
    }

    @Test func `what is not HTTP is closed`() async throws {
        try await withEndpoint { _, address in
            let connection = try RawConnection(to: address)
            await connection.send("\u{16}\u{03}\u{01}hello\r\n\r\n")
            #expect(await connection.receiveUntilClosed() != nil)
        }
    }

    @Test func `an address in use is named with the reason`() async throws {
        try await withEndpoint { _, address in
            let error = await #expect(throws: ListenError.self) {
                try await withEndpoint(on: address) { _, _ in }
            }
            #expect(error?.description == "cannot listen on \(address): Address already in use")
        }
    }
}
