import Basics
import Logging
import NIOCore
import NIOEmbedded
import Pipeline
import Testing

@testable import Receivers

@Suite struct `What is held behind a request in the intake` {
    @Test(arguments: [(4000, false), (4200, true)])
    func `is bounded, and over the bound the answer is the connection's last`(
        _ followers: Int,
        _ isOver: Bool
    ) throws {
        let intake = ScriptedIntake { _ in .held }
        let context = ReceiverContext(
            name: "otlp",
            settings: OTLPHTTPReceiverSettings(),
            keptHeaders: [],
            intake: intake,
            memory: MemoryBudget(limit: .mebibytes(1)),
            meters: Meters(),
            clock: .system,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let channel = EmbeddedChannel()
        let (observer, decoder) = (LoopObserver(context, on: channel.eventLoop), RequestDecoder.make())
        let connection = HTTPConnection(observer, decoder: decoder, isAdmitted: true)
        try channel.pipeline.syncOperations.addHandlers([decoder, connection])
        let followers = (0..<followers).flatMap { _ in request("GET", type: nil) }
        try channel.writeInbound(ByteBuffer(bytes: request(body: [1]) + followers))
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        intake.settle(.accepted)
        channel.embeddedEventLoop.run()
        let first = try #require(try channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: first).contains("connection: close") == isOver)
        #expect((try channel.readOutbound(as: ByteBuffer.self) == nil) == isOver)
        #expect((connection.phase == .ready) == !isOver)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }
}
