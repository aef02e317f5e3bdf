import Basics
import OTLP
import Pipeline
import Receivers
import TestKit
import Testing

/// One request and what its client must be told.
struct AnswerCase: Sendable, CustomTestStringConvertible {
    let name: String
    let request: [UInt8]
    let status: Int
    var message: String?
    var header: (name: String, value: String)?
    var isJSON = false
    var testDescription: String { name }

    init(
        _ name: String,
        _ request: [UInt8],
        _ status: Int,
        _ message: String? = nil,
        header: (String, String)? = nil,
        isJSON: Bool = false
    ) {
        self.name = name
        self.request = request
        self.status = status
        self.message = message
        self.header = header
        self.isJSON = isJSON
    }
}

@Suite struct `What a client is told` {
    static let cases: [AnswerCase] = [
        AnswerCase("protobuf", request(body: [1, 2, 3]), 200),
        AnswerCase("JSON", request(type: "application/json", body: Array("{}".utf8)), 200, isJSON: true),
        AnswerCase("a parameter", request(type: "application/json; charset=utf-8", body: [1]), 200, isJSON: true),
        AnswerCase("any letter case", request(type: "Application/X-Protobuf ;a=b", body: [1]), 200),
        AnswerCase("an empty request", request(headers: ["Content-Length: 0"]), 200),
        AnswerCase("no body at all", request(), 200),
        AnswerCase("an empty JSON request", request(type: "application/json"), 200, isJSON: true),
        AnswerCase("an empty gzip request", request(headers: ["Content-Encoding: gzip"]), 200),
        AnswerCase("a query", request("POST", "/v1/traces?a=b", body: [1]), 200),
        AnswerCase("an alias", request("POST", "/api/public/otel/v1/traces", body: [1]), 200),
        AnswerCase("absolute form", request("POST", "http://localhost:4318/v1/traces", body: [1]), 200),
        AnswerCase("identity", request(headers: ["Content-Encoding: identity"], body: [1]), 200),
        AnswerCase(
            "GET",
            request("GET"),
            405,
            "GET is not allowed here; OTLP/HTTP requests are POST",
            header: ("allow", "POST")
        ),
        AnswerCase("PUT", request("PUT", body: [1]), 405, header: ("allow", "POST")),
        AnswerCase("GET for JSON", request("GET", type: nil, headers: ["Accept: application/json"]), 405, isJSON: true),
        AnswerCase(
            "no such path",
            request("POST", "/traces", body: [1]),
            404,
            #"nothing is served at "/traces"; traces go to /v1/traces"#
        ),
        AnswerCase("the root", request("GET", "/", type: nil), 404),
        AnswerCase(
            "metrics",
            request("POST", "/v1/metrics", body: [1]),
            404,
            "no pipeline of this receiver takes metrics, only traces"
        ),
        AnswerCase(
            "logs",
            request("POST", "/v1/logs", body: [1]),
            404,
            "no pipeline of this receiver takes logs, only traces"
        ),
        AnswerCase(
            "text",
            request(type: "text/plain", body: [1]),
            415,
            #"the content type "text/plain" is not supported; use application/x-protobuf or application/json"#
        ),
        AnswerCase(
            "no type",
            request(type: nil, body: [1]),
            415,
            "no content type; use application/x-protobuf or application/json"
        ),
        // What a web page may send without asking first (a "simple request" of the Fetch standard), and what it asks.
        AnswerCase(
            "text that is JSON",
            request(type: "text/plain;application/json", body: Array("{}".utf8)),
            415,
            isJSON: true
        ),
        AnswerCase("a form", request(type: "application/x-www-form-urlencoded", body: [1]), 415),
        AnswerCase("a multipart form", request(type: "multipart/form-data; boundary=a", body: [1]), 415),
        AnswerCase("a preflight", request("OPTIONS", headers: ["Origin: http://evil.example"]), 405),
        AnswerCase(
            "another host",
            request(headers: ["Host: evil.example:4318"], body: [1]),
            403,
            #"the Host "evil.example:4318" is not accepted here; "#
                + #"allowed: addresses and names of loopback; more can be listed in "hosts""#
        ),
        AnswerCase(
            "another host in JSON",
            request(type: "application/json", headers: ["Host: localhost.evil.example"], body: [1]),
            403,
            isJSON: true
        ),
        AnswerCase("another host in the target", request("POST", "http://evil.example/v1/traces", body: [1]), 403),
        AnswerCase("another address", request(headers: ["Host: 10.0.0.1"], body: [1]), 403),
        AnswerCase("another host and path", request("GET", "/", headers: ["Host: evil.example"]), 403),
        AnswerCase(
            "names of loopback",
            request(headers: ["Host: App.LocalHost.:1", "Host: [::1]:4318"], body: [1]),
            200
        ),
        AnswerCase("an address of loopback", request(headers: ["Host: 127.9.9.9"], body: [1]), 200),
        AnswerCase("another JSON type", request(type: "text/json", body: [1]), 415, isJSON: true),
        AnswerCase(
            "lz4",
            request(headers: ["Content-Encoding: lz4"], body: [1]),
            415,
            #"the content encoding "lz4" is not supported; use gzip, deflate, zstd or identity"#,
            header: ("accept-encoding", "gzip, deflate, zstd, identity")
        ),
        AnswerCase("br in a list", request(headers: ["Content-Encoding: gzip, br"], body: [1]), 415),
        AnswerCase("two codings", request(headers: ["Content-Encoding: gzip, gzip"], body: [1]), 415),
        AnswerCase(
            "plain bytes as gzip",
            request(headers: ["Content-Encoding: gzip"], body: [1, 2, 3]),
            400,
            "the body is not valid gzip: incorrect header check"
        ),
        AnswerCase(
            "too long",
            request(headers: ["Content-Length: 5000000"]),
            413,
            "the body is longer than 4MiB, the limit before and after decompression"
        ),
        AnswerCase("another expectation", request(headers: ["Expect: a-miracle"], body: [1]), 417),
        AnswerCase("another transfer encoding", request(headers: ["Transfer-Encoding: gzip, chunked"]), 400),
    ]

    @Test(arguments: cases)
    func `every request has its status, and a failure a Status in the request's encoding`(
        _ row: AnswerCase
    ) async throws {
        try await withReceiver(ScriptedIntake(), { $0.maxBody = .mebibytes(4) }) { harness in
            let answer = try await harness.exchange(row.request)
            #expect(answer.status == row.status)
            #expect(answer.headers["content-type"] == (row.isJSON ? "application/json" : "application/x-protobuf"))
            #expect(answer.headers["date"]?.hasSuffix(" GMT") == true)
            if let header = row.header { #expect(answer.headers[header.name] == header.value) }
            switch (row.status, row.isJSON) {
            case (200, false): #expect(answer.body.isEmpty)
            case (200, true): #expect(answer.text == "{}")
            case (_, true): #expect(answer.text.contains(#","message":""#))
            case (_, false):
                let message = try #require(statusMessage(answer.body))
                if let expected = row.message { #expect(message == expected) }
            }
            let count = #"millrace_receiver_requests_total{code="\#(row.status)","#
            #expect(harness.meters.prometheusText().contains(count))
        }
    }

    static let replies: [(IntakeAnswer, Int, retryAfter: String?, json: String)] = [
        (.accepted, 200, nil, "{}"),
        (
            .partial(rejected: 3, message: "bad \"ids\""), 200, nil,
            #"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"bad \"ids\""}}"#
        ),
        (
            .invalid("byte 4: no"), 400, nil,
            #"{"code":3,"message":"byte 4: no","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","#
                + #""fieldViolations":[{"description":"byte 4: no"}]}]}"#
        ),
        (.tooLarge("spans"), 413, nil, #"{"code":3,"message":"spans"}"#),
        (.throttled("slow", retryAfter: .milliseconds(1200)), 429, "2", #"{"code":8,"message":"slow"}"#),
        (.unavailable("down", retryAfter: .milliseconds(2900)), 503, "3", #"{"code":14,"message":"down"}"#),
        (.throttled("late", retryAfter: .seconds(90)), 429, "3", #"{"code":8,"message":"late"}"#),
        (.unavailable("full", retryAfter: .zero), 503, "1", #"{"code":14,"message":"full"}"#),
    ]

    @Test(arguments: replies, [true, false])
    func `what the pipelines answer reaches the client`(
        _ row: (IntakeAnswer, Int, retryAfter: String?, json: String),
        _ isLater: Bool
    ) async throws {
        let reply = row.0
        let intake = ScriptedIntake { _ in isLater ? .later(reply) : .now(reply) }
        try await withReceiver(intake) { harness in
            let answer = try await harness.exchange(request(type: "application/json", body: [1]))
            #expect(answer.status == row.1)
            #expect(answer.text == row.json)
            #expect(answer.headers["retry-after"] == row.retryAfter)
        }
    }

    @Test func `a partial success in protobuf names the count and the reason`() async throws {
        try await withReceiver(ScriptedIntake { _ in .later(.partial(rejected: 300, message: "no")) }) { harness in
            let answer = try await harness.exchange(request(body: [1]))
            #expect(answer.status == 200)
            #expect(answer.body == [0x0A, 7, 0x08, 0xAC, 0x02, 0x12, 2, 0x6E, 0x6F])
        }
    }

    @Test func `a HEAD request gets the length of a body and no body`() async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            await connection.send(request("HEAD") + request(body: [1]))
            let first = try #require(await connection.receive(hasBody: false))
            #expect(first.status == 405 && Int(first.headers["content-length"] ?? "") ?? 0 > 0)
            #expect(await connection.receive()?.status == 200)
        }
    }

    @Test func `the request reaches the pipelines with its body, headers and client`() async throws {
        try await withReceiver(ScriptedIntake(), { $0.forwardHeaders = ["X-Mlflow-Experiment-Id", "x-tenant"] }) {
            harness in
            let headers = ["X-MLflow-Experiment-Id: 7", "User-Agent: test/1", "x-other: 1"]
            let bytes = request(type: "application/json", headers: headers, body: Array("{ }".utf8))
            try await harness.expect(200, bytes)
            let got = try #require(harness.intake.received.first)
            #expect(got.signal == .traces && got.encoding == .json && got.body == Array("{ }".utf8))
            #expect(got.source.receiver == "otlp" && got.source.client == "test/1")
            #expect(got.source.headers == [HTTPHeader("x-mlflow-experiment-id", "7")])
            #expect(got.source.address == SourceAddress(IPAddress(text: "127.0.0.1")))
        }
    }

    @Test func `credentials on the path of another product are ignored, which is said once`() async throws {
        let log = LogLines()
        try await withReceiver(log: log) { receiver in
            for path in ["/v1/traces", "/api/public/otel/v1/traces", "/api/public/otel/v1/traces"] {
                try await receiver.expect(200, request("POST", path, headers: ["Authorization: Basic YTpi"], body: [1]))
            }
        }
        #expect(log.lines("Credentials") == ["Credentials of requests are not checked. receiver=otlp"])
    }

    @Test func `over a unix socket all clients are one source`() async throws {
        let directory = try TemporaryDirectory()
        try await withReceiver(ScriptedIntake(), { $0.listen = .unix(path: directory.path + "/socket") }) { harness in
            try await harness.expect(200, request(body: [1]))
            #expect(harness.intake.received.map(\.source.address) == [.unknown])
        }
    }

    @Test func `headers to forward are bounded in all, and others are not`() async throws {
        try await withReceiver(ScriptedIntake(), { $0.forwardHeaders = ["X-Tenant", "x-user"] }) { harness in
            let limit = 4096 - "x-tenant".count - "x-user".count - 2 * 32
            func headers(_ tenant: Int, _ user: Int) -> [String] {
                let text = { (count: Int) in String(repeating: "t", count: count) }
                return ["X-Tenant: \(text(tenant))", "x-user: \(text(user))", "x-other: \(text(8000))"]
            }
            try await harness.expect(200, request(headers: headers(limit - 100, 100), body: [1]))
            try await harness.expect(431, request(headers: headers(limit - 100, 101), body: [1]))
            let many = (0..<200).map { "x-tenant: \($0)" }
            try await harness.expect(431, request(headers: many, body: [1]))
            #expect(harness.intake.received.count == 1)
        }
    }
}
