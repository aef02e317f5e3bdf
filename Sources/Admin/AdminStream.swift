import Basics
import NIOCore
import NIOHTTP1

/// Server-sent events of one client: the status once a second, the latest only where the client is slow, and what it watches.
///
/// Used on the event loop of its connection alone.
final class AdminStream {
    /// Between two looks at what is to be sent.
    private static let interval = TimeAmount.milliseconds(250)
    /// Looks between two statuses.
    private static let looksPerStatus = 4

    private let context: ChannelHandlerContext
    private let source: any AdminSource
    private let tail: (any AdminTail)?
    private let writing: Duration
    private let isAdmitted: () -> Bool
    private var task: RepeatedTask?
    private var looks = 0
    /// When the client last had room.
    private var writableAt = NIODeadline.now()

    /// Begins at once.
    ///
    /// - Parameters:
    ///   - context: The connection's, whose answer has its head written.
    ///   - source: Gives the status.
    ///   - tail: Gives the requests that are watched; nil for none.
    ///   - writing: How long the client may take nothing before it is closed.
    ///   - isAdmitted: Whether what the client showed still opens it; it is closed where not.
    init(
        _ context: ChannelHandlerContext,
        from source: any AdminSource,
        tail: (any AdminTail)?,
        writing: Duration,
        while isAdmitted: @escaping () -> Bool
    ) {
        (self.context, self.source, self.tail, self.writing) = (context, source, tail, writing)
        self.isAdmitted = isAdmitted
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        task = context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.interval) { _ in
            bound.value.look()
        }
    }

    func end() {
        task?.cancel()
        task = nil
        tail?.leave()
    }

    private func look() {
        guard task != nil else { return }
        guard isAdmitted() else { return context.close(promise: nil) }
        guard context.channel.isWritable else {
            // What it would get now is old when it can take it.
            if NIODeadline.now() - writableAt > TimeAmount(writing) { context.close(promise: nil) }
            return
        }
        writableAt = .now()
        if looks % Self.looksPerStatus == 0 { send("status", source.statusJSON) }
        looks += 1
        if let requests = tail?.take() { send("tail", requests) }
    }

    private func send(_ name: String, _ json: [UInt8]) {
        var event = ByteBuffer(string: "event: \(name)\ndata: ")
        event.writeBytes(json)
        event.writeStaticString("\n\n")
        let part = HTTPServerResponsePart.body(.byteBuffer(event))
        context.writeAndFlush(NIOAny(part), promise: nil)
    }
}
