import Basics
import Pipeline
import Receivers
import TestKit
import Testing

@Suite struct `What a stopping receiver does` {
    @Test func `it goes on taking requests, and says that each answer is its connection's last`() async throws {
        try await withReceiver { harness in
            let kept = try harness.connect()
            await kept.send(request(body: [1]))
            #expect(await kept.receive()?.headers["connection"] == nil)
            await harness.receiver.prepareToStop(refusing: false)
            await kept.send(request(body: [2]))
            let answer = try #require(await kept.receive())
            #expect(answer.status == 200 && answer.headers["connection"] == "close")
            #expect(await kept.receiveUntilClosed()?.isEmpty == true)
            let new = try await harness.exchange(request(body: [3]))
            #expect(new.status == 200 && new.headers["connection"] == "close")
        }
    }

    @Test func `requests that were sent together are all answered, the last with close`() async throws {
        try await withReceiver(ScriptedIntake { _ in .held }) { harness in
            let connection = try harness.connect()
            await connection.send(request(body: [1]) + request("GET") + request("GET"))
            await harness.intake.waitForRequests(1)
            await harness.receiver.prepareToStop(refusing: false)
            harness.intake.settle(.accepted)
            let answers = [await connection.receive(), await connection.receive(), await connection.receive()]
            #expect(answers.map { $0?.status } == [200, 405, 405])
            #expect(answers.map { $0?.headers["connection"] } == [nil, nil, "close"])
        }
    }

    @Test func `where nothing would keep them new requests are refused and earlier ones answered first`() async throws {
        try await withReceiver(ScriptedIntake { _ in .held }) { harness in
            let (earlier, begun) = (try harness.connect(), try harness.connect())
            await earlier.send(request(body: [1]))
            await harness.intake.waitForRequests(1)
            let half = request(body: Array(repeating: 1, count: 10))
            await begun.send(Array(half.dropLast(5)))
            async let prepared: Void = harness.receiver.prepareToStop(refusing: true)
            harness.intake.settle(.accepted)
            await prepared
            #expect(await earlier.receive()?.status == 200)
            await begun.send(Array(half.suffix(5)))
            let new = try await harness.exchange(request(body: [1]))
            for answer in [new, try #require(await begun.receive())] {
                #expect(answer.status == 503)
                #expect(answer.headers["retry-after"] == "1" && answer.headers["connection"] == "close")
            }
            #expect(harness.intake.received.count == 1)
        }
    }

    @Test func `at the end a request in the intake is answered and an idle connection closed`() async throws {
        try await withReceiver(ScriptedIntake { _ in .held }) { harness in
            let (busy, idle) = (try harness.connect(), try harness.connect())
            await idle.send(request("GET"))
            #expect(await idle.receive()?.status == 405)
            await busy.send(request(body: [1]))
            await harness.intake.waitForRequests(1)
            await harness.receiver.prepareToStop(refusing: false)
            async let stopped: Void = harness.receiver.stop(within: .seconds(10))
            harness.intake.settle(.accepted)
            let answer = try #require(await busy.receive())
            #expect(answer.status == 200 && answer.headers["connection"] == "close")
            #expect(await idle.receiveUntilClosed()?.isEmpty == true)
            #expect(await busy.receiveUntilClosed()?.isEmpty == true)
            await stopped
            #expect(throws: (any Error).self) { _ = try harness.connect() }
        }
    }

    @Test func `a request that has begun is taken to its end, and refused when the time is over`() async throws {
        // On a busy machine the test's own tasks may wait longer than a client may.
        let isPatient = { (settings: inout OTLPHTTPReceiverSettings) in
            settings.headerTimeout = .seconds(600)
            settings.bodyTimeout = .seconds(600)
        }
        try await withReceiver(ScriptedIntake(), isPatient) { harness in
            let whole = request(body: Array(repeating: 1, count: 10))
            let (slow, slower, headless) = (try harness.connect(), try harness.connect(), try harness.connect())
            await slow.send(Array(whole.prefix(20)))
            await slower.send(Array(whole.dropLast(1)))
            await headless.send("P")
            async let stopped: Void = harness.receiver.stop(within: .milliseconds(500))
            await slow.send(Array(whole.dropFirst(20)))
            #expect(await slow.receive()?.status == 200)
            for refused in [slower, headless] {
                let answer = try #require(await refused.receive())
                #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
                #expect(await refused.receiveUntilClosed()?.isEmpty == true)
            }
            await stopped
        }
    }

    @Test func `half a head behind a whole request is answered too`() async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            await connection.send(request("GET") + request("GET").prefix(30))
            #expect(await connection.receive()?.status == 405)
            await harness.receiver.stop(within: .seconds(10))
            #expect(await connection.receive()?.status == 503)
        }
    }

    @Test func `everybody who is connected is answered`() async throws {
        try await withReceiver { harness in
            let connections = try (0..<200).map { _ in try harness.connect() }
            async let stopped: Void = harness.receiver.stop(within: .seconds(300))
            let taken = await withTaskGroup { group in
                for connection in connections {
                    group.addTask {
                        await connection.send(request(body: [1]))
                        return await connection.receive()?.status
                    }
                }
                return await group.reduce(into: 0) { $0 += $1 == 200 ? 1 : 0 }
            }
            #expect(taken == 200)
            await stopped
        }
    }
}

@Suite struct `Sockets of a service manager` {
    @Test func `several of them serve a receiver, and stay open for the next one`() async throws {
        let (first, second) = (ListeningSocket(), ListeningSocket())
        for _ in 0..<2 {
            let sockets = try [first, second].map { try #require(GivenSocket(descriptor: $0.duplicate())) }
            try await withReceiver(sockets: sockets) { harness in
                #expect(harness.address == first.address)
                for address in [first.address, second.address] {
                    let connection = try RawConnection(to: address)
                    await connection.send(request(body: [1]))
                    #expect(await connection.receive()?.status == 200)
                }
                await harness.receiver.stop(within: .seconds(10))
            }
        }
    }

    @Test func `whoever connects when the receiver has gone waits for the next one`() async throws {
        let socket = ListeningSocket()
        let given = { try #require(GivenSocket(descriptor: socket.duplicate())) }
        try await withReceiver(sockets: [try given()]) { harness in
            await harness.receiver.stop(within: .seconds(10))
        }
        let waiting = try RawConnection(to: socket.address)
        await waiting.send(request(body: [1]))
        try await withReceiver(sockets: [try given()]) { _ in
            #expect(await waiting.receive()?.status == 200)
        }
    }

    @Test func `a socket's file stays where it is`() async throws {
        let path = "/tmp/millrace-\(UInt64.random(in: 0...(.max))).sock"
        let socket = ListeningSocket(unix: path)
        let given = try #require(GivenSocket(descriptor: socket.duplicate()))
        #expect(given.address == .unix(path: path))
        try await withReceiver(sockets: [given]) { harness in
            try await harness.expect(200, request(body: [1]))
            await harness.receiver.stop(within: .seconds(10))
        }
        _ = try RawConnection(to: .unix(path: path))
    }
}
