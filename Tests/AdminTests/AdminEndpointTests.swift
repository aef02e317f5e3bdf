import Admin
import Basics
import Logging
import Pipeline
import Synchronization
import TestKit
import Testing

struct FixedSource: AdminSource {
    var unreadyReasons: [String] = []
    var ledgerJSON: [UInt8] { Array(#"{"pipelines":{}}"#.utf8) }
    var metrics = "# TYPE a counter\na 1\n"
    var whenAsked: @Sendable () -> Void = {}
    var metricsText: String {
        whenAsked()
        return metrics
    }
    var statusJSON: [UInt8] { Array(#"{"status":"a\nb"}"#.utf8) }
    var servicesJSON: [UInt8] { Array(#"{"services":[]}"#.utf8) }
    var configurationJSON: [UInt8] { Array(#"{"file":{}}"#.utf8) }
    func set(paused isPaused: Bool, _ destination: ConsoleDestination) -> DeadLetterOffice.Answer {
        destination.exporter == "gone"
            ? .unknown("no exporter \"gone\"")
            : .done(Array("\(isPaused) \(destination.exporter) \(destination.pipeline ?? "-")".utf8))
    }
    func tail(_ wish: TailWish) -> any AdminTail { FixedTail(text: wish.text) }
    func answer(trace id: String) async -> DeadLetterOffice.Answer { .done(Array(#"{"trace":"\#(id)"}"#.utf8)) }
    func answer(_ request: DeadLetterOffice.Request) async -> DeadLetterOffice.Answer {
        switch request.id {
        case "gone": .unknown("there is no dead letter gone")
        case "full": .incomplete("no room")
        default: .done(Array("\(request.action) \(request.exporter ?? "-") \(request.id ?? "-")".utf8))
        }
    }

    func reload(_ request: ReloadRequest) async -> ReloadAnswer {
        request.file == "bad"
            ? ReloadAnswer(problems: ["bad:1:1: /: wrong"])
            : ReloadAnswer(digest: request.file ?? "-", warnings: request.abandoning)
    }
}

struct FixedTail: AdminTail {
    let text: String
    func take() -> [UInt8]? { text.isEmpty ? nil : Array(#"{"tail":"\#(text)"}"#.utf8) }
    func leave() {}
}

func withEndpoint(
    _ source: FixedSource = FixedSource(),
    on listen: ListenAddress = .tcp(host: "127.0.0.1", port: 0),
    token: AdminToken? = nil,
    opensMetrics: Bool = false,
    log: LogLines? = nil,
    limits: AdminLimits = AdminLimits(),
    _ body: (AdminEndpoint, ListenAddress) async throws -> Void
) async throws {
    let endpoint = AdminEndpoint(
        listen: listen,
        source: source,
        token: token,
        opensMetrics: opensMetrics,
        limits: limits,
        logger: log?.logger ?? Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    )
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

/// What `/api/reload` asks for before it is done.
@Suite struct `How the admin endpoint is told to reload` {
    private static let token = AdminToken(text: "0123456789abcdef")

    @Test(arguments: [
        (
            "POST", "", ["Authorization: Bearer 0123456789abcdef", "Content-Type: application/json"], 200,
            #""hash":"-""#
        ),
        (
            "POST", "?file=%2Fa%20b&abandon=x&abandon=y",
            ["Authorization: Bearer 0123456789abcdef", "Content-Type: application/json; charset=utf-8"], 200,
            #""hash":"/a b","problems":[],"warnings":["x","y"]"#
        ),
        (
            "POST", "?file=bad", ["Authorization: Bearer 0123456789abcdef", "Content-Type: application/json"], 422,
            #""taken":false,"hash":"","problems":["bad:1:1: /: wrong"]"#
        ),
        ("POST", "", ["Authorization: Bearer 0123456789abcdef"], 415, "application/json"),
        ("GET", "", ["Authorization: Bearer 0123456789abcdef"], 405, "GET"),
        ("POST", "", ["Content-Type: application/json"], 401, "token"),
        (
            "POST", "",
            [
                "Authorization: Bearer 0123456789abcdef", "Content-Type: application/json",
                "Origin: http://elsewhere.example",
            ], 403, "elsewhere.example"
        ),
    ])
    func `a reload is a change`(
        method: String,
        query: String,
        headers: [String],
        status: Int,
        words: String
    ) async throws {
        try await withEndpoint(token: Self.token) { _, address in
            let connection = try RawConnection(to: address)
            let lines = (["\(method) /api/reload\(query) HTTP/1.1", "Host: localhost", "Content-Length: 0"] + headers)
                .joined(separator: "\r\n")
            await connection.send("\(lines)\r\n\r\n")
            let answer = try #require(await connection.receive())
            #expect(answer.status == status && answer.text.contains(words), "\(answer)")
        }
    }

    @Test func `another token counts at once`() async throws {
        try await withEndpoint(token: Self.token) { endpoint, address in
            let connection = try RawConnection(to: address)
            endpoint.change(token: AdminToken(text: "another-token-16"), opensMetrics: false)
            for (token, status) in [("0123456789abcdef", 401), ("another-token-16", 200)] {
                await connection.send(
                    "POST /api/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Type: application/json\r\nAuthorization: Bearer \(token)\r\n\r\n"
                )
                #expect(try #require(await connection.receive()).status == status)
            }
        }
    }
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
            await connection.send("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let answer = try #require(await connection.receive())
            #expect(answer.status == status && answer.headers["content-type"] == type && answer.text == body)
            #expect(answer.headers["allow"] == (status == 405 ? "GET, HEAD" : nil))
        }
    }

    @Test func `one connection takes several requests, HEAD among them`() async throws {
        try await withEndpoint { _, address in
            let connection = try RawConnection(to: address)
            await connection.send(
                "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
            let head = try #require(await connection.receive(hasBody: false))
            #expect(head.status == 200 && head.headers["content-length"] == "2")
            #expect(await connection.receive()?.status == 404)
            await connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            #expect(await connection.receive()?.text.contains("/console/app.js") == true)
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `not being ready is a 503 with the reasons`() async throws {
        try await withEndpoint(FixedSource(unreadyReasons: ["no \"disk\"", "b"])) { _, address in
            let connection = try RawConnection(to: address)
            await connection.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
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

@Suite(.timeLimit(.minutes(10))) struct `Slow clients of the admin endpoint` {
    private func isHealthy(_ address: ListenAddress) async throws -> Bool {
        let connection = try RawConnection(to: address)
        await connection.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return await connection.receive()?.status == 200
    }

    private static func limits(_ change: (inout AdminLimits) -> Void) -> AdminLimits {
        var limits = AdminLimits()
        change(&limits)
        return limits
    }

    @Test(arguments: ["", "GET /healthz HTTP/1.1\r\nHost: local", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"])
    func `do not keep others from an answer, however many there are`(start: String) async throws {
        try await withEndpoint { _, address in
            var slow: [RawConnection] = []
            for _ in 0..<80 {
                let connection = try RawConnection(to: address)
                await connection.send(start)
                slow.append(connection)
            }
            for _ in 0..<3 { #expect(try await isHealthy(address)) }
            // The first had to make room.
            #expect(await slow[0].receive() == nil)
        }
    }

    @Test(arguments: [
        ("", Self.limits { $0.idle = .milliseconds(50) }), ("GET /heal", Self.limits { $0.head = .milliseconds(50) }),
        ("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", Self.limits { $0.body = .milliseconds(50) }),
        ("POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n" + String(repeating: "x", count: 99_999), AdminLimits()),
    ])
    func `are closed`(start: String, limits: AdminLimits) async throws {
        try await withEndpoint(limits: limits) { _, address in
            let connection = try RawConnection(to: address)
            await connection.send(start)
            #expect(await connection.receive() == nil)
            #expect(try await isHealthy(address))
        }
    }

    /// 2,000 requests for 1 MB each, in one write.
    @Test func `that read no answers are answered no further`() async throws {
        let asked = Mutex(0)
        var source = FixedSource()
        source.metrics = String(repeating: "m", count: 1 << 20)
        source.whenAsked = { asked.withLock { $0 += 1 } }
        try await withEndpoint(source, limits: Self.limits { $0.writing = .milliseconds(300) }) { _, address in
            let connection = try RawConnection(to: address)
            let one = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
            await connection.send(String(repeating: one, count: 2000))
            // Until the endpoint closes the connection.
            while await connection.send(one) {}
            // What the sockets' buffers take, and one more.
            #expect((1..<32).contains(asked.withLock { $0 }))
            #expect(try await isHealthy(address))
        }
    }
}

@Suite struct `Web pages at the admin endpoint` {
    private func status(_ path: String, _ hosts: [String], on listen: ListenAddress) async throws -> Int? {
        try await answer(path, hosts, on: listen)?.status
    }

    private func answer(
        _ path: String,
        _ hosts: [String],
        on listen: ListenAddress
    ) async throws -> RawConnection.Response? {
        let received = Mutex<RawConnection.Response?>(nil)
        try await withEndpoint(FixedSource(unreadyReasons: ["full"]), on: listen) { _, address in
            let connection = try RawConnection(to: address)
            let lines = hosts.map { "Host: \($0)\r\n" }.joined()
            await connection.send("GET \(path) HTTP/1.0\r\n\(lines)\r\n")
            let answer = await connection.receive()
            received.withLock { $0 = answer }
        }
        return received.withLock { $0 }
    }

    @Test(arguments: ["/ledger", "/", "/ledger?a", "/metrics", "http://evil.example/ledger"])
    func `read nothing by a name of their own that leads to loopback`(path: String) async throws {
        let listen = ListenAddress.tcp(host: "127.0.0.1", port: 0)
        #expect(try await status(path, ["evil.example:13133"], on: listen) == 403)
        #expect(try await status(path, ["localhost", "evil.example"], on: listen) == 403)
        let allowed = path.hasPrefix("/") ? 200 : 404
        for hosts in [["localhost:1"], ["127.0.0.1:13133"], []] {
            #expect(try await status(path, hosts, on: listen) == allowed)
        }
    }

    @Test func `are nothing that probes and unix sockets know`() async throws {
        let listen = ListenAddress.tcp(host: "127.0.0.1", port: 0)
        #expect(try await status("/healthz", ["evil.example"], on: listen) == 200)
        let foreign = try await answer("/readyz", ["evil.example"], on: listen)
        #expect(foreign?.status == 503 && foreign?.text == #"{"ready":false}"#)
        #expect(try await answer("/readyz", ["localhost"], on: listen)?.text.contains("full") == true)
        let socket = ListenAddress.unix(path: "/tmp/millrace-\(UInt64.random(in: 0...(.max))).sock")
        #expect(try await status("/ledger", ["evil.example"], on: socket) == 200)
    }
}

@Suite struct `Dead letters at the admin endpoint` {
    private let directory: TemporaryDirectory
    private let token: AdminToken

    init() throws {
        directory = try TemporaryDirectory()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        token = try #require(AdminToken.keep(in: directory.path, logger: logger))
    }

    private func ask(
        _ method: String,
        _ path: String,
        authorization: String?
    ) async throws -> (status: Int, text: String) {
        let answer = Mutex((status: 0, text: ""))
        try await withEndpoint(token: token) { _, address in
            let connection = try RawConnection(to: address)
            let header = authorization.map { "Authorization: \($0)\r\n" } ?? ""
            await connection.send("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\(header)\r\n")
            let received = try #require(await connection.receive())
            answer.withLock { $0 = (received.status, received.text) }
        }
        return answer.withLock { $0 }
    }

    @Test func `are closed to whoever has not the token of the journal's directory`() async throws {
        for authorization in [nil, "Bearer x", token.text, "Bearer " + String(token.text.reversed())] {
            for (method, action) in [("GET", "list"), ("GET", "show"), ("POST", "replay"), ("POST", "purge")] {
                #expect(try await ask(method, "/dead-letters/\(action)", authorization: authorization).status == 401)
            }
        }
    }

    @Test func `are listed, shown, replayed and purged with it`() async throws {
        let read = try #require(AdminToken.read(in: directory.path)).authorization
        for action in DeadLetterOffice.Request.Action.allCases {
            let path = DeadLetterPath(.init(action, exporter: "a b&c", id: "t/a b&c/1"))
            let answer = try await ask(path.method, path.uri, authorization: read)
            #expect(answer.status == 200 && answer.text == "\(action) a b&c t/a b&c/1")
        }
        #expect(try await ask("POST", "/dead-letters/purge?id=gone", authorization: read).status == 404)
        #expect(try await ask("POST", "/dead-letters/replay?id=full", authorization: read).status == 507)
        #expect(try await ask("GET", "/dead-letters/purge", authorization: read).status == 405)
        #expect(try await ask("GET", "/dead-letters/burn", authorization: read).status == 404)
    }
}
