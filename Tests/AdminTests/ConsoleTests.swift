import Admin
import Basics
import TestKit
import Testing

@Suite struct `The console's way to the process` {
    private let token = AdminToken(text: "s3cret-admin-token")
    private var shown: String { "Authorization: \(token.authorization)" }

    private func ask(_ request: String, _ lines: [String] = []) async throws -> RawConnection.Response {
        let answers = Answers()
        try await withEndpoint(token: token) { _, address in
            let connection = try RawConnection(to: address)
            let head = ["\(request) HTTP/1.1", "Host: localhost"] + lines
            await connection.send(head.joined(separator: "\r\n") + "\r\n\r\n")
            await answers.keep(connection.receive())
        }
        return try #require(await answers.first)
    }

    @Test(arguments: [
        ("GET /api/status", #"{"status":"a\nb"}"#), ("GET /api/services", #"{"services":[]}"#),
        ("GET /api/config", #"{"file":{}}"#), ("GET /api/traces?id=7", #"{"trace":"7"}"#),
        ("GET /api/dead-letters/list?exporter=x", "list x -"),
    ])
    func `data needs the token and is kept nowhere`(request: String, body: String) async throws {
        #expect(try await ask(request).status == 401)
        let answer = try await ask(request, [shown])
        #expect(answer.status == 200 && answer.text == body)
        #expect(answer.headers["content-type"] == "application/json")
        #expect(answer.headers["cache-control"] == "no-store")
    }

    @Test(arguments: ["GET /", "GET /console/app.js", "GET /api/status", "GET /healthz"])
    func `every answer tells browsers what a page may do`(request: String) async throws {
        let headers = try await ask(request).headers
        #expect(
            headers["content-security-policy"]
                == "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
        )
        #expect(headers["x-content-type-options"] == "nosniff" && headers["referrer-policy"] == "no-referrer")
        #expect(headers["cross-origin-resource-policy"] == "same-origin")
    }

    @Test(arguments: [
        ("POST /api/destinations/pause?exporter=a%20b&pipeline=p", "application/json", 200, "true a b p"),
        ("POST /api/destinations/resume?exporter=a", "Application/JSON; charset=utf-8", 200, "false a -"),
        ("POST /api/destinations/pause?exporter=gone", "application/json", 404, "no exporter \"gone\""),
        ("POST /api/dead-letters/purge?id=1", "application/json", 200, "purge - 1"),
        ("POST /api/dead-letters/purge?id=1", "text/plain", 415, nil),
        ("POST /api/dead-letters/purge?id=1", "application/jsonp", 415, nil),
        ("POST /api/destinations/pause?exporter=a", "application/x-www-form-urlencoded", 415, nil),
        ("GET /api/destinations/pause?exporter=a", "application/json", 405, nil),
        ("POST /api/status", "application/json", 405, nil), ("POST /console/app.js", "application/json", 405, nil),
    ])
    func `changes come by POST and say that they are JSON`(
        request: String,
        type: String,
        status: Int,
        body: String?
    ) async throws {
        let answer = try await ask(request, [shown, "Content-Type: \(type)"])
        #expect(answer.status == status)
        if let body { #expect(answer.text == body) }
    }

    @Test func `a stream is told the status again and again, and one too many to ask for it`() async throws {
        var limits = AdminLimits()
        limits.streams = 1
        try await withEndpoint(token: token, limits: limits) { _, address in
            let head = "GET /api/stream?tail=a%20b HTTP/1.1\r\nHost: localhost\r\n\(shown)\r\n\r\n"
            let listener = try RawConnection(to: address)
            await listener.send(head)
            var text = ""
            while text.split(separator: #"data: {"status":"a\nb"}"#).count < 3 {
                text += String(decoding: try #require(await listener.receiveSome()), as: UTF8.self)
            }
            #expect(text.contains("content-type: text/event-stream") && text.contains("event: status\n"))
            #expect(text.contains("event: tail\ndata: {\"tail\":\"a b\"}\n\n"))
            let other = try RawConnection(to: address)
            await other.send(head)
            #expect(await other.receive()?.status == 503)
            listener.closeOutput()
            // Its place is free once the endpoint has seen that it left.
            var status: Int?
            while status != 200 {
                let next = try RawConnection(to: address)
                await next.send(head)
                status = await next.receive()?.status
            }
        }
    }
}

extension `The console's way to the process` {
    @Test func `a stream ends when another token counts, and only then`() async throws {
        try await withEndpoint(token: token) { endpoint, address in
            let listener = try RawConnection(to: address)
            await listener.send("GET /api/stream?tail=a HTTP/1.1\r\nHost: localhost\r\n\(shown)\r\n\r\n")
            func events(_ count: Int) async throws {
                var text = ""
                while text.split(separator: "event: status").count <= count {
                    let bytes = try #require(await listener.receiveSome())
                    try #require(!bytes.isEmpty, "the stream has ended")
                    text += String(decoding: bytes, as: UTF8.self)
                }
            }
            try await events(1)
            endpoint.change(token: AdminToken(text: token.text), opensMetrics: true)
            try await events(2)
            endpoint.change(token: AdminToken(text: "another-token-16"), opensMetrics: true)
            #expect(await listener.receiveUntilClosed() != nil)
        }
    }
}

private actor Answers {
    private(set) var first: RawConnection.Response?
    func keep(_ answer: RawConnection.Response?) { first = answer }
}
