import Basics
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Receivers

private let origin = "https://app.example.com"

/// A request of a page, and the status that it gets.
struct PageCase: Sendable, CustomTestStringConvertible {
    let status: Int
    let name: String
    let request: [UInt8]
    var testDescription: String { "\(status), \(name)" }

    init(_ status: Int, _ name: String, _ request: [UInt8]) {
        (self.status, self.name, self.request) = (status, name, request)
    }
}

/// A request with an origin and a token.
private func pageRequest(
    _ method: String = "POST",
    _ path: String = "/v1/traces",
    type: String? = "application/json",
    headers: [String] = [],
    from origin: String = origin,
    token: String? = "token-a",
    body: [UInt8] = [1]
) -> [UInt8] {
    let shown = token.map { ["Authorization: Bearer \($0)"] } ?? []
    return request(method, path, type: type, headers: ["Origin: \(origin)"] + shown + headers, body: body)
}

private func preflight(
    _ path: String = "/v1/traces",
    from origin: String = origin,
    asking headers: String = "content-type",
    host: String = "localhost"
) -> [UInt8] {
    let asked = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: \(headers)", "Host: \(host)"]
    return pageRequest("OPTIONS", path, type: nil, headers: asked, from: origin, token: nil, body: [])
}

/// A receiver with `auth` that answers as the first byte of a body says.
private func withPages(
    _ origins: [String]? = [origin],
    log: LogLines? = nil,
    _ configure: (inout OTLPHTTPReceiverSettings) -> Void = { _ in },
    _ body: (ReceiverHarness) async throws -> Void
) async throws {
    let intake = ScriptedIntake { request in
        switch request.body.first {
        case 2: .now(.invalid("no"))
        case 3: .later(.throttled("slower", retryAfter: .seconds(2)))
        case 4: .later(.unavailable("later", retryAfter: .seconds(1)))
        case 5: .later(.partial(rejected: 1, message: "one"))
        default: .later(.accepted)
        }
    }
    try await withReceiver(intake, memory: .mebibytes(1), log: log) { settings in
        settings.auth = AuthSettings()
        settings.auth?.bearer = [MemberSettings(name: "a", secret: "token-a")]
        settings.forwardHeaders = ["x-shop"]
        settings.allowHeader = ["7"]
        settings.maxBody = .mebibytes(64)
        settings.hold = .zero
        if let origins {
            settings.cors = CORSSettings()
            settings.cors?.origins = origins
        }
        configure(&settings)
    } _: {
        try await body($0)
    }
}

extension RawConnection.Response {
    fileprivate var corsHeaders: [String: String] {
        headers.filter { $0.key.hasPrefix("access-control-") || $0.key == "vary" }
    }
}

@Suite struct `What a web page is told` {
    private static let headers = [
        "access-control-allow-origin": origin, "access-control-allow-credentials": "true",
        "access-control-expose-headers": "retry-after, www-authenticate", "vary": "origin",
    ]

    static let cases: [PageCase] = [
        PageCase(200, "taken", pageRequest()),
        PageCase(200, "taken in part", pageRequest(body: [5])),
        PageCase(200, "nothing to take", pageRequest(body: [])),
        PageCase(400, "of the pipelines", pageRequest(body: [2])),
        PageCase(
            400,
            "of the parser",
            pageRequest(headers: ["Transfer-Encoding: chunked"], body: []) + Array("zz\r\n".utf8)
        ),
        PageCase(401, "no credentials", pageRequest(token: nil)),
        PageCase(401, "wrong credentials", pageRequest(token: "token-b")),
        PageCase(403, "another host", pageRequest(headers: ["Host: evil.example"])),
        PageCase(403, "another experiment", pageRequest(headers: ["x-mlflow-experiment-id: 8"])),
        PageCase(404, "no such path", pageRequest("POST", "/nowhere")),
        PageCase(404, "a signal that is not served", pageRequest("POST", "/v1/logs")),
        PageCase(404, "no such path to ask about", preflight("/nowhere")),
        PageCase(405, "GET", pageRequest("GET", type: nil, body: [])),
        PageCase(405, "OPTIONS that asks nothing", pageRequest("OPTIONS", type: nil, body: [])),
        PageCase(408, "a body that does not come", pageRequest(headers: ["Content-Length: 5"], body: [])),
        PageCase(413, "announced", pageRequest(headers: ["Content-Length: \(65 << 20)"], body: [])),
        PageCase(415, "a content type", pageRequest(type: "text/plain")),
        PageCase(415, "a coding", pageRequest(headers: ["Content-Encoding: br"])),
        PageCase(417, "an expectation", pageRequest(headers: ["Expect: more"])),
        PageCase(429, "of the pipelines", pageRequest(body: [3])),
        PageCase(431, "headers to keep", pageRequest(headers: ["x-shop: \(String(repeating: "a", count: 5000))"])),
        PageCase(503, "of the pipelines", pageRequest(body: [4])),
    ]

    @Test(arguments: cases)
    func `every answer can be read by a page that may send`(_ page: PageCase) async throws {
        try await withPages { settings in
            if page.status == 408 { settings.bodyTimeout = .milliseconds(20) }
        } _: { harness in
            let answer = try await harness.exchange(page.request)
            #expect(answer.status == page.status)
            #expect(answer.corsHeaders == Self.headers)
        }
    }

    @Test(arguments: cases)
    func `without cors answers are what they were`(_ page: PageCase) async throws {
        try await withPages(nil) { settings in
            if page.status == 408 { settings.bodyTimeout = .milliseconds(20) }
        } _: { harness in
            let answer = try await harness.exchange(page.request)
            // Nothing but a preflight is answered without credentials.
            #expect(answer.status == (page.name == "no such path to ask about" ? 401 : page.status))
            #expect(answer.corsHeaders.isEmpty)
        }
    }

    @Test func `clients that are no pages are answered as ever`() async throws {
        try await withPages { harness in
            let answer = try await harness.exchange(request(headers: ["Authorization: Bearer token-a"], body: [1]))
            #expect(answer.status == 200)
            #expect(answer.corsHeaders.isEmpty)
        }
    }

    @Test func `what waits for memory, and what is not taken while the process ends, can be read, too`() async throws {
        try await withPages {
            $0.hold = .seconds(600)
        } _: { harness in
            let taken = Reservation(harness.memory)
            #expect(taken.grow(to: 1 << 20))
            let connection = try harness.connect()
            await connection.send(pageRequest())
            let stopping = Task { await harness.receiver.stop(within: .milliseconds(20)) }
            let answer = await connection.receive()
            #expect(answer?.status == 503)
            #expect(answer?.headers["retry-after"] == "1")
            #expect(answer?.corsHeaders == Self.headers)
            taken.shrink(to: 0)
            await stopping.value
        }
    }
}

@Suite struct `What a browser is told before a page sends` {
    @Test(arguments: ["/v1/traces", "/api/public/otel/v1/traces", "/v1/logs", "/v1/metrics", "/v1/traces?a=b"])
    func `a preflight needs no credentials, and the connection stays`(path: String) async throws {
        try await withPages { settings in
            settings.cors?.headers = ["x-page"]
            settings.cors?.maxAge = .seconds(120)
        } _: { harness in
            let connection = try harness.connect()
            await connection.send(preflight(path, asking: "authorization,content-type"))
            let answer = try #require(await connection.receive(hasBody: false))
            #expect(answer.status == 204)
            #expect(answer.corsHeaders["access-control-allow-origin"] == origin)
            #expect(answer.corsHeaders["access-control-allow-credentials"] == "true")
            #expect(answer.corsHeaders["access-control-allow-methods"] == "POST")
            let names = "content-type, content-encoding, authorization, x-mlflow-experiment-id, x-shop, x-page"
            #expect(answer.corsHeaders["access-control-allow-headers"] == names)
            #expect(answer.corsHeaders["access-control-max-age"] == "120")
            #expect(answer.corsHeaders["vary"] == "origin")
            #expect(answer.headers["content-length"] == nil)
            #expect(answer.headers["content-type"] == nil)
            await connection.send(pageRequest())
            #expect(await connection.receive()?.status == 200)
            #expect(harness.meters.prometheusText().contains(#"code="204""#))
        }
    }

    @Test func `the answer to a preflight names the origin that asked`() async throws {
        try await withPages(["*"]) { harness in
            for origin in ["https://a.example", "http://localhost:5173"] {
                let connection = try harness.connect()
                await connection.send(preflight(from: origin))
                let answer = await connection.receive(hasBody: false)
                #expect(answer?.headers["access-control-allow-origin"] == origin)
            }
        }
    }

    @Test func `a preflight to another host is refused`() async throws {
        try await withPages { harness in
            try await harness.expect(403, preflight(host: "evil.example"))
        }
    }

    @Test func `what a preflight asks for in vain is logged once`() async throws {
        let log = LogLines()
        try await withPages(log: log) { harness in
            for _ in 0..<3 {
                let connection = try harness.connect()
                await connection.send(preflight(asking: "content-type,x-trace,x-user"))
                #expect(await connection.receive(hasBody: false)?.status == 204)
            }
        }
        let lines = log.lines("web pages set headers that cors does not allow")
        #expect(lines.count == 1)
        #expect(lines.first?.hasSuffix("headers=x-trace, x-user origin=\(origin) receiver=otlp") == true)
    }
}

@Suite struct `Web pages that may not send` {
    @Test(arguments: ["https://evil.example", "null", "https://app.example.com.evil.example", "x", ""])
    func `pages of other origins are refused before their credentials are looked at, and nothing is stored`(
        origin: String
    ) async throws {
        try await withPages { harness in
            for bytes in [
                preflight(from: origin), pageRequest(from: origin), pageRequest(from: origin, token: "token-b"),
                pageRequest(type: "text/plain", from: origin),
            ] {
                let answer = try await harness.exchange(bytes)
                #expect(answer.status == 403)
                #expect(answer.corsHeaders.isEmpty)
                #expect(answer.text.contains("may not send here; more origins can be listed in"))
            }
            #expect(harness.intake.received.isEmpty)
            let metrics = harness.meters.prometheusText()
            #expect(metrics.contains("millrace_receiver_refused_origin_requests_total{receiver=\"otlp\"} 4\n"))
            #expect(metrics.contains(#"millrace_receiver_denied_requests_total{reason="wrong",receiver="otlp"} 0"#))
        }
    }

    @Test func `a request of two origins is refused`() async throws {
        try await withPages { harness in
            try await harness.expect(403, pageRequest(headers: ["Origin: https://evil.example"]))
        }
    }

    @Test func `each origin is named once in the log, and at most so many, on one line and cut`() async throws {
        let log = LogLines()
        try await withPages(log: log) { harness in
            let long = "https://\(String(repeating: "a", count: 1000)).example"
            for origin in ["https://evil.example", "https://evil.example", "a\tb", long] {
                try await harness.expect(403, pageRequest(from: origin))
            }
            for number in 0..<300 { try await harness.expect(403, pageRequest(from: "https://\(number).example")) }
        }
        let origins = log.lines("requests of web pages from an origin that is not in cors").map { line in
            String(line.split(separator: "origin=").last?.dropLast(" receiver=otlp".count) ?? "")
        }
        #expect(origins.count == 256)
        #expect(Array(origins.prefix(2)) == ["https://evil.example", "a b"])
        #expect(origins[2].count == 101)
    }

    @Test(arguments: ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", nil])
    func `what a browser sends for any page without asking is stored nowhere`(type: String?) async throws {
        for origins in [nil, ["https://app.example.com"]] {
            try await withPages(origins) { harness in
                let answer = try await harness.exchange(pageRequest(type: type, from: "https://evil.example"))
                #expect(answer.status == (origins == nil ? 415 : 403))
                #expect(harness.intake.received.isEmpty)
            }
        }
    }
}

@Suite struct `Pages that close` {
    @Test func `a body that came whole is taken though the page has left`() async throws {
        try await withReceiver(ScriptedIntake { _ in .held }) {
            $0.cors = CORSSettings()
            $0.cors?.origins = [origin]
        } _: { harness in
            do {
                let connection = try harness.connect()
                await connection.send(pageRequest(token: nil, body: [1, 2, 3]))
            }
            await harness.intake.waitForRequests(1)
            harness.intake.settle(.accepted)
            #expect(harness.intake.received.map(\.body) == [[1, 2, 3]])
        }
    }
}
