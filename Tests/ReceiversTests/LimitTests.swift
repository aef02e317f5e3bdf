import Basics
import Pipeline
import TestKit
import Testing

@testable import Receivers

@Suite struct `A client over its limits` {
    private static func members(_ settings: inout OTLPHTTPReceiverSettings) {
        settings.auth = AuthSettings()
        settings.auth?.bearer = ["ann", "bob"].map { (name: String) in
            MemberSettings(name: name, secret: "token-\(name)")
        }
    }

    private static func limits(_ settings: inout OTLPHTTPReceiverSettings, _ change: (inout LimitSettings) -> Void) {
        var limits = LimitSettings()
        change(&limits)
        settings.limits = limits
    }

    private static func from(_ name: String) -> [String] { ["Authorization: Bearer token-\(name)"] }

    private static func count(_ limit: String, of identity: String? = nil, _ harness: ReceiverHarness) -> Int {
        let label = identity.map { name in #"identity="\#(name)","# } ?? ""
        let line = #"millrace_receiver_over_limit_total{\#(label)limit="\#(limit)",receiver="otlp"} "#
        let text = harness.meters.prometheusText()
        return text.split(separator: "\n").first { $0.hasPrefix(line) }.flatMap { Int($0.dropFirst(line.count)) } ?? 0
    }

    @Test func `is told so on a connection that is too many, once in the log`() async throws {
        let log = LogLines()
        try await withReceiver(log: log) { settings in
            Self.limits(&settings) { $0.connections = 2 }
        } _: { harness in
            let first = [try harness.connect(), try harness.connect()]
            for connection in first {
                await connection.send(request(body: [1]))
                #expect(await connection.receive()?.status == 200)
            }
            for _ in 0..<3 {
                let third = try harness.connect()
                let answer = try #require(await third.receive())
                #expect(answer.status == 429 && answer.headers["retry-after"] == "1")
                #expect(answer.headers["connection"] == "close")
                #expect(statusMessage(answer.body)?.contains("at most 2 are allowed") == true)
                #expect(await third.receiveUntilClosed()?.isEmpty == true)
            }
            #expect(Self.count("connections", harness) == 3)
            for connection in first {
                await connection.send(request(body: [1]))
                #expect(await connection.receive()?.status == 200)
            }
        }
        #expect(log.lines("a client is over its limit and answered 429").count == 1)
    }

    @Test func `is a member wherever it connects from`() async throws {
        try await withReceiver { settings in
            Self.members(&settings)
            Self.limits(&settings) { $0.connections = 1 }
        } _: { harness in
            let ann = try harness.connect()
            await ann.send(request(headers: Self.from("ann"), body: [1]))
            #expect(await ann.receive()?.status == 200)
            // The first connection is ann's now, and the address has room for one that is nobody's yet.
            let bob = try harness.connect()
            await bob.send(request(headers: Self.from("bob"), body: [1]))
            #expect(await bob.receive()?.status == 200)
            let other = try harness.connect()
            await other.send(request(headers: Self.from("ann"), body: [1]))
            let answer = try #require(await other.receive())
            #expect(answer.status == 429 && answer.headers["connection"] == "close")
            #expect(Self.count("connections", of: "ann", harness) == 1)
            #expect(await other.receiveUntilClosed()?.isEmpty == true)
            for (connection, name) in [(ann, "ann"), (bob, "bob")] {
                await connection.send(request(headers: Self.from(name), body: [1]))
                #expect(await connection.receive()?.status == 200)
            }
        }
    }

    @Test func `is answered 429 before its body is read, while its others wait for the journal`() async throws {
        try await withReceiver(ScriptedIntake { _ in .held }) { settings in
            Self.members(&settings)
            Self.limits(&settings) { $0.bytesInFlight = .kibibytes(100) }
        } _: { harness in
            let body = [UInt8](repeating: 1, count: 90_000)
            let first = try harness.connect()
            await first.send(request(headers: Self.from("ann"), body: body))
            await harness.intake.waitForRequests(1)
            // No byte of the body comes.
            let refused = try await harness.exchange(request(headers: Self.from("ann") + ["Content-Length: 20000"]))
            #expect(refused.status == 429 && refused.headers["retry-after"] == "1")
            #expect(Self.count("bytes_in_flight", of: "ann", harness) == 1)
            let bob = try harness.connect()
            await bob.send(request(headers: Self.from("bob"), body: body))
            await harness.intake.waitForRequests(2)
            harness.intake.settle(.accepted)
            for connection in [first, bob] { #expect(await connection.receive()?.status == 200) }
            await first.send(request(headers: Self.from("ann"), body: body))
            await harness.intake.waitForRequests(3)
            harness.intake.settle(.accepted)
            #expect(await first.receive()?.status == 200)
        }
    }

    @Test func `counts as long as its request is in the intake, also when it has closed its connection`() async throws {
        try await withReceiver(ScriptedIntake { _ in .held }, eventLoops: 1) { settings in
            Self.limits(&settings) { $0.bytesInFlight = .kibibytes(100) }
        } _: { harness in
            var first: RawConnection? = try harness.connect()
            await first?.send(request(body: [UInt8](repeating: 1, count: 90_000)))
            await harness.intake.waitForRequests(1)
            first = nil
            try await harness.expect(429, request(headers: ["Content-Length: 20000"]))
            harness.intake.settle(.accepted)
            let next = try harness.connect()
            await next.send(request(body: [UInt8](repeating: 1, count: 20_000)))
            await harness.intake.waitForRequests(2)
            harness.intake.settle(.accepted)
            #expect(await next.receive()?.status == 200)
        }
    }

    @Test func `is answered in the middle of a body whose length it did not say`() async throws {
        try await withReceiver(ScriptedIntake { _ in .held }) { settings in
            Self.limits(&settings) { $0.bytesInFlight = .kibibytes(100) }
        } _: { harness in
            let first = try harness.connect()
            await first.send(request(body: [UInt8](repeating: 1, count: 30_000)))
            await harness.intake.waitForRequests(1)
            let chunked = try harness.connect()
            await chunked.send(request(headers: ["Transfer-Encoding: chunked"]))
            await chunked.send("15f90\r\n" + String(repeating: "x", count: 90_000) + "\r\n")
            #expect(await chunked.receive()?.status == 429)
            harness.intake.settle(.accepted)
            #expect(await first.receive()?.status == 200)
        }
    }

    @Test func `may come again after the pause that it is told`() async throws {
        let clock = ManualClock()
        try await withReceiver(steady: MonotonicClock(clock)) { settings in
            Self.limits(&settings) { $0.requestsPerSecond = 0.4 }
        } _: { harness in
            let connection = try harness.connect()
            for _ in 0..<2 {
                await connection.send(request(body: [1]))
                #expect(await connection.receive()?.status == 200)
            }
            await connection.send(request(body: [1]))
            let answer = try #require(await connection.receive())
            #expect(answer.status == 429 && answer.headers["retry-after"] == "3")
            #expect(statusMessage(answer.body)?.contains("at most 0.4 a second are allowed") == true)
            // What nobody takes costs nothing.
            await connection.send(request("GET"))
            #expect(await connection.receive()?.status == 405)
            try await MonotonicClock(clock).sleep(.milliseconds(2500))
            await connection.send(request(body: [1]))
            #expect(await connection.receive()?.status == 200)
            #expect(Self.count("requests_per_second", harness) == 1)
        }
    }

    @Test func `on a unix socket is all of it`() async throws {
        let path = "/tmp/millrace-\(UInt64.random(in: 0...(.max))).sock"
        try await withReceiver { settings in
            settings.listen = .unix(path: path)
            Self.limits(&settings) { $0.connections = 1 }
        } _: { harness in
            let first = try harness.connect()
            await first.send(request(body: [1]))
            #expect(await first.receive()?.status == 200)
            let second = try harness.connect()
            #expect(await second.receive()?.status == 429)
        }
    }
}

@Suite struct `While memory is short` {
    private static func from(_ name: String) -> [String] { ["Authorization: Bearer token-\(name)"] }

    @Test func `who holds most is answered 429, and others are taken`() async throws {
        try await withReceiver(ScriptedIntake { _ in .held }, memory: .mebibytes(4), eventLoops: 1) { settings in
            settings.auth = AuthSettings()
            settings.auth?.bearer = ["ann", "bob"].map { (name: String) in
                MemberSettings(name: name, secret: "token-\(name)")
            }
        } _: { harness in
            let body = [UInt8](repeating: 1, count: 900_000)
            let bob = try harness.connect()
            await bob.send(request(headers: Self.from("bob"), body: [1]))
            await harness.intake.waitForRequests(1)
            harness.intake.settle(.accepted)
            #expect(await bob.receive()?.status == 200)
            let ann = try (0..<2).map { _ in try harness.connect() }
            for (count, connection) in ann.enumerated() {
                await connection.send(request(headers: Self.from("ann"), body: body))
                await harness.intake.waitForRequests(2 + count)
            }
            // No byte of the body comes.
            let refused = try await harness.exchange(request(headers: Self.from("ann") + ["Content-Length: 400000"]))
            #expect(refused.status == 429 && refused.headers["retry-after"] == "1")
            #expect(statusMessage(refused.body)?.contains("more than their share of the memory limit") == true)
            // The length is not known before.
            let chunked = try harness.connect()
            await chunked.send(request(headers: Self.from("ann") + ["Transfer-Encoding: chunked"]))
            await chunked.send("7a120\r\n" + String(repeating: "x", count: 500_000) + "\r\n")
            #expect(await chunked.receive()?.status == 429)
            await bob.send(request(headers: Self.from("bob"), body: body))
            await harness.intake.waitForRequests(4)
            harness.intake.settle(.accepted)
            for connection in ann + [bob] { #expect(await connection.receive()?.status == 200) }
        }
    }
}
