import Basics
import Logging
import NIOCore
import NIOEmbedded
import NIOHPACK
import Pipeline
import TestKit
import Testing

@testable import Receivers

/// Two receivers with one address, and what stands around them.
private struct SharedHarness {
    let (http, grpc): (ScriptedIntake, ScriptedIntake)
    let address: ListenAddress
    let meters: Meters
    let memory: MemoryBudget
    let receivers: [OTLPReceiver]

    func client() async throws -> RawHTTP2 {
        let client = RawHTTP2(try RawConnection(to: address))
        await client.begin()
        return client
    }
}

/// Runs `body` against a receiver of HTTP and one of gRPC that share a listener; `grpcFirst` says which the file names first.
private func withSharedListener(
    _ http: ScriptedIntake = ScriptedIntake(),
    _ grpc: ScriptedIntake = ScriptedIntake(),
    grpcFirst: Bool = false,
    _ configure: (inout ReceptionSettings) -> Void = { _ in },
    _ body: (SharedHarness) async throws -> Void
) async throws {
    let path = "/tmp/millrace-\(UInt64.random(in: 0...(.max))).sock"
    let (memory, meters, eventLoops) = (MemoryBudget(limit: .mebibytes(64)), Meters(), EventLoops(count: 2))
    func context(_ name: String, _ intake: ScriptedIntake) -> ReceiverContext {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return ReceiverContext(
            name: name,
            intake: intake,
            memory: memory,
            eventLoops: eventLoops,
            meters: meters,
            logger: logger
        )
    }
    var (httpSettings, grpcSettings) = (OTLPHTTPReceiverSettings(), OTLPGRPCReceiverSettings())
    httpSettings.common.beForTests()
    httpSettings.listen = .unix(path: path)
    configure(&httpSettings.common)
    grpcSettings.common = httpSettings.common
    var receivers = [
        OTLPReceiver(httpSettings, in: context("web", http)), OTLPReceiver(grpcSettings, in: context("calls", grpc)),
    ]
    if grpcFirst { receivers.reverse() }
    OTLPReceiver.shareListeners(among: receivers)
    for receiver in receivers { try await receiver.start() }
    #expect(receivers.map(\.boundAddress) == [.unix(path: path), .unix(path: path)])
    let harness = SharedHarness(
        http: http,
        grpc: grpc,
        address: .unix(path: path),
        meters: meters,
        memory: memory,
        receivers: receivers
    )
    let result: Result<Void, any Error>
    do { result = .success(try await body(harness)) } catch { result = .failure(error) }
    for intake in [http, grpc] { intake.settle(.accepted) }
    for receiver in receivers { await receiver.close() }
    for receiver in receivers { await receiver.finish(within: .seconds(10)) }
    #expect(memory.inUse == 0, "memory stays reserved")
    #expect(meters.prometheusText().contains("millrace_receiver_connections{receiver=\"web\"} 0\n"))
    await eventLoops.shutdown()
    try result.get()
}

@Suite struct `A shared listener` {
    @Test(arguments: [true, false])
    func `gives each request to the receiver that speaks it, by one connection`(grpcFirst: Bool) async throws {
        try await withSharedListener(grpcFirst: grpcFirst) { harness in
            let client = try await harness.client()
            for count in 1...3 {
                try await client.expect("0", RawHTTP2.message([UInt8](repeating: 1, count: count)))
                try await client.expectHTTP(200, [UInt8](repeating: 2, count: count))
            }
            let old = try RawConnection(to: harness.address)
            await old.send(request(body: [3]))
            #expect(await old.receive()?.status == 200)
            #expect(harness.grpc.received.map(\.body) == [[1], [1, 1], [1, 1, 1]])
            #expect(harness.http.received.map(\.body) == [[2], [2, 2], [2, 2, 2], [3]])
            #expect(harness.grpc.received.allSatisfy { $0.source.receiver == "calls" })
            let metrics = harness.meters.prometheusText()
            for line in [
                #"requests_total{code="OK",receiver="calls",signal="traces"} 3"#,
                #"requests_total{code="200",receiver="web",signal="traces"} 4"#,
                #"millrace_receiver_connections{receiver="web"} 2"#,
                #"millrace_receiver_connections{receiver="calls"} 0"#,
            ] {
                #expect(metrics.contains(line), "\(line)")
            }
        }
    }

    @Test func `answers what has begun at the end, whatever it speaks`() async throws {
        let held = { ScriptedIntake { _ in .held } }
        try await withSharedListener(held(), held()) { harness in
            let client = try await harness.client()
            let call = try await client.open()
            await client.sendMessage([1], on: call)
            let sent = try await client.open(RawHTTP2.httpHead())
            await client.send(.data, flags: RawHTTP2.Frame.endStream, stream: sent, payload: [1])
            await harness.grpc.waitForRequests(1)
            await harness.http.waitForRequests(1)
            for receiver in harness.receivers { await receiver.prepareToStop(refusing: false) }
            async let first: Void = harness.receivers[0].stop(within: .seconds(20))
            async let second: Void = harness.receivers[1].stop(within: .seconds(20))
            for intake in [harness.grpc, harness.http] { intake.settle(.accepted) }
            #expect(try await client.outcome(of: call)?.status == "0")
            #expect(try await client.outcome(of: sent)?.headers.first(name: ":status") == "200")
            #expect(await client.end() == 0)
            _ = await (first, second)
            #expect(throws: (any Error).self) { _ = try RawConnection(to: harness.address) }
        }
    }

    @Test func `bounds what a client uses by both`() async throws {
        let held = { ScriptedIntake { _ in .held } }
        try await withSharedListener(
            held(),
            held(),
            {
                $0.limits = LimitSettings()
                $0.limits?.bytesInFlight = .kibibytes(64)
                $0.hold = .zero
            }
        ) { harness in
            let client = try await harness.client()
            let call = try await client.open()
            await client.sendMessage([UInt8](repeating: 1, count: 40_000), on: call)
            await harness.grpc.waitForRequests(1)
            let body = [UInt8](repeating: 1, count: 16_000)
            try await client.expectHTTP(429, body, RawHTTP2.httpHead(["content-length": "40000"]))
            harness.grpc.settle(.accepted)
            #expect(try await client.outcome(of: call)?.status == "0")
        }
    }
}

@Suite struct `What a new connection speaks` {
    @Test(arguments: 0..<24)
    func `shows in its first bytes, wherever they are cut`(cut: Int) throws {
        var settings = OTLPHTTPReceiverSettings()
        settings.common.limits = LimitSettings()
        settings.common.limits?.connections = 1
        let memory = MemoryBudget(limit: .mebibytes(1))
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let limits = SenderLimits(
            settings.common.limits,
            receiver: "otlp",
            meters: Meters(),
            clock: .system,
            logger: logger
        )
        var context = ConnectionContext(
            name: "otlp",
            settings: settings.common,
            addresses: [settings.listen],
            keptHeaders: [],
            intake: ScriptedIntake(),
            large: SerialThread(name: "large"),
            memory: memory,
            meters: Meters(),
            clock: .system,
            logger: logger,
            access: Authenticator(nil, receiver: "otlp", meters: Meters(), clock: .system, logger: logger),
            experiments: ExperimentHeader(settings.common),
            credentials: IgnoredCredentials(receiver: "otlp", logger: logger),
            pages: nil,
            tls: nil
        )
        context.limits = limits
        let channel = EmbeddedChannel()
        let (observer, decoder) = (LoopObserver(context, on: channel.eventLoop), RequestDecoder.make())
        let old = HTTPConnection(observer, decoder: decoder)
        let handlers: [any ChannelHandler] = [old.preface(speaking: HTTP2Speakers(http: observer)), decoder, old]
        try channel.pipeline.syncOperations.addHandlers(handlers)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 4318)).wait()
        let bytes = RawHTTP2.preface + RawHTTP2.frame(.settings)
        try channel.writeInbound(ByteBuffer(bytes: bytes[..<cut]))
        #expect(old.phase == .ready)
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        try channel.writeInbound(ByteBuffer(bytes: bytes[cut...]))
        channel.embeddedEventLoop.run()
        let next = try channel.pipeline.syncOperations.handler(type: HTTP2Connection.self)
        #expect(next.phase == .open && old.phase == .closed)
        #expect(throws: (any Error).self) { try channel.pipeline.syncOperations.handler(type: HTTPConnection.self) }
        #expect(throws: (any Error).self) {
            try channel.pipeline.syncOperations.handler(type: RequestDecoder.Handler.self)
        }
        // The connection counts once, and until it is gone.
        let address = SourceAddress(IPAddress(text: "127.0.0.1"))
        #expect(limits?.open(from: address)?.isRefused != false)
        _ = try channel.finish(acceptAlreadyClosed: true)
        #expect(memory.inUse == 0 && observer.loop.value.isEmpty)
    }
}
