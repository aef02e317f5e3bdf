import Basics
import Foundation
import Glibc
import OTLP
import Pipeline
import Receivers
import TestKit
import Testing

/// Bytes that are not a request we take.
struct Oddity: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: String
    let status: Int

    init(_ name: String, _ bytes: String, _ status: Int) {
        testDescription = name
        self.bytes = bytes
        self.status = status
    }
}

@Suite struct `How a connection is used` {
    @Test func `it is kept, and pipelined requests are answered in order`() async throws {
        let intake = ScriptedIntake { .later(.invalid("\($0.body.count)")) }
        try await withReceiver(intake) { harness in
            let connection = try harness.connect()
            let counts = Array(1...200)
            await connection.send(counts.flatMap { request(body: [UInt8](repeating: 7, count: $0)) })
            for count in counts {
                let answer = try #require(await connection.receive())
                #expect(statusMessage(answer.body) == "\(count)")
            }
            #expect(harness.intake.received.count == counts.count)
        }
    }

    @Test func `a request that comes byte by byte is the same request`() async throws {
        // On a machine that is busy the bytes of a head may take longer than is usual.
        try await withReceiver(ScriptedIntake(), { $0.headerTimeout = .seconds(300) }) { harness in
            let body = compressed(Array("some body".utf8))
            let bytes = request(headers: ["Content-Encoding: gzip"], body: body) + request("GET")
            let connection = try harness.connect()
            for byte in bytes { await connection.send([byte]) }
            #expect(await connection.receive()?.status == 200)
            #expect(await connection.receive()?.status == 405)
            #expect(harness.intake.received.map(\.body) == [Array("some body".utf8)])
        }
    }

    @Test func `a request split in two at any byte is the same request`() async throws {
        try await withReceiver { harness in
            let bytes =
                request(headers: ["Transfer-Encoding: chunked"])
                + Array("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n".utf8)
            let connection = try harness.connect()
            for split in 1..<bytes.count {
                await connection.send(Array(bytes[..<split]))
                await connection.send(Array(bytes[split...]))
                #expect(await connection.receive()?.status == 200)
            }
            #expect(harness.intake.received.allSatisfy { $0.body == Array("abcde".utf8) })
            #expect(harness.intake.received.count == bytes.count - 1)
        }
    }

    @Test func `HTTP 1.0 is answered and closed, unless it asks to stay`() async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            await connection.send(request(headers: ["Connection: keep-alive"], version: "HTTP/1.0", body: [1]))
            #expect(await connection.receive()?.headers["connection"] == "keep-alive")
            await connection.send(request(version: "HTTP/1.0", body: [1]))
            #expect(await connection.receive()?.headers["connection"] == "close")
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `Connection close is honoured`() async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            await connection.send(request(headers: ["Connection: close"], body: [1]))
            #expect(await connection.receive()?.status == 200)
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `a client that closes its sending side still gets its answer`() async throws {
        try await withReceiver(ScriptedIntake { _ in .held }) { harness in
            let connection = try harness.connect()
            await connection.send(request(body: [1]))
            connection.closeOutput()
            await harness.intake.waitForRequests(1)
            harness.intake.settle(.accepted)
            #expect(await connection.receive()?.status == 200)
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `an offer of another protocol is ignored, and the connection stays`() async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            let offer = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA"]
            await connection.send(request(headers: offer, body: [1, 2]) + request(headers: offer, body: [3]))
            #expect(await connection.receive()?.status == 200)
            #expect(await connection.receive()?.status == 200)
            await connection.send(request(body: [4]))
            #expect(await connection.receive()?.status == 200)
            #expect(harness.intake.received.map(\.body) == [[1, 2], [3], [4]])
        }
    }

    @Test(arguments: [["Upgrade: h2c"], ["Upgrade: h2c", "Connection: close-not, upgradeable"]])
    func `an offer that the parser does not stop at is no offer, whatever follows it`(offer: [String]) async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            await connection.send(request(headers: offer, body: [1]) + request(body: [2]) + request(body: [3]))
            for _ in 0..<3 { #expect(await connection.receive()?.status == 200) }
            await connection.send(request(body: [4]))
            #expect(await connection.receive()?.status == 200)
            #expect(harness.intake.received.map(\.body) == [[1], [2], [3], [4]])
        }
    }

    @Test func `three offers of another protocol in one piece are all answered, and what follows them`() async throws {
        try await withReceiver { harness in
            let offer = request(headers: ["Connection: Upgrade", "Upgrade: h2c"], body: [1])
            let connection = try harness.connect()
            await connection.send(offer + offer + offer + request(body: [2]))
            for _ in 0..<4 { #expect(await connection.receive()?.status == 200) }
        }
    }

    @Test func `an offer of another protocol is refused like any request, whatever follows it`() async throws {
        try await withReceiver { harness in
            let offer = ["Connection: Upgrade", "Upgrade: h2c"]
            for body in [[], [1, 2, 3]] as [[UInt8]] {
                let connection = try harness.connect()
                await connection.send(request("POST", "/nowhere", headers: offer, body: body) + request(body: [1]))
                #expect(await connection.receive()?.status == 404)
                #expect(await connection.receiveUntilClosed()?.isEmpty == true)
            }
            try await harness.expect(200, request(body: [1]))
        }
    }

    @Test func `what a client pipelines behind a request in the intake waits, and is then answered`() async throws {
        try await withReceiver(ScriptedIntake { _ in .held }) { harness in
            let connection = try harness.connect()
            let last = request("GET", headers: ["Connection: close"])
            await connection.send(request(body: [1]) + (1..<10_000).flatMap { _ in request("GET") } + last)
            await harness.intake.waitForRequests(1)
            harness.intake.settle(.accepted)
            #expect(await connection.receive()?.status == 200)
            let answers = String(decoding: try #require(await connection.receiveUntilClosed()), as: UTF8.self)
            #expect(answers.components(separatedBy: "HTTP/1.1 405").count - 1 == 10_000)
        }
    }

    @Test func `a client that reads its answers late gets all of them`() async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            let count = 20_000
            let last = request("GET", headers: ["Connection: close"])
            #expect(await connection.send((1..<count).flatMap { _ in request("GET") } + last))
            let answers = try #require(await connection.receiveUntilClosed())
            let text = String(decoding: answers, as: UTF8.self)
            #expect(text.components(separatedBy: "HTTP/1.1 405").count - 1 == count)
        }
    }

    @Test func `a refused request with a short body leaves the connection usable`() async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            await connection.send(request("POST", "/nowhere", body: [UInt8](repeating: 1, count: 100_000)))
            #expect(await connection.receive()?.status == 404)
            await connection.send(
                request(headers: ["Content-Encoding: gzip"], body: [UInt8](repeating: 1, count: 100_000))
            )
            #expect(await connection.receive()?.status == 400)
            await connection.send(request(body: [1]))
            #expect(await connection.receive()?.status == 200)
        }
    }

    static let oddities = [
        Oddity("no HTTP", "hello there\r\n\r\n", 400),
        Oddity("a TLS hello", "\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}\u{00}\u{01}\u{FC}\u{03}\u{03}", 400),
        Oddity(
            "both lengths",
            "POST /v1/traces HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400
        ),
        Oddity("two lengths", "POST /v1/traces HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        Oddity("a negative length", "POST /v1/traces HTTP/1.1\r\nContent-Length: -3\r\n\r\nabc", 400),
        Oddity("a huge length", "POST /v1/traces HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
        Oddity(
            "a chunk without a length",
            "POST /v1/traces HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400
        ),
        Oddity("a long header", "GET / HTTP/1.1\r\nA: \(String(repeating: "a", count: 70_000))\r\n\r\n", 431),
        Oddity("many headers", "GET / HTTP/1.1\r\n\(String(repeating: "A: b\r\n", count: 200))\r\n", 431),
        Oddity("CONNECT", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    ]

    @Test(arguments: oddities)
    func `what is not a valid request is answered and closed`(_ oddity: Oddity) async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            await connection.send(oddity.bytes)
            let answer = try #require(await connection.receive())
            #expect(answer.status == oddity.status)
            #expect(statusMessage(answer.body) != nil || answer.headers["content-type"] == "application/json")
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
            #expect(harness.intake.received.isEmpty)
            try await harness.expect(200, request(body: [1]))
        }
    }

    @Test func `names that are listed are accepted as host, and no host is`() async throws {
        let log = LogLines()
        try await withReceiver(log: log, { $0.hosts = ["Traces.example"] }) { harness in
            try await harness.expect(200, request(headers: ["Host: traces.example:80"], body: [1]))
            for name in ["example", "other"] {
                try await harness.expect(403, request(headers: ["Host: \(name)"], body: [1]))
            }
            let denied = #"millrace_receiver_denied_requests_total{reason="host",receiver="otlp"} 2"#
            #expect(harness.meters.prometheusText().contains(denied))
            let bare = "POST /v1/traces HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            try await harness.expect(200, Array(bare.utf8))
        }
        let lines = log.lines("a request is refused for its Host")
        #expect(lines.count == 1 && lines[0].contains("host=example receiver=otlp source=127.0.0.1"))
    }

    @Test func `connections over the limit are told so and closed`() async throws {
        let intake = ScriptedIntake { _ in .held }
        try await withReceiver(intake, { $0.maxConnections = 2 }) { harness in
            let first = [try harness.connect(), try harness.connect()]
            for connection in first { await connection.send(request(body: [1])) }
            await intake.waitForRequests(2)
            let third = try harness.connect()
            let answer = try #require(await third.receive())
            #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
            #expect(await third.receiveUntilClosed()?.isEmpty == true)
            intake.settle(.accepted)
            for connection in first { #expect(await connection.receive()?.status == 200) }
        }
    }

    @Test func `a connection without a request makes room for a new one`() async throws {
        try await withReceiver(eventLoops: 1, { $0.maxConnections = 2 }) { harness in
            let (idle, busy) = (try harness.connect(), try harness.connect())
            for connection in [idle, busy] {
                await connection.send(request(body: [1]))
                #expect(await connection.receive()?.status == 200)
            }
            await busy.send(request(headers: ["Content-Length: 1"]))
            let third = try harness.connect()
            await third.send(request(body: [1]))
            #expect(await third.receive()?.status == 200)
            #expect(await idle.receiveUntilClosed()?.isEmpty == true)
            await busy.send([1])
            #expect(await busy.receive()?.status == 200)
        }
    }

    @Test func `a unix socket works, is not taken from the living, and goes with the receiver`() async throws {
        let path = "/tmp/millrace-\(UInt64.random(in: 0...(.max))).sock"
        try await withReceiver(ScriptedIntake(), { $0.listen = .unix(path: path) }) { harness in
            #expect(harness.address == .unix(path: path))
            try await harness.expect(200, request(body: [1]))
            await #expect(throws: ListenError.self) {
                try await withReceiver(ScriptedIntake(), { $0.listen = .unix(path: path) }) { _ in }
            }
            try await harness.expect(200, request(body: [1]))
        }
        #expect(access(path, F_OK) != 0)
    }

    @Test func `a socket file left by a process that was killed is replaced`() async throws {
        let path = "/tmp/millrace-\(UInt64.random(in: 0...(.max))).sock"
        RawConnection.abandonSocketFile(at: path)
        #expect(access(path, F_OK) == 0)
        try await withReceiver(ScriptedIntake(), { $0.listen = .unix(path: path) }) { harness in
            try await harness.expect(200, request(body: [1]))
        }
    }

    @Test func `an address in use is named with the reason`() async throws {
        try await withReceiver { harness in
            let error = await #expect(throws: ListenError.self) {
                try await withReceiver(ScriptedIntake(), { $0.listen = harness.address }) { _ in }
            }
            #expect(error?.description == "cannot listen on \(harness.address): Address already in use")
        }
    }

    @Test func `IPv6 works`() async throws {
        try await withReceiver(ScriptedIntake(), { $0.listen = .tcp(host: "::1", port: 0) }) { harness in
            try await harness.expect(200, request(body: [1]))
            #expect(harness.address.description.hasPrefix("[::1]:"))
        }
    }
}
