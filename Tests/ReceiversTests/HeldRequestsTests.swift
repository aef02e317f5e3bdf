import Basics
import Logging
import NIOCore
import NIOEmbedded
import Pipeline
import Testing

@testable import Receivers

@Suite struct `What is held behind a request in the intake` {
    /// How many requests follow, in how much memory, and whether that is too much.
    struct Case: Sendable {
        var followers: Int
        var memory: ByteCount
        var isOver: Bool
    }

    @Test(arguments: [
        Case(followers: 4000, memory: .mebibytes(64), isOver: false),
        Case(followers: 4200, memory: .mebibytes(64), isOver: true),
        Case(followers: 500, memory: .mebibytes(1), isOver: false),
        Case(followers: 4000, memory: .mebibytes(1), isOver: true),
    ])
    func `is paid for and bounded, and over the bound the answer is the connection's last`(_ test: Case) throws {
        let intake = ScriptedIntake { _ in .held }
        let memory = MemoryBudget(limit: test.memory)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let context = ConnectionContext(
            name: "otlp",
            settings: OTLPHTTPReceiverSettings().common,
            addresses: [OTLPHTTPReceiverSettings().listen],
            keptHeaders: [],
            intake: intake,
            large: SerialThread(name: "large"),
            memory: memory,
            meters: Meters(),
            clock: .system,
            logger: logger,
            access: Authenticator(nil, receiver: "otlp", meters: Meters(), clock: .system, logger: logger),
            experiments: ExperimentHeader(OTLPHTTPReceiverSettings().common),
            credentials: IgnoredCredentials(receiver: "otlp", logger: logger),
            pages: nil,
            tls: nil
        )
        let channel = EmbeddedChannel()
        let (observer, decoder) = (LoopObserver(context, on: channel.eventLoop), RequestDecoder.make())
        let connection = HTTPConnection(observer, decoder: decoder)
        try channel.pipeline.syncOperations.addHandlers([decoder, connection])
        let followers = (0..<test.followers).flatMap { _ in request("GET", type: nil) }
        try channel.writeInbound(ByteBuffer(bytes: request(body: [1]) + followers))
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        #expect(memory.inUse > min(test.followers * 512, test.memory.bytes / 2))
        intake.settle(.accepted)
        channel.embeddedEventLoop.run()
        let first = try #require(try channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: first).contains("connection: close") == test.isOver)
        #expect((try channel.readOutbound(as: ByteBuffer.self) == nil) == test.isOver)
        #expect((connection.phase == .ready) == !test.isOver)
        #expect(memory.inUse == 0)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }
}
