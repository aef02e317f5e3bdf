import Basics
import OTLP
import Pipeline
import Receivers
import TestKit
import Testing

private let text = Array(String(repeating: "a span, ", count: 40_000).utf8)

/// A body and the codings it is said to have.
struct CodedBody: Sendable, CustomTestStringConvertible {
    let codings: [String]
    let bytes: [UInt8]
    var reason = ""
    var testDescription: String { "\(codings), \(bytes.count) bytes \(reason)" }

    init(_ codings: [String], _ bytes: [UInt8], _ reason: String = "") {
        self.codings = codings
        self.bytes = bytes
        self.reason = reason
    }
}

@Suite struct `How a body is read` {
    @Test(arguments: [
        CodedBody(["gzip"], compressed(text)),
        CodedBody(["x-gzip"], compressed(text)),
        CodedBody(["GZip"], compressed(text)),
        CodedBody(["identity, gzip"], compressed(text)),
        CodedBody(["gzip,"], compressed(text)),
        CodedBody(["deflate"], compressed(text, windowBits: 15)),
        CodedBody(["deflate"], compressed(text, windowBits: -15)),
        CodedBody(["zstd"], zstandard(text)),
        CodedBody(["X-Zstd"], zstandard(Array(text[..<1000])) + zstandard([]) + zstandard(Array(text[1000...]))),
        CodedBody(["identity"], text),
        CodedBody(["gzip"], compressed(Array(text[..<1000])) + compressed(Array(text[1000...])) + compressed([])),
    ])
    func `every content encoding gives the bytes that were sent`(_ coded: CodedBody) async throws {
        let (codings, body) = (coded.codings, coded.bytes)
        try await withReceiver { harness in
            let headers = codings.map { "Content-Encoding: \($0)" }
            try await harness.expect(200, request(headers: headers, body: body))
            #expect(harness.intake.received.first?.body == text)
            var chunked: [UInt8] = []
            for start in stride(from: 0, to: body.count, by: 700) {
                let chunk = body[start..<min(start + 700, body.count)]
                chunked += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + [13, 10]
            }
            let head = request(headers: headers + ["Transfer-Encoding: chunked"])
            try await harness.expect(200, head + chunked + Array("0\r\n\r\n".utf8))
            #expect(harness.intake.received.last?.body == text)
            let kinds = codings.filter { $0.lowercased().hasPrefix("x-") }.map {
                $0.lowercased().replacing("-", with: "_")
            }
            #expect(harness.intake.received.allSatisfy { $0.deviations.byName.map(\.name) == kinds })
        }
    }

    @Test(
        arguments: [
            CodedBody(["gzip"], Array(compressed(text).dropLast(4)), "it ends early"),
            CodedBody(["gzip"], compressed(text) + [1, 2, 3], "incorrect header check"),
            CodedBody(["gzip"], compressed(text).dropLast(8) + [UInt8](repeating: 0, count: 8), "incorrect data check"),
            CodedBody(["deflate"], [0x78], "it ends early"),
            CodedBody(["deflate"], compressed(text, windowBits: 15) + [1], "bytes follow its end"),
            CodedBody(["deflate"], [0x78, 0x9C, 0xFF, 0xFF], "invalid block type"),
            CodedBody(["zstd"], Array(zstandard(text).dropLast(4)), "it ends early"),
            CodedBody(["zstd"], zstandard(text) + [1, 2, 3], "Unknown frame descriptor"),
            CodedBody(["zstd"], [1, 2, 3, 4], "Unknown frame descriptor"),
            // A frame header that asks for a window of 16 MiB (RFC 8878 section 3.1.1.1.2).
            CodedBody(
                ["zstd"],
                [0x28, 0xB5, 0x2F, 0xFD, 0, 14 << 3, 1, 0, 0],
                "its window is larger than 8 MiB; a lower compression level has a smaller one"
            ),
        ]
    )
    func `broken compression is a bad request that says what is wrong`(_ coded: CodedBody) async throws {
        let coding = coded.codings[0]
        try await withReceiver { harness in
            let answer = try await harness.exchange(
                request(headers: ["Content-Encoding: \(coding)"], body: coded.bytes)
            )
            #expect(answer.status == 400)
            #expect(statusMessage(answer.body) == "the body is not valid \(coding): \(coded.reason)")
            #expect(harness.intake.received.isEmpty)
        }
    }

    @Test func `a bomb is refused at the limit without its memory`() async throws {
        // Enough for the limit, what is held while growing to it and zlib's own memory; for more it would be a 503.
        try await withReceiver(memory: .kibibytes(6144 + 256), { $0.maxBody = .mebibytes(4) }) { harness in
            let body = bomb(mebibytes: 1024)
            let answer = try await harness.exchange(request(headers: ["Content-Encoding: gzip"], body: body))
            #expect(answer.status == 413)
            #expect(harness.intake.received.isEmpty)
            try await harness.expect(200, request(body: [1]))
        }
    }

    @Test func `a window is paid for before the bytes that it brings`() async throws {
        let zeros = [UInt8](repeating: 0, count: 64 << 20)
        try await withReceiver(memory: .mebibytes(12), { $0.maxBody = .mebibytes(4) }) { harness in
            let answer = try await harness.exchange(
                request(headers: ["Content-Encoding: zstd"], body: zstandard(zeros))
            )
            #expect(answer.status == 413)
            try await harness.expect(200, request(body: [1]))
        }
        try await withReceiver(memory: .mebibytes(1), { $0.maxBody = .mebibytes(4) }) { harness in
            try await harness.expect(503, request(headers: ["Content-Encoding: zstd"], body: zstandard(zeros)))
            try await harness.expect(200, request(body: [1]))
        }
    }

    @Test(arguments: [true, false])
    func `a client that sends 100 MB without looking can read the 413`(_ isChunked: Bool) async throws {
        try await withReceiver(ScriptedIntake(), { $0.maxBody = .mebibytes(4) }) { harness in
            let connection = try harness.connect()
            let piece = [UInt8](repeating: 1, count: 1_000_000)
            let length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: 100000000"
            await connection.send(request(headers: [length]))
            for _ in 0..<100 {
                let framed = Array("f4240\r\n".utf8) + piece + [13, 10]
                #expect(await connection.send(isChunked ? framed : piece))
            }
            let answer = try #require(await connection.receive())
            #expect(answer.status == 413 && answer.headers["connection"] == "close")
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `a body of the allowed length is taken, one more byte is not`() async throws {
        try await withReceiver(ScriptedIntake(), { $0.maxBody = .kibibytes(64) }) { harness in
            let exact = [UInt8](repeating: 1, count: 65_536)
            try await harness.expect(200, request(body: exact))
            try await harness.expect(413, request(body: exact + [1]))
            #expect(
                try await harness.exchange(request(headers: ["Content-Encoding: gzip"], body: compressed(exact))).status
                    == 200
            )
            let longer = compressed(exact + [1])
            try await harness.expect(413, request(headers: ["Content-Encoding: gzip"], body: longer))
        }
    }

    @Test func `a client that asks first is told to go on`() async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            await connection.send(request(headers: ["Expect: 100-Continue", "Content-Length: 3"]))
            #expect(await connection.receive()?.status == 100)
            await connection.send([1, 2, 3])
            #expect(await connection.receive()?.status == 200)
            #expect(harness.intake.received.first?.body == [1, 2, 3])
        }
    }

    @Test func `a client that asks first is refused at once where the head decides`() async throws {
        try await withReceiver { harness in
            let connection = try harness.connect()
            await connection.send(request(headers: ["Expect: 100-continue", "Content-Length: 100000000"]))
            #expect(await connection.receive()?.status == 413)
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `over the memory limit a request is refused, and taken once there is room`() async throws {
        let intake = ScriptedIntake { _ in .held }
        let configure = { (settings: inout OTLPHTTPReceiverSettings) in
            settings.bodyTimeout = .seconds(60)
            settings.hold = .zero
        }
        try await withReceiver(intake, memory: .kibibytes(100), configure) { harness in
            let holder = try harness.connect()
            await holder.send(request(body: [UInt8](repeating: 1, count: 60_000)))
            await intake.waitForRequests(1)
            #expect(harness.memory.inUse == 60_000)
            for headers in [["Content-Length: 60000"], ["Transfer-Encoding: chunked"]] {
                let connection = try harness.connect()
                await connection.send(
                    request(headers: headers) + (headers[0].hasPrefix("T") ? Array("ea60\r\n".utf8) : [])
                )
                await connection.send([UInt8](repeating: 1, count: 60_000))
                let answer = try #require(await connection.receive())
                #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
            }
            intake.settle(.accepted)
            #expect(await holder.receive()?.status == 200)
            let next = try harness.connect()
            await next.send(request(body: [UInt8](repeating: 1, count: 60_000)))
            await intake.waitForRequests(2)
            intake.settle(.accepted)
            #expect(await next.receive()?.status == 200)
        }
    }

    @Test func `while memory becomes free a body is not read before there is room`()
        async throws
    {
        let intake = ScriptedIntake { _ in .held }
        let configure = { (settings: inout OTLPHTTPReceiverSettings) in
            settings.bodyTimeout = .seconds(20)
            settings.hold = .seconds(60)
        }
        try await withReceiver(intake, memory: .kibibytes(100), configure) { harness in
            let (holder, second, third) = (try harness.connect(), try harness.connect(), try harness.connect())
            await holder.send(request(body: [1]))
            await intake.waitForRequests(1)
            intake.settle(.accepted)
            #expect(await holder.receive()?.status == 200)
            await holder.send(request(body: [UInt8](repeating: 1, count: 60_000)))
            await intake.waitForRequests(2)
            await second.send(request(body: [UInt8](repeating: 2, count: 60_000)))
            // So small that there would be room, but not before those who wait.
            #expect(await until { !harness.memory.line.isEmpty })
            await third.send(request(body: [3]))
            intake.settle(.accepted)
            #expect(await holder.receive()?.status == 200)
            // Whose body comes first after that is the network's affair.
            await intake.waitForRequests(4)
            #expect(intake.received.map { $0.body[0] }.sorted() == [1, 1, 2, 3])
            intake.settle(.accepted)
            #expect(await second.receive()?.status == 200)
            #expect(await third.receive()?.status == 200)
        }
    }

    @Test func `a body is paid for as it comes, not as it is announced`() async throws {
        try await withReceiver(memory: .mebibytes(4)) { harness in
            let silent = try harness.connect()
            await silent.send(request(headers: ["Content-Length: 3000000", "Expect: 100-continue"]))
            #expect(await silent.receive()?.status == 100)
            #expect(harness.memory.inUse == 0)
            try await harness.expect(200, request(body: [UInt8](repeating: 1, count: 1_000_000)))
        }
    }

    @Test func `a body that could never be held is too long and not refused for now`() async throws {
        try await withReceiver(memory: .kibibytes(100)) { harness in
            try await harness.expect(413, request(headers: ["Content-Length: 200000"]))
        }
    }

    @Test func `a large body that takes long to take in holds up no other connection`() async throws {
        let proceed = ThreadSignal()
        let (begun, hasBegun) = AsyncStream.makeStream(of: Void.self)
        let intake = ScriptedIntake { request in
            if request.body.count > 1 << 20 {
                hasBegun.yield()
                proceed.wait()
            }
            return .now(.accepted)
        }
        try await withReceiver(intake, eventLoops: 1) { harness in
            let slow = try harness.connect()
            await slow.send(request(body: [UInt8](repeating: 1, count: 3 << 20)))
            for await _ in begun { break }
            try await harness.expect(200, request(body: [1]))
            proceed.signal()
            #expect(await slow.receive()?.status == 200)
        }
    }

    @Test func `memory of a request in the intake stays reserved when its client goes away`() async throws {
        let intake = ScriptedIntake { _ in .held }
        try await withReceiver(intake) { harness in
            var connection: RawConnection? = try harness.connect()
            await connection?.send(request(body: [UInt8](repeating: 1, count: 5000)))
            await intake.waitForRequests(1)
            connection = nil
            #expect(harness.memory.inUse == 5000)
            intake.settle(.accepted)
        }
    }
}
