import Basics
import NIOHPACK
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Receivers

@Suite struct `How a gRPC connection is used` {
    private static let message = RawHTTP2.message([1])

    @Test func `at the end open calls are answered and clients told to go`() async throws {
        let (intake, log) = (ScriptedIntake { _ in .held }, LogLines())
        try await withGRPC(intake, log: log) { harness, busy in
            let idle = RawHTTP2(try harness.connect())
            await idle.begin()
            let refused = RawHTTP2.head("trace.v1.Trace", [":path": "/a.B/C"])
            try await idle.expect("12", [], refused)
            let call = try await busy.open()
            await busy.send(.data, flags: RawHTTP2.Frame.endStream, stream: call, payload: Self.message)
            await harness.intake.waitForRequests(1)
            async let stopped: Void = harness.receiver.stop(within: .seconds(20))
            #expect(await idle.end() == 0)
            harness.intake.settle(.accepted)
            #expect(try await busy.outcome(of: call)?.status == "0")
            let reason = await busy.end()
            #expect(reason == 0, "\(log.all)")
            await stopped
            #expect(throws: (any Error).self) { _ = try harness.connect() }
        }
    }

    @Test func `what is not complete at the end is to be sent again`() async throws {
        try await withGRPC { harness, client in
            let call = try await client.open()
            await client.send(.data, stream: call, payload: [0, 0, 0])
            // The answer to a call behind it shows that it was read.
            try await client.expect("0", Self.message)
            async let stopped: Void = harness.receiver.stop(within: .milliseconds(100))
            let outcome = try #require(try await client.outcome(of: call))
            #expect(outcome.status == "14" && outcome.details != nil && outcome.message.contains("stopping"))
            await stopped
        }
    }

    @Test(arguments: [true, false])
    func `one that is idle ends, whether its client answers or not`(answers: Bool) async throws {
        try await withGRPC(ScriptedIntake(), { $0.idleTimeout = .milliseconds(100) }) { _, client in
            if answers {
                #expect(await client.end() == 0)
            } else {
                #expect(await client.connection.receiveUntilClosed() != nil)
            }
        }
    }

    @Test func `one that is old ends behind its calls`() async throws {
        try await withGRPC(ScriptedIntake(), { $0.maxAge = .milliseconds(200) }) { _, client in
            while client.goAway == nil, try await client.call(Self.message)?.status == "0" {}
            #expect(await client.end() == 0)
        }
    }

    @Test func `one too old ends although its client goes on and answers nothing`() async throws {
        let intake = ScriptedIntake { $0.body == [1] ? .held : .now(.accepted) }
        try await withGRPC(intake, { $0.maxAge = .milliseconds(50) }) { harness, client in
            let open = try await client.open()
            await client.send(.data, flags: RawHTTP2.Frame.endStream, stream: open, payload: Self.message)
            await harness.intake.waitForRequests(1)
            // The client has never no call open; nothing ends it before the grace is over.
            let other = RawHTTP2.message([2])
            while let outcome = try await client.call(other), !outcome.isReset { #expect(outcome.status == "0") }
            #expect(client.goAway == 0)
            harness.intake.settle(.accepted)
            #expect(try await client.outcome(of: open)?.status == "0")
            #expect(await client.end() == 0)
        }
    }

    @Test func `one that says nothing is asked whether it is there`() async throws {
        try await withGRPC(ScriptedIntake(), { $0.keepalive = .milliseconds(50) }) { _, client in
            var frame = await client.next()
            while let next = frame, next.kind != .ping { frame = await client.next() }
            #expect(frame?.flags == 0)
            await client.send(.ping, flags: RawHTTP2.Frame.acknowledges, payload: frame?.payload ?? [])
            try await client.expect("0", Self.message)
        }
    }

    @Test func `one too many takes an idle one's place, or is told to come later`() async throws {
        let intake = ScriptedIntake { _ in .held }
        try await withGRPC(intake, eventLoops: 1, { $0.maxConnections = 1 }) { harness, first in
            try await first.expect("12", [], RawHTTP2.head("trace.v1.Trace", [":path": "/a.B/C"]))
            let second = RawHTTP2(try harness.connect())
            await second.begin()
            let call = try await second.open()
            await second.send(.data, flags: RawHTTP2.Frame.endStream, stream: call, payload: Self.message)
            #expect(await first.end() == 0)
            await harness.intake.waitForRequests(1)
            let third = RawHTTP2(try harness.connect())
            await third.begin()
            let refusal = try #require(try await third.call(Self.message))
            #expect(refusal.status == "14" && refusal.details != nil && refusal.message.contains("at most 1"))
            let reason = await third.end()
            #expect(reason == 0)
            harness.intake.settle(.accepted)
            #expect(try await second.outcome(of: call)?.status == "0")
        }
    }

    @Test func `calls over max_streams are turned away, and may come again`() async throws {
        let intake = ScriptedIntake { _ in .held }
        try await withGRPC(intake, { $0.maxStreams = 2 }) { harness, client in
            var calls: [UInt32] = []
            for _ in 0..<3 {
                let call = try await client.open()
                await client.send(.data, flags: RawHTTP2.Frame.endStream, stream: call, payload: Self.message)
                calls.append(call)
            }
            let third = try await client.outcome(of: calls[2])
            #expect(third?.isReset == true)
            await harness.intake.waitForRequests(2)
            harness.intake.settle(.accepted)
            let second = try await client.outcome(of: calls[1])
            #expect(second?.status == "0" && harness.intake.received.count == 2)
            // Its client knows the limit by now, and breaks it all the same.
            for _ in 0..<2 {
                let call = try await client.open()
                await client.send(.data, flags: RawHTTP2.Frame.endStream, stream: call, payload: Self.message)
            }
            let excess = try await client.open()
            #expect(try await client.outcome(of: excess)?.isReset == true)
            await harness.intake.waitForRequests(4)
            harness.intake.settle(.accepted)
            #expect(try await client.outcome(of: excess - 2)?.status == "0")
        }
    }

    @Test func `clients are told the limits that calls are held to`() async throws {
        try await withGRPC(ScriptedIntake(), { $0.maxStreams = 7 }) { _, client in
            var frame = await client.next()
            while let next = frame, next.kind != .settings { frame = await client.next() }
            let payload = frame?.payload ?? []
            let settings = stride(from: 0, to: payload.count, by: 6).reduce(into: [UInt8: UInt32]()) { all, start in
                all[payload[start + 1]] = RawHTTP2.number(payload[(start + 2)..<(start + 6)])
            }
            #expect(settings[3] == 7 && settings[6] == 16_384)
        }
    }

    @Test func `a head that is too long is refused by itself`() async throws {
        let intake = ScriptedIntake { $0.body == [1] ? .held : .now(.accepted) }
        try await withGRPC(intake) { harness, client in
            // NIO holds clients that have not acknowledged the settings to limits of its own.
            try await client.expect("0", RawHTTP2.message([2]))
            let call = try await client.open()
            await client.send(.data, flags: RawHTTP2.Frame.endStream, stream: call, payload: Self.message)
            await harness.intake.waitForRequests(2)
            for _ in 0..<3 {
                let long = RawHTTP2.head("trace.v1.Trace", ["x-long": String(repeating: "a", count: 20_000)])
                let outcome = try #require(try await client.call(Self.message, long))
                #expect(outcome.status == "8" && outcome.message.contains("longer than 16384 bytes"))
            }
            harness.intake.settle(.accepted)
            #expect(try await client.outcome(of: call)?.status == "0")
        }
    }

    @Test(arguments: [
        ("", "0", [UInt8]([0x08, 1])),
        ("opentelemetry.proto.collector.trace.v1.TraceService", "0", [0x08, 1]),
        ("opentelemetry.proto.collector.logs.v1.LogsService", "5", []),
    ])
    func `its health is told without credentials`(service: String, status: String, response: [UInt8]) async throws {
        try await withGRPC(
            ScriptedIntake(),
            {
                $0.auth = AuthSettings()
                $0.auth?.bearer = [MemberSettings(name: "a", secret: "token-a")]
            }
        ) { harness, client in
            let head = RawHTTP2.head("trace.v1.Trace", [":path": "/grpc.health.v1.Health/Check"])
            let name: [UInt8] = service.isEmpty ? [] : [0x0A, UInt8(service.utf8.count)] + Array(service.utf8)
            let outcome = try #require(try await client.call(RawHTTP2.message(name), head))
            #expect(outcome.status == status && outcome.response == response)
            try await client.expect("16", Self.message)
            let member = RawHTTP2.head("trace.v1.Trace", ["authorization": "Bearer token-a"])
            try await client.expect("0", Self.message, member)
            await harness.receiver.prepareToStop(refusing: false)
            let late = RawHTTP2(try harness.connect())
            await late.begin()
            if status == "0" { #expect(try await late.call(RawHTTP2.message(name), head)?.response == [0x08, 2]) }
        }
    }
}

@Suite struct `A client that abuses HTTP 2` {
    /// What it does until it is stopped.
    enum Abuse: String, CaseIterable, CustomTestStringConvertible {
        case resets, pings, settings, priorities, emptyData, continuations, longHead, manyErrors

        var testDescription: String { rawValue }
    }

    @Test(arguments: Abuse.allCases)
    func `is cut off, and others are served`(abuse: Abuse) async throws {
        let log = LogLines()
        try await withGRPC(log: log) { harness, abuser in
            let good = RawHTTP2(try harness.connect())
            await good.begin()
            let stream = try await abuser.open()
            for number in 0..<200_000 {
                guard try await commit(abuse, abuser, stream, number) else { break }
            }
            _ = await abuser.connection.receiveUntilClosed()
            #expect(await !abuser.send(.ping, payload: [UInt8](repeating: 0, count: 8)))
            try await good.expect("0", RawHTTP2.message([1]))
            #expect(log.all.contains { $0.contains("for what no call is made of") }, "\(log.all)")
        }
    }

    /// Does it some times more; false where nobody listens any more.
    private func commit(_ abuse: Abuse, _ client: RawHTTP2, _ stream: UInt32, _ number: Int) async throws -> Bool {
        switch abuse {
        case .resets:
            let next = try await client.open()
            return await client.send(.reset, stream: next, payload: RawHTTP2.bytes(8))
        case .pings: return await client.send(.ping, payload: [UInt8](repeating: 0, count: 8))
        case .settings: return await client.send(.settings)
        case .priorities: return await client.send(.priority, stream: stream, payload: [0, 0, 0, 0, 1])
        case .emptyData: return await client.send(.data, stream: stream)
        case .continuations:
            if number == 0 { return await client.send(.headers, stream: stream + 2, payload: [0x82]) }
            return await client.send(.continuation, stream: stream + 2, payload: [0x82])
        case .longHead:
            let long = String(repeating: "~", count: 34_000)
            let head = RawHTTP2.head("trace.v1.Trace", ["x-a": long, "x-b": long])
            let block = try client.block(head)
            var parts = stride(from: 0, to: block.count, by: 16_000).map {
                Array(block[$0..<min($0 + 16_000, block.count)])
            }
            let last = parts.removeLast()
            await client.send(.headers, stream: stream + 2, payload: parts.removeFirst())
            for part in parts { await client.send(.continuation, stream: stream + 2, payload: part) }
            return await client.send(.continuation, flags: RawHTTP2.Frame.endHeaders, stream: stream + 2, payload: last)
        case .manyErrors:
            // Data for a stream that was never opened.
            return await client.send(.data, stream: 99_999, payload: [1])
        }
    }

    @Test func `by frames of chance leaves the others served, and no memory reserved`() async throws {
        let intake = ScriptedIntake { $0.body.count % 2 == 0 ? .now(.accepted) : .later(.invalid("odd")) }
        try await withGRPC(intake, memory: .mebibytes(1), { $0.maxBody = .kibibytes(64) }) { harness, good in
            var random = SeededGenerator(seed: 4317)
            for _ in 0..<200 {
                let client = RawHTTP2(try harness.connect())
                await client.begin()
                var streams: [UInt32] = []
                for _ in 0..<Int.random(in: 1...60, using: &random) {
                    try await send(&random, client, &streams)
                }
                try await good.expect("0", RawHTTP2.message([1, 2]))
            }
            #expect(harness.intake.received.count > 400)
        }
    }

    /// Sends a frame: most belong to calls, some to nothing.
    private func send(_ random: inout SeededGenerator, _ client: RawHTTP2, _ streams: inout [UInt32]) async throws {
        switch Int.random(in: 0..<30, using: &random) {
        case 0...5: streams.append(try await client.open())
        case 6...8:
            let packed = RawHTTP2.head("trace.v1.Trace", ["grpc-encoding": "gzip", "grpc-timeout": "9S"])
            streams.append(try await client.open(packed, ends: Int.random(in: 0...9, using: &random) == 0))
        case 9...28:
            guard let index = streams.indices.randomElement(using: &random) else { return }
            let body = (0..<Int.random(in: 0...300, using: &random)).map { UInt8(truncatingIfNeeded: $0) }
            let message = RawHTTP2.message(body, flag: Int.random(in: 0...9, using: &random) == 0 ? 1 : 0)
            let isWhole = Int.random(in: 0...3, using: &random) > 0
            let part = isWhole ? message : Array(message.prefix(Int.random(in: 0...message.count, using: &random)))
            let ends = Bool.random(using: &random)
            await client.send(.data, flags: ends ? 1 : 0, stream: streams[index], payload: part)
            if ends { streams.remove(at: index) }
        default:
            let kind = RawHTTP2.Frame.Kind(rawValue: UInt8.random(in: 0...9, using: &random)) ?? .ping
            let count = [0, 4, 5, 6, 8, 30].randomElement(using: &random) ?? 0
            let payload = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let flags = UInt8.random(in: 0...255, using: &random)
            await client.send(kind, flags: flags, stream: streams.randomElement(using: &random) ?? 0, payload: payload)
        }
    }

    @Test func `that opens no window for answers loses its calls, and holds nothing`() async throws {
        let noWindow: [UInt8] = [0, 4, 0, 0, 0, 0]
        try await withGRPC(ScriptedIntake(), { $0.bodyTimeout = .seconds(10) }) { harness, _ in
            let client = RawHTTP2(try harness.connect())
            await client.begin(settings: noWindow)
            let outcome = try #require(try await client.call(RawHTTP2.message([1])))
            #expect(outcome.isReset && harness.intake.received.count == 1, "\(outcome)")
        }
    }
}

@Suite struct `A client of another protocol` {
    @Test(arguments: [
        "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "P", "GET / HTTP/1.0\r\n\r\n",
    ])
    func `is told so by a gRPC port`(bytes: String) async throws {
        try await withGRPC { harness, _ in
            let connection = try harness.connect()
            await connection.send(bytes)
            if bytes == "P" { await connection.send("OST / HTTP/1.1\r\n") }
            let answer = try #require(await connection.receive())
            #expect(answer.status == 400 && answer.text.contains("this port speaks OTLP over gRPC"))
            connection.closeOutput()
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test(arguments: ["PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PROXY UNKNOWN\r\n"])
    func `that is no balancer is told that its PROXY header is not wanted`(bytes: String) async throws {
        let log = LogLines()
        try await withGRPC(log: log) { harness, _ in
            let connection = try harness.connect()
            for part in [bytes.prefix(2), bytes.dropFirst(2)] { await connection.send(String(part)) }
            let answer = try #require(await connection.receive())
            #expect(answer.status == 400 && answer.text.contains("a PROXY header came from an address"))
            #expect(log.all.contains { $0.contains("sends a PROXY header") })
        }
    }

    @Test func `is told so by an HTTP port, in gRPC`() async throws {
        let log = LogLines()
        try await withReceiver(log: log) { harness in
            for _ in 0..<2 {
                let client = RawHTTP2(try harness.connect())
                await client.begin()
                for _ in 0..<2 {
                    let outcome = try #require(try await client.call(RawHTTP2.message([1])))
                    #expect(outcome.status == "12" && outcome.message.contains("this port speaks OTLP over HTTP"))
                }
                try await client.expectHTTP(200)
            }
            #expect(log.lines("a client speaks gRPC to a port that speaks HTTP").count == 1)
            // A client of HTTP/1.1 is none.
            try await harness.expect(200, request(body: [1]))
            await harness.receiver.stop(within: .milliseconds(100))
        }
    }
}
