import Basics
import Pipeline
import TestKit
import Testing

@testable import Receivers

@Suite struct `What a slow client meets` {
    @Test func `a connection that sends nothing is closed`() async throws {
        try await withReceiver(ScriptedIntake(), { $0.headerTimeout = .milliseconds(50) }) { harness in
            let connection = try harness.connect()
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `half a head is answered 408 and closed`() async throws {
        try await withReceiver(ScriptedIntake(), { $0.headerTimeout = .milliseconds(50) }) { harness in
            let connection = try harness.connect()
            await connection.send("POST /v1/traces HTTP/1.1\r\nHost:")
            #expect(await connection.receive()?.status == 408)
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `half a body is answered 408 and closed`() async throws {
        try await withReceiver(ScriptedIntake(), { $0.bodyTimeout = .milliseconds(50) }) { harness in
            let connection = try harness.connect()
            await connection.send(request(headers: ["Content-Length: 10"]) + [1, 2, 3])
            #expect(await connection.receive()?.status == 408)
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test(arguments: [50_000, 5_000_000])
    func `one that is refused for what it shows, and sends no body, is closed soon`(length: Int) async throws {
        try await withReceiver(ScriptedIntake()) { settings in
            settings.auth = AuthSettings()
            settings.auth?.bearer = [MemberSettings(name: "a", secret: "t")]
        } _: { harness in
            let start = ContinuousClock.now
            let connection = try harness.connect()
            await connection.send(request(headers: ["Content-Length: \(length)"]))
            #expect(await connection.receive()?.status == 401)
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
            // Of the ten minutes that a body has here.
            #expect(ContinuousClock.now - start < .seconds(60))
        }
    }

    @Test func `an idle connection is closed`() async throws {
        try await withReceiver(ScriptedIntake(), { $0.idleTimeout = .milliseconds(50) }) { harness in
            let connection = try harness.connect()
            await connection.send(request(body: [1]))
            #expect(await connection.receive()?.status == 200)
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `a body that stops coming gives its memory to one that waits for it`() async throws {
        try await withReceiver(memory: .mebibytes(1), { $0.hold = .seconds(60) }) { harness in
            let (silent, good) = (try harness.connect(), try harness.connect())
            await silent.send(request(headers: ["Content-Length: 750000"]) + [UInt8](repeating: 0, count: 749_999))
            #expect(await until { harness.memory.inUse == 750_000 })
            await good.send(request(body: [UInt8](repeating: 0, count: 500_000)))
            #expect(await silent.receive()?.status == 503)
            #expect(await good.receive()?.status == 200)
        }
    }

    @Test func `a compressed body that never begins gives back what its decoder holds`() async throws {
        try await withReceiver(memory: .kibibytes(100)) { harness in
            let silent = try harness.connect()
            await silent.send(request(headers: ["Content-Encoding: gzip", "Content-Length: 1000"]))
            #expect(await silent.receive()?.status == 503)
            try await harness.expect(200, request(body: [UInt8](repeating: 0, count: 50_000)))
        }
    }

    @Test func `a body that stopped coming makes room where another found none, though most is free`() async throws {
        try await withReceiver(memory: .mebibytes(1), { $0.hold = .zero }) { harness in
            let silent = try harness.connect()
            await silent.send(request(headers: ["Content-Length: 600000"]) + [UInt8](repeating: 0, count: 400_000))
            #expect(await until { harness.memory.inUse == 600_000 })
            #expect(!harness.memory.isShort)
            try await harness.expect(503, request(body: [UInt8](repeating: 0, count: 700_000)))
            #expect(await silent.receive()?.status == 503)
            try await harness.expect(200, request(body: [UInt8](repeating: 0, count: 700_000)))
        }
    }
}
