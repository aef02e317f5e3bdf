import Basics
import NIOHPACK
import OTLP
import Pipeline
import Receivers
import TestKit
import Testing

extension RawHTTP2 {
    /// The head of an export over HTTP, with some of it replaced or added; an empty value leaves its name out.
    static func httpHead(_ changes: HPACKHeaders = [:]) -> HPACKHeaders {
        var all: HPACKHeaders = [":path": "/v1/traces", "content-type": "application/x-protobuf"]
        for (name, value, _) in changes { all.replaceOrAdd(name: name, value: value) }
        let head = head("", all)
        return HPACKHeaders(head.compactMap { $0.1.isEmpty ? nil : ($0.0, $0.1) })
    }

    /// Makes a request and expects that status.
    func expectHTTP(
        _ status: Int,
        _ bytes: [UInt8] = [1],
        _ headers: HPACKHeaders = RawHTTP2.httpHead(),
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        let outcome = try await call(bytes, headers)
        #expect(outcome?.headers.first(name: ":status") == "\(status)", sourceLocation: location)
    }
}

/// Runs `body` with a client that speaks HTTP/2 to a receiver of OTLP over HTTP.
private func withHTTP2(
    _ intake: ScriptedIntake = ScriptedIntake(),
    memory: ByteCount = .mebibytes(64),
    eventLoops: Int = 2,
    log: LogLines? = nil,
    _ configure: (inout OTLPHTTPReceiverSettings) -> Void = { _ in },
    _ body: (ReceiverHarness, RawHTTP2) async throws -> Void
) async throws {
    try await withReceiver(intake, memory: memory, eventLoops: eventLoops, log: log, configure) { harness in
        let client = RawHTTP2(try harness.connect())
        await client.begin()
        try await body(harness, client)
    }
}

@Suite struct `OTLP over HTTP by HTTP 2` {
    @Test(arguments: [true, false])
    func `may come in pieces of any size, packed or not, its length said or not`(saysLength: Bool) async throws {
        try await withHTTP2 { harness, client in
            let plain = Array(#"{"resourceSpans":[]}"#.utf8)
            let packed = compressed(plain)
            for (body, coding) in [(plain, ""), (packed, "gzip")] {
                let head = RawHTTP2.httpHead([
                    "content-type": "application/json", "content-encoding": coding, "x-tenant": "a",
                    "content-length": saysLength ? "\(body.count)" : "",
                ])
                for split in 1..<body.count {
                    let stream = try await client.open(head)
                    await client.send(.data, stream: stream, payload: Array(body[..<split]))
                    let rest = Array(body[split...])
                    await client.send(.data, flags: RawHTTP2.Frame.endStream, stream: stream, payload: rest)
                    let outcome = try #require(try await client.outcome(of: stream))
                    #expect(outcome.headers.first(name: ":status") == "200" && outcome.body == Array("{}".utf8))
                    #expect(outcome.headers.first(name: "content-type") == "application/json")
                }
            }
            #expect(harness.intake.received.count == plain.count + packed.count - 2)
            #expect(harness.intake.received.allSatisfy { $0.body == plain && $0.encoding == .json })
            let metrics = harness.meters.prometheusText()
            #expect(metrics.contains(#"requests_total{code="200",receiver="otlp",signal="traces"}"#), "\(metrics)")
        }
    }

    /// A request that is refused, and how.
    struct Flaw: CustomTestStringConvertible {
        let testDescription: String
        let status: Int
        let headers: HPACKHeaders
        var bytes: [UInt8] = [1]
        var header: (name: String, value: String)?

        init(
            _ words: String,
            _ status: Int,
            _ headers: HPACKHeaders,
            bytes: [UInt8] = [1],
            header: (String, String)? = nil
        ) {
            testDescription = words
            self.status = status
            self.headers = headers
            self.bytes = bytes
            self.header = header
        }
    }

    private static let long = [UInt8](repeating: 1, count: 1025)

    @Test(arguments: [
        Flaw("nothing is served at", 404, [":path": "/nowhere"]),
        Flaw("only traces", 404, [":path": "/v1/logs"]),
        Flaw("GET is not allowed", 405, [":method": "GET"], header: ("allow", "POST")),
        Flaw("is not supported; use application", 415, ["content-type": "application/grpc-web"]),
        Flaw("no content type", 415, ["content-type": ""]),
        Flaw("use gzip", 415, ["content-encoding": "br"], header: ("accept-encoding", "gzip, deflate, zstd, identity")),
        Flaw("longer than 1KiB", 413, ["content-length": "1025"], bytes: long),
        Flaw("longer than 1KiB", 413, [:], bytes: long),
        Flaw("longer than 1KiB", 413, ["content-encoding": "gzip"], bytes: compressed(long)),
        Flaw("is not accepted here", 403, [":authority": "evil.example"]),
        Flaw("is not accepted here", 403, ["host": "evil.example"]),
        Flaw("headers to forward", 431, ["x-tenant": String(repeating: "x", count: 5000)]),
        Flaw("expectation", 417, ["expect": "200-ok"]),
        Flaw("experiment", 403, ["x-mlflow-experiment-id": "team-b"]),
    ])
    func `is refused as over HTTP 1, and the connection stays`(flaw: Flaw) async throws {
        try await withHTTP2(
            ScriptedIntake(),
            {
                $0.maxBody = .kibibytes(1)
                $0.forwardHeaders = ["x-tenant"]
                $0.allowHeader = ["team-a"]
            }
        ) { harness, client in
            let outcome = try #require(try await client.call(flaw.bytes, RawHTTP2.httpHead(flaw.headers)))
            #expect(outcome.headers.first(name: ":status") == "\(flaw.status)")
            let message = try #require(statusMessage(outcome.body))
            #expect(message.contains(flaw.testDescription), "\(message)")
            if let header = flaw.header { #expect(outcome.headers.first(name: header.name) == header.value) }
            #expect(outcome.headers.first(name: "content-length") == "\(outcome.body.count)")
            try await client.expectHTTP(200, [1], RawHTTP2.httpHead(["x-tenant": "shop", "user-agent": "x/1"]))
            let source = try #require(harness.intake.received.last?.source)
            #expect(source.header("x-tenant") == "shop" && source.client == "x/1")
            #expect(harness.intake.received.count == 1)
        }
    }

    @Test(arguments: [
        (IntakeAnswer.partial(rejected: 2, message: "two"), 200, ""),
        (.invalid("bad"), 400, ""), (.forbidden("no"), 403, ""),
        (.throttled("slow", retryAfter: .milliseconds(10)), 429, "1"),
        (.unavailable("full", retryAfter: .seconds(60)), 503, "3"),
    ])
    func `gets the pipelines' answer`(answer: IntakeAnswer, status: Int, pause: String) async throws {
        try await withHTTP2(ScriptedIntake { _ in .later(answer) }) { _, client in
            let outcome = try #require(try await client.call([1], RawHTTP2.httpHead()))
            #expect(outcome.headers.first(name: ":status") == "\(status)")
            #expect(outcome.headers.first(name: "retry-after") ?? "" == pause)
            if case .partial = answer { #expect(outcome.body == [0x0A, 7, 0x08, 2, 0x12, 3] + Array("two".utf8)) }
        }
    }

    @Test func `shows who sends, and browsers what pages may`() async throws {
        try await withHTTP2(
            ScriptedIntake(),
            {
                $0.auth = AuthSettings()
                $0.auth?.bearer = [MemberSettings(name: "a", secret: "token-a")]
                $0.cors = CORSSettings()
                $0.cors?.origins = ["https://app.example"]
            }
        ) { harness, client in
            let denied = try #require(try await client.call([1], RawHTTP2.httpHead()))
            #expect(denied.headers.first(name: ":status") == "401")
            #expect(denied.headers.first(name: "www-authenticate") == #"Bearer realm="millrace""#)
            let page: HPACKHeaders = ["origin": "https://app.example"]
            var asks = page
            for (name, value) in [
                (":method", "OPTIONS"), ("access-control-request-method", "POST"), ("content-type", ""),
            ] {
                asks.add(name: name, value: value)
            }
            let stream = try await client.open(RawHTTP2.httpHead(asks), ends: true)
            let leave = try #require(try await client.outcome(of: stream))
            #expect(leave.headers.first(name: ":status") == "204" && leave.body.isEmpty)
            #expect(leave.headers.first(name: "access-control-allow-origin") == "https://app.example")
            #expect(leave.headers.first(name: "access-control-allow-headers")?.contains("authorization") == true)
            var sends = page
            sends.add(name: "authorization", value: "Bearer token-a")
            let sent = try #require(try await client.call([1], RawHTTP2.httpHead(sends)))
            #expect(sent.headers.first(name: ":status") == "200" && sent.headers.first(name: "vary") == "origin")
            #expect(harness.intake.received.last?.source.identity?.name == "a")
        }
    }

    @Test func `may be answered by bytes that look like the end of its connection`() async throws {
        // Its fourth byte is the type of a GOAWAY, and it is long enough for one with an error.
        let answer = IntakeAnswer.partial(rejected: 7, message: "d rejected 7")
        try await withHTTP2(ScriptedIntake { _ in .later(answer) }) { _, client in
            let outcome = try #require(try await client.call([1], RawHTTP2.httpHead()))
            #expect(outcome.body.count >= 17 && outcome.body[3] == 7)
            // A body of another length than was said is an error of its stream alone.
            let wrong = try await client.open(RawHTTP2.httpHead(["content-length": "5"]))
            await client.send(.data, flags: RawHTTP2.Frame.endStream, stream: wrong, payload: [1])
            #expect(try await client.outcome(of: wrong)?.isReset == true)
            try await client.expectHTTP(200)
        }
    }

    /// How a client leaves before it is answered.
    enum Leaving: CaseIterable {
        case byHTTP1, byConnection, byStream
    }

    @Test(arguments: Leaving.allCases)
    func `is known to be gone when its client hangs up`(how: Leaving) async throws {
        try await withReceiver(ScriptedIntake { _ in .held }, eventLoops: 1) { harness in
            let isGone = Switch(false)
            try await leave(how, harness) {
                await harness.intake.waitForRequests(1)
                let presence = try #require(harness.intake.received.first?.presence)
                presence.whenGone { isGone.isOn = true }
                #expect(!isGone.isOn)
            }
            #expect(await until { isGone.isOn })
            // What it holds of the memory stays counted until the intake is done with it.
            #expect(harness.memory.inUse > 0)
            harness.intake.settle(.accepted)
            #expect(await until { harness.memory.inUse == 0 })
        }
    }

    /// Makes a request, and leaves once `body` is done.
    private func leave(_ how: Leaving, _ harness: ReceiverHarness, after body: () async throws -> Void) async throws {
        // Bytes that are not read make the end of a connection a reset.
        let connection = try harness.connect()
        guard how != .byHTTP1 else {
            await connection.send(request(headers: ["Expect: 100-continue"], body: [1]))
            return try await body()
        }
        let client = RawHTTP2(connection)
        await client.begin()
        let stream = try await client.open(RawHTTP2.httpHead())
        await client.send(.data, flags: RawHTTP2.Frame.endStream, stream: stream, payload: [1])
        try await body()
        guard how == .byStream else { return }
        await client.send(.reset, stream: stream, payload: RawHTTP2.bytes(8))
        // The connection lives on.
        await client.send(.ping, payload: [UInt8](repeating: 1, count: 8))
        while let frame = await client.next(), frame.kind != .ping {}
    }

    @Test(arguments: [true, false])
    func `waits for room in memory before it is read`(saysLength: Bool) async throws {
        let intake = ScriptedIntake { $0.body.count > 55_000 ? .held : .now(.accepted) }
        let memory = ByteCount.kibibytes(saysLength ? 96 : 112)
        try await withHTTP2(intake, memory: memory, { $0.hold = .seconds(60) }) { harness, client in
            let big = try await client.open(RawHTTP2.httpHead(["content-length": "60000"]))
            await client.sendPieces([UInt8](repeating: 1, count: 60_000), on: big)
            await harness.intake.waitForRequests(1)
            let other = RawHTTP2(try harness.connect())
            await other.begin()
            let waiting = try await other.open(RawHTTP2.httpHead(["content-length": saysLength ? "50000" : ""]))
            let body = [UInt8](repeating: 2, count: 50_000)
            await other.sendPieces(body, on: waiting)
            #expect(await until { !harness.memory.line.isEmpty })
            #expect(harness.intake.received.count == 1)
            harness.intake.settle(.accepted)
            #expect(try await other.outcome(of: waiting)?.headers.first(name: ":status") == "200")
            #expect(try await client.outcome(of: big)?.headers.first(name: ":status") == "200")
            let isSame = harness.intake.received.last?.body == body
            #expect(isSame)
        }
    }

    @Test func `with a head that is too long is refused by itself`() async throws {
        try await withHTTP2 { harness, client in
            // NIO holds clients that have not acknowledged the settings to limits of its own.
            try await client.expectHTTP(200)
            let head = RawHTTP2.httpHead(["x-long": String(repeating: "a", count: 17_000)])
            let outcome = try #require(try await client.call([1], head))
            #expect(outcome.headers.first(name: ":status") == "431")
            #expect(try #require(statusMessage(outcome.body)).contains("longer than 16384 bytes"))
            try await client.expectHTTP(200)
            #expect(harness.intake.received.count == 2)
        }
    }

    @Test func `may ask whether its body is welcome`() async throws {
        try await withHTTP2 { _, client in
            let stream = try await client.open(RawHTTP2.httpHead(["expect": "100-continue"]))
            var frame = await client.next()
            while let next = frame, next.kind != .headers { frame = await client.next() }
            #expect(frame?.stream == stream && frame?.isLast == false)
            await client.send(.data, flags: RawHTTP2.Frame.endStream, stream: stream, payload: [1])
            #expect(try await client.outcome(of: stream)?.headers.first(name: ":status") == "200")
        }
    }

    @Test func `ends where its body does not come in time`() async throws {
        try await withHTTP2(ScriptedIntake(), { $0.bodyTimeout = .milliseconds(40) }) { _, client in
            let stream = try await client.open(RawHTTP2.httpHead())
            await client.send(.data, stream: stream, payload: [1])
            #expect(try await client.outcome(of: stream)?.headers.first(name: ":status") == "408")
        }
    }

    @Test func `is told of the end, of its age, and of one connection too many`() async throws {
        let intake = ScriptedIntake { _ in .held }
        try await withHTTP2(intake, eventLoops: 1, { $0.maxConnections = 1 }) { harness, client in
            let call = try await client.open(RawHTTP2.httpHead())
            await client.send(.data, flags: RawHTTP2.Frame.endStream, stream: call, payload: [1])
            await harness.intake.waitForRequests(1)
            let second = RawHTTP2(try harness.connect())
            await second.begin()
            try await second.expectHTTP(503)
            #expect(await second.end() == 0)
            async let stopped: Void = harness.receiver.stop(within: .seconds(20))
            harness.intake.settle(.accepted)
            #expect(try await client.outcome(of: call)?.headers.first(name: ":status") == "200")
            #expect(await client.end() == 0)
            await stopped
        }
        try await withHTTP2(ScriptedIntake(), { $0.maxAge = .milliseconds(200) }) { harness, client in
            while client.goAway == nil, try await client.call([1], RawHTTP2.httpHead()) != nil {}
            #expect(await client.end() == 0)
            let old = try harness.connect()
            while true {
                await old.send(request(body: [1]))
                let answer = try #require(await old.receive())
                if answer.headers["connection"] == "close" { break }
            }
            #expect(await old.receiveUntilClosed()?.isEmpty == true)
        }
    }
}

extension RawHTTP2 {
    /// Sends a body and the end of its request, in frames of the usual size.
    fileprivate func sendPieces(_ bytes: [UInt8], on stream: UInt32) async {
        for start in stride(from: 0, to: bytes.count, by: 16_384) {
            let end = min(start + 16_384, bytes.count)
            let flags = end == bytes.count ? Frame.endStream : 0
            await send(.data, flags: flags, stream: stream, payload: Array(bytes[start..<end]))
        }
    }
}
