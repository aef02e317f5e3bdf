package import Basics
package import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A client of a cluster of NATS: connects, and connects again for ever, to any server that it knows of.
///
/// What is under way when a connection ends fails at once; whoever asked asks again. Any thread.
package final class NATSClient: Sendable {
    struct State {
        var channel: (any Channel)?
        /// Connections that nothing may be sent over yet.
        var opening: [any Channel] = []
        var info = NATSServerInfo()
        var nextNumber: UInt64 = 2
        var nextToken: UInt64 = 1
        var subscriptions: [UInt64: Subscription] = [:]
        var requests: [UInt64: Request] = [:]
        /// Why there is no connection.
        var trouble = "not connected yet"
        /// Servers that others have named.
        var learned: [NATSServer] = []
        var connections: UInt64 = 0
        /// Who waits for a connection.
        var waiting: [CheckedContinuation<Void, Never>] = []
        var task: Task<Void, Never>?
        var isClosed = false
    }

    struct Subscription {
        let subject: String
        let handler: @Sendable (NATSMessage) -> Void
    }

    struct Request {
        let answer: CheckedContinuation<Result<NATSMessage, NATSFailure>, Never>
        let timer: Scheduled<Void>
    }

    /// The subscription for the answers to requests.
    private static let inboxNumber: UInt64 = 1
    private static let isOver = "the client is closed"

    let settings: NATSSettings
    let name: String
    let logger: Logger
    let openingMax: TimeAmount
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let inbox: String
    let state = Mutex(State())
    private let room = SendingRoom()
    private let throttle = Mutex(LogThrottle<Bool>(linesMax: 3, in: .seconds(60)))
    /// Rings with each connection.
    private let onConnect: @Sendable () -> Void

    /// - Parameters:
    ///   - settings: Where and how to connect.
    ///   - name: What the servers call the connection in their listings.
    ///   - logger: Told of each connection and of each end of one.
    ///   - openingMax: How long a server may take from the connection until messages may be sent.
    ///   - onConnect: Called after each connection, when messages may be sent; on the client's thread, must not block.
    package init(
        _ settings: NATSSettings,
        name: String,
        logger: Logger,
        openingMax: Duration = .seconds(3),
        onConnect: @escaping @Sendable () -> Void = {}
    ) {
        self.settings = settings
        self.name = name
        self.logger = logger
        self.openingMax = .nanoseconds(openingMax.wholeNanoseconds)
        self.onConnect = onConnect
        var generator = SystemRandomNumberGenerator()
        inbox = "_INBOX." + String(generator.next(), radix: 36) + String(generator.next(), radix: 36)
    }

    /// Begins to connect; a second call, and one after `close`, does nothing.
    package func start() {
        state.withLock { state in
            guard state.task == nil, !state.isClosed else { return }
            state.task = Task { await run() }
        }
    }

    /// Ends the connection and the thread.
    package func close() async {
        let (task, channels) = state.withLock { state in
            state.isClosed = true
            return (state.task, state.opening + [state.channel].compactMap { $0 })
        }
        task?.cancel()
        for channel in channels { channel.close(promise: nil) }
        await task?.value
        fail(because: Self.isOver)
        wake()
        // It fails only where the thread has ended already.
        try? await group.shutdownGracefully()
        room.open()
    }

    /// Whether there is a connection.
    package var isConnected: Bool { state.withLock { $0.channel != nil } }
    /// Why there is none.
    package var trouble: String { state.withLock { $0.trouble } }
    /// Bytes of headers and payload of one message, at most, as the server says; a mebibyte before it did.
    package var payloadMax: Int { state.withLock { $0.info.payloadMax } }
    /// How many connections there have been.
    package var connections: UInt64 { state.withLock { $0.connections } }

    /// Waits until there is a connection, the time is over or the task is cancelled; whether there is one then.
    package func connected(within limit: Duration) async -> Bool {
        guard !isConnected else { return true }
        let timer = state.withLock { state in
            // The thread of one that is closed takes nothing any more.
            state.isClosed ? nil : group.next().scheduleTask(in: .nanoseconds(limit.wholeNanoseconds)) { self.wake() }
        }
        guard let timer else { return false }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard state.channel == nil, !state.isClosed else { return true }
                    state.waiting.append(continuation)
                    return false
                }
                if isOver { continuation.resume() }
                if Task.isCancelled { wake() }
            }
        } onCancel: {
            wake()
        }
        cancel(timer)
        return isConnected
    }

    /// Lets everybody look again who waits for a connection.
    private func wake() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// A subject that nobody else subscribes to.
    package func makeInbox() -> String {
        var generator = SystemRandomNumberGenerator()
        return "_INBOX." + String(generator.next(), radix: 36) + String(generator.next(), radix: 36)
    }

    /// Bytes that headers take in a message.
    package static func bytes(of headers: [HTTPHeader]) -> Int { ByteBuffer.bytes(of: headers) }

    /// Sends a message, where there is a connection; whether it arrives nobody says.
    package func publish(
        _ subject: String,
        reply: String? = nil,
        headers: [HTTPHeader] = [],
        _ payload: [UInt8] = []
    ) {
        guard let channel = state.withLock({ $0.channel }) else { return }
        var buffer = channel.allocator.buffer(capacity: payload.count + 512)
        buffer.writePublication(to: subject, reply: reply, headers: headers, payload)
        channel.writeAndFlush(buffer, promise: nil)
    }

    /// Sends short messages in one write, where there is a connection; whether they arrive the replies say.
    package func publish(all messages: [(subject: String, reply: String?, payload: [UInt8])]) {
        guard !messages.isEmpty, let channel = state.withLock({ $0.channel }) else { return }
        Self.write(to: channel) { buffer in
            for message in messages {
                buffer.writePublication(to: message.subject, reply: message.reply, message.payload)
            }
        }
    }

    /// Sends a message once the connection has room for it, and waits for the answer; suspends without blocking.
    ///
    /// `limit` counts from when it is sent: while others go out before it, the connection lives.
    package func request(
        _ subject: String,
        headers: [HTTPHeader] = [],
        _ payload: [UInt8] = [],
        within limit: Duration
    ) async -> Result<NATSMessage, NATSFailure> {
        let token = state.withLock { state in
            state.nextToken += 1
            return state.nextToken
        }
        var buffer = ByteBufferAllocator().buffer(capacity: payload.count + 512)
        buffer.writePublication(to: subject, reply: "\(inbox).\(token)", headers: headers, payload)
        guard await room.enter(buffer.readableBytes) else { return .failure(.cancelled) }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { answer in
                if let trouble = send(buffer, as: token, within: limit, answer) {
                    room.leave(buffer.readableBytes)
                    answer.resume(returning: .failure(.disconnected(trouble)))
                } else if Task.isCancelled {
                    end(token, with: .failure(.cancelled))
                }
            }
        } onCancel: {
            end(token, with: .failure(.cancelled))
        }
    }

    /// Sends a request, which gives its room back once the connection has taken all of it, or has ended; why it cannot.
    private func send(
        _ buffer: ByteBuffer,
        as token: UInt64,
        within limit: Duration,
        _ answer: CheckedContinuation<Result<NATSMessage, NATSFailure>, Never>
    ) -> String? {
        // While this is held the client is not closed: its thread takes what it is given.
        state.withLock { state in
            guard let channel = state.channel, !state.isClosed else {
                return state.isClosed ? Self.isOver : state.trouble
            }
            let timer = channel.eventLoop.scheduleTask(in: .nanoseconds(limit.wholeNanoseconds)) {
                self.end(token, with: .failure(.timedOut))
            }
            state.requests[token] = Request(answer: answer, timer: timer)
            channel.eventLoop.execute {
                channel.writeAndFlush(buffer).whenComplete { _ in self.room.leave(buffer.readableBytes) }
            }
            return nil
        }
    }

    /// Hands every message to that subject to `handler`, over all connections, until `unsubscribe`.
    ///
    /// `handler` is called on the client's thread and must not block. Gives the subscription's number.
    package func subscribe(_ subject: String, _ handler: @escaping @Sendable (NATSMessage) -> Void) -> UInt64 {
        let (number, channel) = state.withLock { state in
            defer { state.nextNumber += 1 }
            state.subscriptions[state.nextNumber] = Subscription(subject: subject, handler: handler)
            return (state.nextNumber, state.channel)
        }
        if let channel { Self.write(to: channel) { $0.writeSubscription(number, to: subject) } }
        return number
    }

    /// Ends a subscription.
    package func unsubscribe(_ number: UInt64) {
        let channel = state.withLock { state in
            state.subscriptions[number] = nil
            return state.channel
        }
        if let channel { Self.write(to: channel) { $0.writeEnd(ofSubscription: number) } }
    }

    private static func write(to channel: any Channel, _ body: (inout ByteBuffer) -> Void) {
        var buffer = channel.allocator.buffer(capacity: 256)
        body(&buffer)
        channel.writeAndFlush(buffer, promise: nil)
    }

    private func end(_ token: UInt64, with result: Result<NATSMessage, NATSFailure>) {
        guard let request = state.withLock({ $0.requests.removeValue(forKey: token) }) else { return }
        cancel(request.timer)
        request.answer.resume(returning: result)
    }

    /// Ends a timer whose time is not over; those of a client that is closed end with its thread, which takes nothing any more.
    private func cancel(_ timer: Scheduled<Void>) {
        state.withLock { if !$0.isClosed { timer.cancel() } }
    }

    private func fail(because reason: String) {
        let requests = state.withLock { state in
            defer { state.requests = [:] }
            return Array(state.requests.values)
        }
        for request in requests {
            request.timer.cancel()
            request.answer.resume(returning: .failure(.disconnected(reason)))
        }
    }
}

extension NATSClient: NATSConnectionListener {
    func opened(_ channel: any Channel, _ info: NATSServerInfo) {
        let subscriptions = state.withLock { state in
            state.channel = channel
            state.connections += 1
            note(info, &state)
            return state.subscriptions.map { ($0.key, $0.value.subject) }
        }
        Self.write(to: channel) { buffer in
            buffer.writeSubscription(Self.inboxNumber, to: "\(inbox).*")
            for (number, subject) in subscriptions { buffer.writeSubscription(number, to: subject) }
        }
        wake()
        onConnect()
    }

    func learned(_ info: NATSServerInfo) {
        state.withLock { note(info, &$0) }
    }

    private func note(_ info: NATSServerInfo, _ state: inout State) {
        state.info = info
        guard !info.servers.isEmpty else { return }
        // Whoever is in the way can name servers before there is TLS.
        let isSecure = settings.tls != nil || settings.servers.contains(where: \.needsTLS)
        state.learned = isSecure ? info.servers.map(\.secured) : info.servers
    }

    func received(_ message: NATSMessage) {
        guard message.subscription == Self.inboxNumber else {
            let handler = state.withLock { $0.subscriptions[message.subscription]?.handler }
            handler?(message)
            return
        }
        guard let token = message.subject.split(separator: ".").last.flatMap({ UInt64($0) }) else { return }
        let isAlone = message.status?.code == 503 && message.payload.isEmpty
        end(token, with: isAlone ? .failure(.noResponders) : .success(message))
    }

    func complained(_ text: String) {
        let now = MonotonicClock.system.now()
        guard let heldBack = throttle.withLock({ $0.admit(true, saying: text, now: now) }) else { return }
        var metadata: Logger.Metadata = ["client": "\(name)", "reason": "\(text)"]
        if heldBack > 0 { metadata["held_back"] = "\(heldBack)" }
        logger.warning("NATS refuses something", metadata: metadata)
    }

    func closed(_ reason: String) {
        let reason = state.withLock { state in
            state.channel = nil
            state.trouble = state.isClosed ? Self.isOver : reason
            return state.trouble
        }
        fail(because: reason)
    }
}
