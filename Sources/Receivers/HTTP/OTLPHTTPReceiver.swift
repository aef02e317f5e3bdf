package import Basics
package import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
package import Pipeline
import Synchronization

/// The `otlp_http` receiver: OTLP over HTTP/1.1, protobuf and JSON, on TCP or a unix socket.
///
/// What a client is told follows the OTLP specification's section "OTLP/HTTP"; what it leaves open is decided so:
/// - A content encoding that is not supported is answered 415 (RFC 9110 section 15.5.16), as is a missing or other content type.
/// - Where a request has no usable content type, the Status is protobuf, unless its content type or `Accept` speaks of JSON.
/// - An empty body is an empty request, and so a success, under any content encoding.
///
/// `start()`, then `stopAccepting()`, `finish(within:)` and `close()`, each once.
package final class OTLPHTTPReceiver: Sendable {
    private struct State {
        var server: (any Channel)?
        var observers: [LoopObserver] = []
        var address: ListenAddress?
    }

    private let context: ReceiverContext
    private let eventLoops: EventLoops
    private let state = Mutex(State())

    /// - Parameters:
    ///   - name: The receiver's key in the pipeline file.
    ///   - settings: Checked settings.
    ///   - processorHeaders: Names of the headers that processors ask for, kept with each request.
    ///   - intake: Takes the requests.
    ///   - memory: Bounds the bodies that are held.
    ///   - eventLoops: The threads to receive on; they must outlive the receiver.
    ///   - meters: Counts answers and connections.
    ///   - clock: Gives the `Date` of answers.
    ///   - logger: Told where it listens.
    package init(
        name: String,
        settings: OTLPHTTPReceiverSettings,
        processorHeaders: [String] = [],
        intake: any Intake,
        memory: MemoryBudget,
        eventLoops: EventLoops,
        meters: Meters,
        clock: WallClock = .system,
        logger: Logger
    ) {
        context = ReceiverContext(
            name: name,
            settings: settings,
            keptHeaders: (settings.forwardHeaders + processorHeaders).map { $0.lowercased() },
            intake: intake,
            memory: memory,
            meters: meters,
            clock: clock,
            logger: logger
        )
        self.eventLoops = eventLoops
        let connections = context.connections
        meters.gauge("millrace_receiver_connections", ["receiver": name]) { Double(connections.value) }
    }

    /// Where it listens, with the port that the system chose; nil before `start()`.
    package var boundAddress: ListenAddress? { state.withLock { $0.address } }

    /// Binds and begins to accept.
    package func start() async throws(ListenError) {
        let observers = await makeObservers()
        let server = try await bind(observers)
        let address = context.settings.listen.bound(to: server.localAddress)
        state.withLock { state in
            state.server = server
            state.observers = observers.map(\.value)
            state.address = address
        }
        context.logger.info("receiving OTLP/HTTP", metadata: ["receiver": "\(context.name)", "address": "\(address)"])
    }

    /// Takes no more connections and no more requests; a request that has begun is answered, and its connection then closed.
    package func stopAccepting() async {
        let (server, observers) = state.withLock { ($0.server.take(), $0.observers) }
        // It fails only where the channel is closed already.
        try? await server?.close()
        if server != nil { context.settings.listen.removeSocketFile() }
        for observer in observers { await observer.run { $0.stop() } }
    }

    /// Waits until everything received is answered, at most as long as given.
    package func finish(within limit: Duration) async {
        let observers = state.withLock { $0.observers }
        await withTaskGroup(of: Void.self) { group in
            for observer in observers {
                group.addTask { await observer.waitUntilEmpty(at: .now() + TimeAmount(limit)) }
            }
        }
    }

    /// Closes every connection at once; what the intake has stays there.
    package func close() async {
        await stopAccepting()
        for observer in state.withLock({ $0.observers }) { await observer.run { $0.closeAll() } }
    }

    private func makeObservers() async -> [(key: ObjectIdentifier, value: LoopObserver)] {
        var observers: [(key: ObjectIdentifier, value: LoopObserver)] = []
        for eventLoop in eventLoops.group.makeIterator() {
            let observer = try? await eventLoop.submit { LoopObserver(self.context, on: eventLoop) }.get()
            if let observer { observers.append((ObjectIdentifier(eventLoop), observer)) }
        }
        return observers
    }

    private func bind(
        _ observers: [(key: ObjectIdentifier, value: LoopObserver)]
    ) async throws(ListenError) -> any Channel {
        let byEventLoop = Dictionary(observers.map { ($0.key, $0.value) }) { first, _ in first }
        let context = context
        let bootstrap = ServerBootstrap(group: eventLoops.group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 16_384, maximum: 1 << 20)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let observer = byEventLoop[ObjectIdentifier(channel.eventLoop)] else { return }
                    try context.admit(channel, observer)
                }
            }
        return try await context.settings.listen.bind(bootstrap, on: eventLoops.group)
    }
}

extension OTLPHTTPReceiver {
    /// Connections over the limit that are told so at once; more are closed without a word.
    private static let refusalsMax = 256

    /// How many over `connections` are told so.
    fileprivate static func refusals(over connections: Int) -> Int { min(refusalsMax, connections) }

    /// Files that a receiver has open with `connections` clients, those that it refuses included.
    package static func descriptors(forConnections connections: Int) -> Int {
        connections + refusals(over: connections)
    }

    /// How many connections a receiver may take that has `descriptors` files for them; at least one.
    package static func connections(withinDescriptors descriptors: Int) -> Int {
        max(1, descriptors - min(refusalsMax, descriptors / 2))
    }
}

extension ReceiverContext {
    /// Gives a new connection its handlers, on its event loop.
    fileprivate func admit(_ channel: any Channel, _ observer: LoopObserver) throws {
        let open = connections.enter()
        channel.closeFuture.whenComplete { [connections] _ in connections.leave() }
        guard open <= OTLPHTTPReceiver.descriptors(forConnections: settings.maxConnections) else {
            throw ChannelError.operationUnsupported
        }
        let decoder = RequestDecoder.make()
        let connection = HTTPConnection(observer, decoder: decoder, isAdmitted: open <= settings.maxConnections)
        try channel.pipeline.syncOperations.addHandlers([decoder, connection])
    }
}

extension LoopObserver {
    /// Runs `body` on the event loop and waits for it.
    fileprivate func run(_ body: @escaping @Sendable (ReceiverLoop) -> Void) async {
        // It fails only where the event loop has ended, and the connections with it.
        try? await eventLoop.submit { body(self.loop.value) }.get()
    }

    /// Waits until the loop's connections are gone, at most until the deadline.
    fileprivate func waitUntilEmpty(at deadline: NIODeadline) async {
        let done = eventLoop.flatSubmit {
            let emptied = self.loop.value.emptied()
            let timer = self.eventLoop.scheduleTask(deadline: deadline) { self.loop.value.stopWaiting() }
            return emptied.always { _ in timer.cancel() }
        }
        try? await done.get()
    }
}
