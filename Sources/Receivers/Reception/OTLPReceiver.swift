package import Basics
import Logging
import NIOCore
import NIOPosix
import Pipeline
import Synchronization
import TLS

/// What a receiver speaks on its connections.
struct ReceiverSpeech: Sendable {
    /// What logs call it.
    let name: String
    /// What it offers in TLS (ALPN), the best first.
    let offers: [String]
    /// Whether its connections can carry the requests of a receiver that speaks otherwise.
    var takesGuest = false
    /// Gives a new connection its handlers, behind those of TLS and of the PROXY protocol; on its event loop.
    let addHandlers: @Sendable (any Channel, ListenerLoops, Client) throws -> Void
}

/// What the receivers of a listener have on one event loop.
struct ListenerLoops: Sendable {
    /// Of the one that listens.
    let own: LoopObserver
    /// Of the one that shares its connections; nil where it is alone.
    var guest: LoopObserver?
}

/// A receiver of OTLP, on TCP or a unix socket: accepts, shares out and ends connections, whatever they speak.
///
/// `start()`, then `prepareToStop(refusing:)` and `stop(within:)`, or `close()` at any time.
package final class OTLPReceiver: Receiver {
    struct State {
        var listeners: [Listener] = []
        var observers: [LoopObserver] = []
        var addresses: [ListenAddress] = []
        /// The receiver whose requests come by this one's connections too.
        var guest: OTLPReceiver?
        /// Whether it is such a guest: another receiver listens for it.
        var isGuest = false
        /// What all connections share.
        var context: ConnectionContext
        /// Reads files of members again; nil where nobody has to show who sends.
        var members: MemberWatch?
    }

    /// How long refused clients get to read their answer before the connection is closed at the end.
    private static let farewell = Duration.seconds(1)

    private let eventLoops: EventLoops
    private let sockets: [GivenSocket]
    private let speech: ReceiverSpeech
    let state: Mutex<State>

    /// - Parameters:
    ///   - settings: Checked settings.
    ///   - speech: What it speaks.
    ///   - parts: What it is made with besides.
    ///   - hosts: Names accepted in `Host` besides those of loopback.
    ///   - pages: What it does with requests of web pages; nil where those have no leave to send.
    ///   - paths: Where it takes requests over HTTP.
    ///   - clock: Gives the `Date` of answers.
    ///   - steady: Tells how fast requests come.
    init(
        _ settings: ReceptionSettings,
        speaking speech: ReceiverSpeech,
        in parts: ReceiverContext,
        hosts: [String] = [],
        pages: WebPages? = nil,
        paths: RequestPaths = RequestPaths(),
        clock: WallClock = .system,
        steady: MonotonicClock = .system
    ) {
        self.speech = speech
        var settings = settings
        settings.maxConnections = parts.connectionsMax ?? settings.maxConnections
        eventLoops = parts.eventLoops
        sockets = parts.sockets
        let access = Authenticator(
            settings.auth,
            receiver: parts.name,
            meters: parts.meters,
            clock: clock,
            logger: parts.logger
        )
        let members = settings.auth.map { MemberWatch($0, for: access, in: parts) }
        var context = ConnectionContext(
            name: parts.name,
            settings: settings,
            addresses: sockets.isEmpty ? [settings.listen] : sockets.map(\.address),
            hosts: hosts,
            keptHeaders: settings.keptHeaders(besides: parts.processorHeaders),
            intake: parts.intake,
            large: eventLoops.large,
            memory: parts.memory,
            meters: parts.meters,
            clock: clock,
            logger: parts.logger,
            access: access,
            limits: SenderLimits(
                settings.limits,
                receiver: parts.name,
                meters: parts.meters,
                clock: steady,
                logger: parts.logger
            ),
            proxyHeaders: ProxyHeaders(
                settings.proxyProtocol,
                receiver: parts.name,
                meters: parts.meters,
                logger: parts.logger
            ),
            experiments: ExperimentHeader(settings),
            credentials: IgnoredCredentials(receiver: parts.name, logger: parts.logger),
            pages: pages,
            tls: settings.tls.map { ServerTLS($0, offering: speech.offers, in: parts, clock: clock) }
        )
        context.paths = paths
        state = Mutex(State(context: context, members: members))
    }

    var context: ConnectionContext { state.withLock { $0.context } }

    /// Where it listens first, with the port that the system chose; nil before `start()`.
    package var boundAddress: ListenAddress? { state.withLock { $0.addresses.first } }

    /// Whether its connections can carry the requests of another receiver.
    var takesGuest: Bool { speech.takesGuest }
    /// Where it is asked to listen.
    var address: ListenAddress { context.settings.listen }

    /// Takes the requests of another receiver, by its own connections; before `start()`.
    func take(_ guest: OTLPReceiver) {
        state.withLock { $0.guest = guest }
        guest.state.withLock { $0.isGuest = true }
    }

    /// Binds and begins to accept.
    ///
    /// Blocks for the disk where it has to read certificates.
    package func start() async throws(ListenError) {
        let (isGuest, guest) = state.withLock { ($0.isGuest, $0.guest) }
        if isGuest { return }
        do throws(TLSProblem) {
            try context.tls?.start()
        } catch {
            throw ListenError(address: context.settings.listen, reason: error.message)
        }
        let bootstrap = bootstrap(await makeObservers(), await guest?.makeObservers())
        var listeners: [Listener] = []
        if sockets.isEmpty {
            listeners.append(try await Listener(binding: context.settings.listen, bootstrap, on: eventLoops.group))
        }
        for socket in sockets { listeners.append(try await Listener(socket, bootstrap, on: eventLoops.group)) }
        state.withLock { $0.listeners = listeners }
        listens(at: listeners.map(\.address))
        guest?.listens(at: listeners.map(\.address))
    }

    private func listens(at addresses: [ListenAddress]) {
        state.withLock { $0.addresses = addresses }
        let (context, members) = state.withLock { ($0.context, $0.members) }
        members?.start()
        let connections = context.connections
        context.meters.gauge("millrace_receiver_connections", ["receiver": context.name]) { Double(connections.value) }
        for address in addresses { announce(address) }
    }

    private func announce(_ address: ListenAddress) {
        var metadata: Logger.Metadata = ["receiver": "\(context.name)", "address": "\(address)"]
        if sockets.isEmpty { return context.logger.info("receiving \(speech.name)", metadata: metadata) }
        metadata["listen"] = "\(context.settings.listen)"
        context.logger.info(
            "receiving \(speech.name) on a socket of the service manager, in place of listen",
            metadata: metadata
        )
    }

    /// Goes on accepting; from now on every answer is the last of its connection, so that clients connect again.
    ///
    /// - Parameter refusing: New requests are answered 503; returns once the earlier ones are answered, or after a second.
    package func prepareToStop(refusing: Bool) async {
        let observers = state.withLock { $0.observers }
        for observer in observers { await observer.run { $0.prepareToStop(refusing: refusing) } }
        guard refusing else { return }
        let deadline = NIODeadline.now() + .seconds(1)
        for observer in observers { await observer.wait(until: deadline) { _ in { $0.hasNothingWaiting } } }
    }

    /// Answers what has begun, and closes the sockets it listens on when that is done or `limit` has passed.
    ///
    /// What is not complete then is answered 503. Connections without a request are closed last.
    package func stop(within limit: Duration) async {
        await prepareToStop(refusing: false)
        let deadline = NIODeadline.now() + TimeAmount(limit)
        let observers = state.withLock { $0.observers }
        await wait(until: deadline) { loop in
            let begun = loop.requestsInHand
            return { $0.hasAnswered(begun) }
        }
        await closeListeners()
        for observer in observers { await observer.run { $0.end() } }
        await wait(until: deadline) { _ in { $0.isEmpty } }
        for observer in observers { await observer.run { $0.refuseRest() } }
        await wait(until: .now() + TimeAmount(Self.farewell)) { _ in { $0.isEmpty } }
        await close()
    }

    /// As `stop`, but gives clients half of the time to send another request: one that goes on the way while its connection is closed
    /// is lost to them.
    package func leave(within limit: Duration) async {
        await prepareToStop(refusing: false)
        await closeListeners()
        await finish(within: limit / 2)
        await stop(within: limit / 2)
    }

    /// Waits until everything received is answered and every connection closed, at most as long as given.
    package func finish(within limit: Duration) async {
        await wait(until: .now() + TimeAmount(limit)) { _ in { $0.isEmpty } }
    }

    /// Closes everything at once; what the intake has stays there.
    package func close() async {
        state.withLock { $0.members }?.close()
        for observer in state.withLock({ $0.observers }) { await observer.run { $0.closeAll() } }
        await closeListeners()
        for observer in state.withLock({ $0.observers }) { await observer.run { $0.closeAll() } }
        context.tls?.stop()
    }

    private func closeListeners() async {
        let listeners = state.withLock { state in
            defer { state.listeners = [] }
            return state.listeners
        }
        for listener in listeners { await listener.close() }
    }

    /// Waits for all event loops at once; each makes the condition it waits for.
    private func wait(
        until deadline: NIODeadline,
        for condition: @escaping @Sendable (ReceiverLoop) -> (ReceiverLoop) -> Bool
    ) async {
        await withDiscardingTaskGroup { group in
            for observer in state.withLock({ $0.observers }) {
                group.addTask { await observer.wait(until: deadline, for: condition) }
            }
        }
    }

    /// Its share of each event loop.
    private func makeObservers() async -> [ObjectIdentifier: LoopObserver] {
        var observers: [ObjectIdentifier: LoopObserver] = [:]
        for eventLoop in eventLoops.group.makeIterator() {
            let observer = try? await eventLoop.submit { LoopObserver(self.context, on: eventLoop) }.get()
            if let observer { observers[ObjectIdentifier(eventLoop)] = observer }
        }
        state.withLock { $0.observers = Array(observers.values) }
        return observers
    }

    /// Bytes of answers that wait for a client who does not read them: over the higher it gets no more, under the lower it does.
    private static let unreadAnswers = ChannelOptions.Types.WriteBufferWaterMark(low: 2048, high: 8192)

    private func bootstrap(
        _ observers: [ObjectIdentifier: LoopObserver],
        _ guests: [ObjectIdentifier: LoopObserver]?
    ) -> ServerBootstrap {
        let speech = speech
        return ServerBootstrap(group: eventLoops.group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.writeBufferWaterMark, value: Self.unreadAnswers)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let eventLoop = ObjectIdentifier(channel.eventLoop)
                    guard let observer = observers[eventLoop] else { return }
                    // As it is now: a reload changes it.
                    let context = observer.loop.value.context
                    try context.setReads(of: channel)
                    try context.admit(channel, ListenerLoops(own: observer, guest: guests?[eventLoop]), speech)
                }
            }
    }
}

extension MemberWatch {
    /// One that shows nothing in metrics before it is started.
    fileprivate convenience init(_ settings: AuthSettings, for authenticator: Authenticator, in parts: ReceiverContext)
    {
        self.init(
            settings,
            for: authenticator,
            receiver: parts.name,
            meters: parts.meters,
            logger: parts.logger,
            showsLater: true
        )
    }
}

extension ServerTLS {
    fileprivate convenience init(
        _ settings: ServerTLSSettings,
        offering offers: [String],
        in parts: ReceiverContext,
        clock: WallClock
    ) {
        self.init(
            settings,
            listener: parts.name,
            offering: offers,
            meters: parts.meters,
            logger: parts.logger,
            clock: clock
        )
    }
}

extension ConnectionContext {
    /// Bytes of the first read from a socket; what follows adapts to the client.
    ///
    /// HTTP/2 keeps the buffer of the last read, which for an idle connection is the first one.
    private static let firstRead = 2048

    /// Bytes of one read from a socket; a TLS connection keeps room for what it decrypted between two reads.
    private var readBytesMax: Int { tls == nil ? 1 << 20 : 32_768 }

    /// How a new connection is read from, on its event loop.
    fileprivate func setReads(of channel: any Channel) throws {
        let allocator = AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: Self.firstRead, maximum: readBytesMax)
        try channel.syncOptions?.setOption(.recvAllocator, value: allocator)
        // What several reads in a row bring is decrypted into one buffer, which stays.
        if tls != nil { try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1) }
    }

    /// Gives a new connection its handlers, on its event loop.
    fileprivate func admit(_ channel: any Channel, _ loops: ListenerLoops, _ speech: ReceiverSpeech) throws {
        let open = connections.enter()
        channel.closeFuture.whenComplete { [connections] _ in connections.leave() }
        guard open <= ConnectionLimit.descriptors(forConnections: settings.maxConnections) else {
            throw ChannelError.operationUnsupported
        }
        let proxyHeader = proxyHeaders?.handler(for: ClientAddress(channel.remoteAddress).ip)
        if let proxyHeader { try channel.pipeline.syncOperations.addHandler(proxyHeader) }
        try tls?.addHandlers(to: channel)
        // Who keeps connections that are not used has them closed before others are refused.
        let isAdmitted = open <= settings.maxConnections || loops.own.loop.value.closeLongestIdle()
        var client = Client(isUnknown: proxyHeader != nil)
        if !isAdmitted { client.refusal = .tooManyConnections(max: settings.maxConnections) }
        try speech.addHandlers(channel, loops, client)
    }
}

extension LoopObserver {
    /// Runs `body` on the event loop and waits for it.
    fileprivate func run(_ body: @escaping @Sendable (ReceiverLoop) -> Void) async {
        // It fails only where the event loop has ended, and the connections with it.
        try? await eventLoop.submit { body(self.loop.value) }.get()
    }

    /// Waits until the condition that `condition` makes holds, at most until the deadline; it is looked at now and then.
    fileprivate func wait(
        until deadline: NIODeadline,
        for condition: @escaping @Sendable (ReceiverLoop) -> (ReceiverLoop) -> Bool
    ) async {
        let done = eventLoop.flatSubmit {
            let isMet = condition(self.loop.value)
            return self.loop.value.wait(until: deadline, for: isMet)
        }
        try? await done.get()
    }
}
