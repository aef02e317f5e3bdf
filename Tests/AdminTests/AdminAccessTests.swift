import Admin
import Basics
import Synchronization
import TestKit
import Testing

@Suite struct `An admin endpoint that others can reach` {
    private static let everywhere = ListenAddress.tcp(host: "0.0.0.0", port: 0)
    private let token = AdminToken(text: "s3cret-admin-token")
    private let log = LogLines()

    private func ask(
        _ path: String,
        _ lines: [String] = [],
        at listen: ListenAddress = everywhere,
        source: FixedSource = FixedSource(),
        opensMetrics: Bool = false
    ) async throws -> RawConnection.Response {
        let answer = Mutex<RawConnection.Response?>(nil)
        try await withEndpoint(source, on: listen, token: token, opensMetrics: opensMetrics, log: log) { _, bound in
            guard case .tcp(_, let port) = bound else { return }
            let connection = try RawConnection(to: .tcp(host: "127.0.0.1", port: port))
            let head = ["GET \(path) HTTP/1.1", "Host: localhost"] + lines
            await connection.send(head.joined(separator: "\r\n") + "\r\n\r\n")
            let received = await connection.receive()
            answer.withLock { $0 = received }
        }
        return try #require(answer.withLock { $0 })
    }

    @Test(arguments: [
        "/ledger", "/metrics", "/nowhere", "/dead-letters/list", "/api/config", "/api/stream?x", "/api/nowhere",
        "/console/nowhere.js",
    ])
    func `wants the token, and says where it is`(path: String) async throws {
        let answer = try await ask(path)
        #expect(answer.status == 401)
        #expect(answer.headers["www-authenticate"] == #"Bearer realm="millrace admin""#)
        #expect(answer.text.contains("the file admin-token in the journal's directory"))
        guard !path.hasPrefix("/api/stream") else { return }
        let shown = try await ask(path, ["Authorization: bearer \(token.text)"])
        #expect(shown.status == (path.contains("nowhere") ? 404 : 200))
    }

    @Test func `gives everybody the page, which holds nothing of the process`() async throws {
        for (path, type) in [
            ("/", "text/html; charset=utf-8"), ("/console/app.js", "text/javascript; charset=utf-8"),
            ("/console/style.css", "text/css; charset=utf-8"), ("/console/clients.json", "application/json"),
            ("/console/icon.svg", "image/svg+xml"),
        ] {
            let answer = try await ask(path)
            #expect(answer.status == 200 && answer.headers["content-type"] == type)
        }
    }

    @Test func `opens metrics where the pipeline file says so`() async throws {
        #expect(try await ask("/metrics", opensMetrics: true).status == 200)
        #expect(try await ask("/ledger", opensMetrics: true).status == 401)
    }

    @Test func `tells whoever asks that it is not ready, and only who shows the token why`() async throws {
        let source = FixedSource(unreadyReasons: ["/var/lib/millrace is full"])
        #expect(try await ask("/readyz", source: source).text == #"{"ready":false}"#)
        let shown = try await ask("/readyz", ["Authorization: Bearer \(token.text)"], source: source)
        #expect(shown.status == 503 && shown.text.contains("is full"))
    }

    @Test(arguments: [
        "Bearer s3cret-admin-toke", "Bearer s3cret-admin-token2", "s3cret-admin-token", "Basic s3cret-admin-token",
        "Bearer  ", "Bearer",
    ])
    func `logs wrong tokens by their source, and not the tokens`(authorization: String) async throws {
        #expect(try await ask("/ledger", ["Authorization: \(authorization)"]).status == 401)
        #expect(
            log.lines("a request to the admin endpoint shows a wrong token path=/ledger source=127.0.0.1").count == 1
        )
        #expect(!log.all.joined().contains("s3cret"))
    }

    @Test func `logs refused requests once a minute for each address`() async throws {
        try await withEndpoint(on: Self.everywhere, token: token, log: log) { _, bound in
            guard case .tcp(_, let port) = bound else { return }
            for lines in ["", "Authorization: Bearer s3cret\r\n", ""] {
                let connection = try RawConnection(to: .tcp(host: "127.0.0.1", port: port))
                await connection.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\(lines)\r\n")
                #expect(await connection.receive()?.status == 401)
            }
        }
        let what = "a request to the admin endpoint shows"
        #expect(log.lines(what) == ["\(what) no token path=/metrics source=127.0.0.1"])
    }

    @Test(arguments: [
        ("http://evil.example", 403), ("null", 403), ("http://localhost:1", 403), ("http://localhost", 200),
        ("https://LOCALHOST", 200),
    ])
    func `answers web pages of its own origin only`(origin: String, status: Int) async throws {
        let loopback = ListenAddress.tcp(host: "127.0.0.1", port: 0)
        for listen in [loopback, Self.everywhere] {
            let lines = ["Origin: \(origin)", "Authorization: Bearer \(token.text)"]
            #expect(try await ask("/ledger", lines, at: listen).status == status)
            #expect(try await ask("/healthz", ["Origin: \(origin)"], at: listen).status == 200)
        }
    }
}
