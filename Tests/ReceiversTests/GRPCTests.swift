import Basics
import NIOHPACK
import OTLP
import Pipeline
import Receivers
import TestKit
import Testing

/// Runs `body` with a client of a gRPC receiver.
func withGRPC(
    _ intake: ScriptedIntake = ScriptedIntake(taking: [.traces, .metrics]),
    memory: ByteCount = .mebibytes(64),
    eventLoops: Int = 2,
    log: LogLines? = nil,
    _ configure: (inout OTLPGRPCReceiverSettings) -> Void = { _ in },
    _ body: (ReceiverHarness, RawHTTP2) async throws -> Void
) async throws {
    var settings = OTLPGRPCReceiverSettings()
    settings.common.beForTests()
    configure(&settings)
    let make = { [settings] context in OTLPReceiver(settings, in: context) }
    try await withOTLPReceiver(intake, memory: memory, eventLoops: eventLoops, log: log, make: make) { harness in
        let client = RawHTTP2(try harness.connect())
        await client.begin()
        try await body(harness, client)
    }
}

@Suite struct `A call over gRPC` {
    @Test func `may come in pieces of any size, packed or not`() async throws {
        try await withGRPC { harness, client in
            let body = Array("some body".utf8)
            let plain = RawHTTP2.message(body)
            for split in 1..<plain.count {
                let stream = try await client.open()
                await client.send(.data, stream: stream, payload: Array(plain[..<split]))
                await client.send(
                    .data,
                    flags: RawHTTP2.Frame.endStream,
                    stream: stream,
                    payload: Array(plain[split...])
                )
                let outcome = try #require(try await client.outcome(of: stream))
                #expect(outcome.status == "0" && outcome.body == [0, 0, 0, 0, 0])
                #expect(outcome.headers.first(name: "content-type") == "application/grpc")
            }
            for (name, windowBits) in [("gzip", Int32(31)), ("deflate", 15)] {
                let packed = RawHTTP2.message(compressed(body, windowBits: windowBits), flag: 1)
                let head = RawHTTP2.head("trace.v1.Trace", ["grpc-encoding": name])
                try await client.expect("0", packed, head)
                try await client.expect("0", plain, head)
            }
            try await client.expect("0", plain, RawHTTP2.head("metrics.v1.Metrics"))
            try await client.expect("0", RawHTTP2.message([]))
            let received = harness.intake.received
            #expect(received.allSatisfy { $0.body == body && $0.encoding == .protobuf })
            #expect(received.map(\.signal).last == .metrics && received.count == plain.count - 1 + 5)
        }
    }

    /// Bytes of a call that is refused.
    struct Flaw: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let headers: [(String, String)]
        let status: String
        let words: String

        init(_ words: String, _ status: String, _ bytes: [UInt8], _ headers: [(String, String)] = []) {
            testDescription = words
            self.bytes = bytes
            self.headers = headers
            self.status = status
            self.words = words
        }
    }

    @Test(arguments: [
        Flaw("compressed flag is 2; allowed: 0 or 1", "3", RawHTTP2.message([1], flag: 2)),
        Flaw("grpc-encoding names no compression", "3", RawHTTP2.message([1], flag: 1)),
        Flaw("ends before its message begins", "3", []),
        Flaw("ends before its message begins", "3", [0, 0, 0]),
        Flaw("ends 2 bytes before its message does", "3", [0, 0, 0, 0, 3, 1]),
        Flaw("more than one message", "3", RawHTTP2.message([1]) + RawHTTP2.message([1])),
        Flaw("longer than 1KiB", "8", RawHTTP2.message([UInt8](repeating: 1, count: 1025))),
        Flaw("longer than 1KiB", "8", [0, 255, 255, 255, 255]),
        Flaw(
            "longer than 1KiB",
            "8",
            RawHTTP2.message(compressed([UInt8](repeating: 1, count: 2000)), flag: 1),
            [("grpc-encoding", "gzip")]
        ),
        Flaw("allowed: identity, gzip, deflate", "12", RawHTTP2.message([1]), [("grpc-encoding", "snappy")]),
        Flaw("grpc-timeout", "3", RawHTTP2.message([1]), [("grpc-timeout", "soon")]),
        Flaw("not served here", "12", RawHTTP2.message([1]), [(":path", "/a.B/C")]),
        Flaw(
            "no pipeline of this receiver takes logs",
            "12",
            RawHTTP2.message([1]),
            [(":path", "/opentelemetry.proto.collector.logs.v1.LogsService/Export")]
        ),
    ])
    func `that is flawed is refused by name, and the connection stays`(flaw: Flaw) async throws {
        try await withGRPC(ScriptedIntake(), { $0.maxBody = .kibibytes(1) }) { harness, client in
            let outcome = try #require(
                try await client.call(flaw.bytes, RawHTTP2.head("trace.v1.Trace", HPACKHeaders(flaw.headers)))
            )
            #expect(outcome.status == flaw.status && outcome.message.contains(flaw.words), "\(outcome)")
            #expect(outcome.headers.first(name: ":status") == "200" && (outcome.details != nil) == (flaw.status == "3"))
            try await client.expect("0", RawHTTP2.message([1]))
            #expect(harness.intake.received.count == 1)
        }
    }

    @Test(arguments: [
        (IntakeAnswer.accepted, "0", ""),
        (.partial(rejected: 2, message: "two"), "0", ""),
        (.invalid("100 % bad\n"), "3", "100 %25 bad%0A"),
        (.tooLarge("big"), "8", "big"),
        (.forbidden("no"), "7", "no"),
        (.throttled("slow", retryAfter: .milliseconds(10)), "14", "slow"),
        (.unavailable("full", retryAfter: .seconds(60)), "14", "full"),
    ])
    func `gets the pipelines' answer in gRPC's words`(answer: IntakeAnswer, status: String, words: String) async throws
    {
        try await withGRPC(ScriptedIntake { _ in .later(answer) }) { harness, client in
            let outcome = try #require(try await client.call(RawHTTP2.message([1])))
            #expect(outcome.status == status && outcome.message == words)
            // Base64 of a Status with a BadRequest, a RetryInfo of 1 and of 3 s, as google.rpc's own classes write it.
            let details =
                switch answer {
                case .invalid:
                    "CAMSCjEwMCAlIGJhZAoaOwopdHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkJhZFJlcXVl"
                        + "c3QSDgoMEgoxMDAgJSBiYWQK"
                case .throttled:
                    "CA4SBHNsb3caMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAQ=="
                case .unavailable:
                    "CA4SBGZ1bGwaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAw=="
                default: String?.none
                }
            #expect(outcome.details == details)
            if case .partial = answer { #expect(outcome.response == [0x0A, 7, 0x08, 2, 0x12, 3] + Array("two".utf8)) }
            if case .accepted = answer { #expect(outcome.response.isEmpty) }
        }
    }

    @Test func `has metadata that is kept, and asks for experiments as a request of HTTP does`() async throws {
        try await withGRPC(
            ScriptedIntake(),
            {
                $0.forwardHeaders = ["X-Tenant"]
                $0.allowHeader = ["team-a"]
            }
        ) { harness, client in
            let experiment = "x-mlflow-experiment-id"
            let other = RawHTTP2.head("trace.v1.Trace", [experiment: "team-b"])
            try await client.expect("7", RawHTTP2.message([1]), other)
            let usual = RawHTTP2.head(
                "trace.v1.Trace",
                [experiment: "team-a", "x-tenant": "shop", "user-agent": "grpc-test/1"]
            )
            try await client.expect("0", RawHTTP2.message([1]), usual)
            let long = RawHTTP2.head("trace.v1.Trace", ["x-tenant": String(repeating: "x", count: 5000)])
            try await client.expect("8", RawHTTP2.message([1]), long)
            let source = try #require(harness.intake.received.last?.source)
            #expect(source.header("x-tenant") == "shop" && source.client == "grpc-test/1")
            #expect(harness.intake.received.count == 1)
        }
    }

    @Test func `is refused where there is no room for its head`() async throws {
        let intake = ScriptedIntake { _ in .held }
        try await withGRPC(intake, memory: .kibibytes(64), { $0.hold = .zero }) { harness, client in
            for _ in 0..<12 {
                // A body that has begun keeps its place.
                let call = try await client.open()
                await client.send(.data, flags: 0, stream: call, payload: [0])
            }
            let calls = try await client.openMany(4)
            let outcome = try #require(try await client.outcome(of: calls[3]))
            #expect(outcome.status == "14" && outcome.details != nil)
            #expect(harness.memory.inUse > 50_000)
        }
    }

    @Test func `that is not gRPC is told so in HTTP`() async throws {
        try await withGRPC { _, client in
            let stream = try await client.open(
                RawHTTP2.head("trace.v1.Trace", ["content-type": "application/json", ":path": "/v1/traces"]),
                ends: true
            )
            let outcome = try #require(try await client.outcome(of: stream))
            #expect(outcome.headers.first(name: ":status") == "415")
            #expect(String(decoding: outcome.body, as: UTF8.self).contains("4318"))
        }
    }

    @Test func `ends at its deadline, though the pipelines have it`() async throws {
        try await withGRPC(ScriptedIntake { _ in .held }) { harness, client in
            let head = RawHTTP2.head("trace.v1.Trace", ["grpc-timeout": "10S"])
            let late = try await client.call(RawHTTP2.message([1]), head)
            #expect(late?.status == "4")
            #expect(harness.intake.received.count == 1)
        }
    }

    @Test func `ends where its message does not come in time`() async throws {
        try await withGRPC(ScriptedIntake(), { $0.bodyTimeout = .milliseconds(40) }) { _, client in
            let stream = try await client.open()
            await client.send(.data, stream: stream, payload: [0, 0, 0, 0, 9, 1])
            let slow = try #require(try await client.outcome(of: stream))
            #expect(slow.status == "14" && slow.details != nil && slow.message.contains("in time"))
        }
    }

    @Test func `waits for room in memory before it is read`() async throws {
        let intake = ScriptedIntake { $0.body.count > 55_000 ? .held : .now(.accepted) }
        try await withGRPC(intake, memory: .kibibytes(96), { $0.hold = .seconds(60) }) { harness, client in
            let big = try await client.open()
            await client.sendMessage([UInt8](repeating: 1, count: 60_000), on: big)
            await harness.intake.waitForRequests(1)
            let other = RawHTTP2(try harness.connect())
            await other.begin()
            let waiting = try await other.open()
            await other.sendMessage([UInt8](repeating: 2, count: 50_000), on: waiting)
            #expect(await until { !harness.memory.line.isEmpty })
            #expect(harness.intake.received.count == 1)
            harness.intake.settle(.accepted)
            #expect(try await other.outcome(of: waiting)?.status == "0")
            #expect(try await client.outcome(of: big)?.status == "0")
        }
    }
}

extension HPACKHeaders {
    fileprivate init(_ list: [(String, String)]) {
        self.init()
        for (name, value) in list { add(name: name, value: value) }
    }
}
