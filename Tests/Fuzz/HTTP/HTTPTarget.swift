import Basics
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Pipeline

@testable import Receivers

/// The receiver's handlers on a channel without a socket.
///
/// The first eight bytes choose the pieces, the answers of the intake
/// and the timeouts; the rest is what a client sends.
enum HTTPTarget: FuzzTarget {
    private static let memoryMax = 1 << 20
    /// One for all inputs: each is a thread.
    private static let large = SerialThread(name: "large")

    static func run(_ input: [UInt8]) {
        let (seed, stream) = input.seeded
        // The budget bounds bodies; beside them, parsed parts wait while a request is in the intake.
        let heapMax = memoryMax + 32 * stream.count + 4 << 20
        Cost.watch("receiving", body: stream.count + memoryMax, heapMax: heapMax) {
            demand("the channel") { try receive(stream, seed) }
        }
    }

    private static func receive(_ stream: [UInt8], _ seed: UInt64) throws {
        var stream = stream
        var random = SeededGenerator(seed: seed)
        let memory = MemoryBudget(limit: ByteCount(bytes: memoryMax))
        let intake = FuzzIntake(seed: random.next())
        var settings = OTLPHTTPReceiverSettings()
        settings.maxBody = ByteCount(bytes: random.chance(50) ? 1000 : memoryMax)
        let expires = random.chance(20)
        if expires { settings.headerTimeout = .zero }
        if expires { settings.bodyTimeout = .zero }
        let channel = EmbeddedChannel()
        let observer = LoopObserver(context(settings, intake, memory), on: channel.eventLoop)
        let (decoder, heads) = (RequestDecoder.make(), HeadCounter())
        var client = Client(refusal: random.chance(2) ? .tooManyConnections(max: 1) : nil)
        // Streams of the corpus are read as before.
        var luck = SeededGenerator(seed: seed &+ 1)
        if luck.chance(20) {
            client.isUnknown = true
            try channel.pipeline.syncOperations.addHandler(ProxyHeaderHandler(balancer: nil) { _ in })
            if luck.chance(80) { stream = HTTPChanges(random: luck).proxyHeader() + stream }
        }
        let connection = HTTPConnection(observer, decoder: decoder, client: client)
        try channel.pipeline.syncOperations.addHandlers([decoder, heads, connection])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 4318)).wait()
        let most = [1, 7, 60, 2000, 100_000][random.below(5)]
        var offset = 0
        while offset < stream.count, channel.isActive {
            let end = min(stream.count, offset + 1 + random.below(most))
            try channel.writeInbound(ByteBuffer(bytes: stream[offset..<end]))
            channel.embeddedEventLoop.run()
            offset = end
            if random.chance(30) { intake.settle(random.below(3), at: observer, channel) }
            if expires, random.chance(10) { channel.embeddedEventLoop.advanceTime(by: .seconds(1)) }
            if random.chance(1) { observer.loop.value.prepareToStop(refusing: random.chance(50)) }
        }
        if channel.isActive, random.chance(70) {
            channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if random.chance(80) { intake.settle(.max, at: observer, channel) }
        // A connection may go while its request is in the intake; that one's memory stays reserved until it is settled.
        _ = try channel.finish(acceptAlreadyClosed: true)
        intake.settle(.max, at: observer, channel)
        channel.embeddedEventLoop.run()
        require(memory.inUse == 0, "\(memory.inUse) bytes stay reserved")
        require(intake.requests <= heads.count, "the intake gets \(intake.requests) of \(heads.count) requests")
        try checkAnswers(channel, heads, stream.count)
    }

    private static func context(
        _ settings: OTLPHTTPReceiverSettings,
        _ intake: FuzzIntake,
        _ memory: MemoryBudget
    ) -> ConnectionContext {
        let logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
        return ConnectionContext(
            name: "otlp",
            settings: settings.common,
            addresses: [settings.listen],
            keptHeaders: ["x-route", "authorization"],
            intake: intake,
            large: large,
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
    }

    /// What went out is whole answers, at most one for each request and one for what is none.
    private static func checkAnswers(_ channel: EmbeddedChannel, _ heads: HeadCounter, _ received: Int) throws {
        var output: [UInt8] = []
        while let part = try channel.readOutbound(as: ByteBuffer.self) { output += part.readableBytesView }
        var (answers, continues) = (0, 0)
        var rest = output[...]
        while !rest.isEmpty {
            guard let answer = HTTPAnswer(rest) else {
                fail("what goes out is no answer: \(String(decoding: rest.prefix(200), as: UTF8.self))")
            }
            if answer.status == 100 { continues += 1 } else { answers += 1 }
            rest = rest[answer.end...]
        }
        require(answers <= heads.count + 1, "\(answers) answers to \(heads.count) requests")
        require(continues <= heads.count, "\(continues) times 100 to \(heads.count) requests")
        // The shortest request is shorter than an answer's head.
        Cost.check("answers", body: received + 1024 * (heads.count + 1), written: output.count)
    }

    static func mutate(_ input: [UInt8], with other: [UInt8], max: Int, _ random: inout SeededGenerator) -> [UInt8] {
        var (seed, stream) = input.seeded
        if random.chance(25) { seed = random.next() }
        let room = Swift.max(max - 8, 0)
        guard random.chance(80) else { return mutateBytes(stream, max: room).seeded(seed) }
        var changes = HTTPChanges(random: random)
        changes.change(&stream, other.seeded.rest)
        random = changes.random
        return stream.seeded(seed)
    }
}

/// Counts the heads that the parser finds.
private final class HeadCounter: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    private(set) var count = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head = unwrapInboundIn(data) { count += 1 }
        context.fireChannelRead(data)
    }
}

/// One answer at the start of what went out.
private struct HTTPAnswer {
    let status: Int
    let end: Int

    init?(_ bytes: ArraySlice<UInt8>) {
        let mark = Array("\r\n\r\n".utf8)
        guard bytes.starts(with: Array("HTTP/1.1 ".utf8)) else { return nil }
        var end = bytes.startIndex
        while end + 4 <= bytes.endIndex, !bytes[end..<end + 4].elementsEqual(mark) { end += 1 }
        guard end + 4 <= bytes.endIndex else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        self.status = status
        let start = end + 4
        let length = lines.first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) }
        guard let length else {
            guard status == 100 else { return nil }
            self.end = start
            return
        }
        // HEAD is answered without the body that the length speaks of.
        let hasBody = start + length <= bytes.endIndex && Self.isBorder(bytes[(start + length)...])
        guard hasBody || Self.isBorder(bytes[start...]) else { return nil }
        self.end = hasBody ? start + length : start
    }

    private static func isBorder(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.isEmpty || bytes.starts(with: Array("HTTP/1.1 ".utf8))
    }
}
