package import Basics
import Glibc
package import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
package import TLS

/// The admin endpoint: health, readiness, metrics and the ledger over HTTP, on a thread of its own.
///
/// It answers while the receivers' threads are busy. What needs a token is said in `AdminAccess`. It listens on loopback unless
/// told otherwise, and answers requests there that name loopback as their host; others only whether it lives and is ready.
package final class AdminEndpoint: Sendable {
    private struct State {
        var group: MultiThreadedEventLoopGroup?
        var channels: [any Channel] = []
        /// Tells commands that the process lives.
        var mark: AdminPlace.Mark?
    }

    private let listen: ListenAddress
    private let takesAnyPort: Bool
    private let sockets: [GivenSocket]
    private let source: any AdminSource
    private let access: CurrentAccess
    private let tls: ServerTLS?
    private let limits: AdminLimits
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameters:
    ///   - listen: Where to listen.
    ///   - takesAnyPort: Whether any port does where another process has that one.
    ///   - sockets: The service manager's sockets for it; where there are any, they take the place of `listen`.
    ///   - source: What to show.
    ///   - token: Opens what is not for everybody; without it that is closed.
    ///   - opensMetrics: Whether `/metrics` is for everybody, wherever the endpoint listens.
    ///   - tls: Nil for plaintext.
    ///   - limits: How many clients there may be, and how slow.
    ///   - logger: Told where it listens.
    package init(
        listen: ListenAddress,
        takesAnyPort: Bool = false,
        sockets: [GivenSocket] = [],
        source: any AdminSource,
        token: AdminToken? = nil,
        opensMetrics: Bool = false,
        tls: ServerTLS? = nil,
        limits: AdminLimits = AdminLimits(),
        logger: Logger
    ) {
        self.listen = listen
        self.takesAnyPort = takesAnyPort
        self.sockets = sockets
        self.source = source
        self.tls = tls
        let addresses = sockets.isEmpty ? [listen] : sockets.map(\.address)
        access = CurrentAccess(AdminAccess(at: addresses, token: token, opensMetrics: opensMetrics))
        self.limits = limits
        self.logger = logger
    }

    /// Where it listens first, with the port that the system chose; nil unless started.
    package var boundAddress: ListenAddress? {
        guard let local = state.withLock({ $0.channels.first?.localAddress }) else { return nil }
        if let socket = sockets.first { return socket.address }
        guard case .tcp(let host, _) = listen, let port = local.port else { return listen }
        return .tcp(host: host, port: port)
    }

    /// What a person opens to see the console page: its token with it where no pipeline file gives it, since who sees this
    /// sees the token; nil unless started, and where the endpoint listens on a unix socket.
    package var pageAddress: String? {
        guard case .tcp(let host, let port) = boundAddress else { return nil }
        let reachable = ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
        let address = ListenAddress.tcp(host: reachable, port: port)
        let fragment = access.value.token.map { $0.isMade ? "#token=\($0.text)" : "" } ?? ""
        return "\(tls == nil ? "http" : "https")://\(address)/\(fragment)"
    }

    /// From now on another token counts, and says something else of `/metrics`; what was let in before goes on.
    package func change(token: AdminToken?, opensMetrics: Bool) {
        access.change(token: token, opensMetrics: opensMetrics)
    }

    /// Where commands find it: the first address, and what tells its certificate from others; nil unless started.
    private var place: AdminPlace? {
        boundAddress.map { AdminPlace(address: $0, publicKeyPin: tls?.publicKeyPin) }
    }

    /// Binds and begins to answer.
    ///
    /// Blocks for the disk. `directory` is where commands look for its place.
    package func start(notedIn directory: String? = nil) async throws(ListenError) {
        do throws(TLSProblem) {
            // A new certificate may have another key.
            try tls?.start { if let directory { self.note(in: directory) } }
        } catch {
            throw ListenError(address: listen, reason: error.message)
        }
        try await bind()
        if let directory { note(in: directory) }
    }

    private func note(in directory: String) {
        guard let place else { return }
        let mark = place.note(in: directory)
        state.withLock { $0.mark = mark }
    }

    private func bind() async throws(ListenError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let channels = try await bind(group)
            state.withLock { $0 = State(group: group, channels: channels, mark: nil) }
        } catch {
            try? await group.shutdownGracefully()
            throw ListenError(address: sockets.first?.address ?? listen, reason: Self.reason(error))
        }
        guard sockets.isEmpty else {
            let addresses = sockets.map(\.address.description).joined(separator: ", ")
            return logger.info(
                "admin endpoint on a socket of the service manager, in place of listen",
                metadata: ["address": "\(addresses)", "listen": "\(listen)"]
            )
        }
        logger.info("admin endpoint", metadata: ["address": "\(boundAddress ?? listen)"])
    }

    /// Closes every connection and ends the thread.
    package func close() async {
        tls?.stop()
        let state = state.withLock { state in
            defer { state = State() }
            return state
        }
        // Both fail only where it is closed already.
        for channel in state.channels { try? await channel.close() }
        if !state.channels.isEmpty, sockets.isEmpty { listen.removeSocketFile() }
        try? await state.group?.shutdownGracefully()
    }

    /// What operators and their tools send is short.
    private static var headLimits: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 8192
        limits.maxHeaderListSize = 16_384
        limits.maxHeaderFieldCount = 64
        return limits
    }

    private func bind(_ group: MultiThreadedEventLoopGroup) async throws -> [any Channel] {
        let addresses = sockets.isEmpty ? [listen] : sockets.map(\.address)
        let shared = AdminContext(addresses: addresses, source: source, current: access, logger: logger)
        let (tls, limits) = (tls, limits)
        let eventLoop = group.next()
        let connections = try await eventLoop.submit {
            NIOLoopBound(AdminConnections(limits), eventLoop: eventLoop)
        }.get()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    try server.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = AdminConnection(shared, connections.value, isSecured: tls != nil)
                    guard connections.value.admit(connection) else { throw ChannelError.operationUnsupported }
                    let pipeline = channel.pipeline.syncOperations
                    try tls?.addHandlers(to: channel)
                    try pipeline.addHandler(AdminBytes(connection))
                    try pipeline.configureHTTPServerPipeline(
                        withEncoderConfiguration: HTTPResponseEncoder.Configuration(),
                        withDecoderLimitConfiguration: Self.headLimits
                    )
                    try pipeline.addHandler(connection)
                }
            }
        guard sockets.isEmpty else {
            var channels: [any Channel] = []
            for socket in sockets {
                channels.append(try await bootstrap.withBoundSocket(socket.descriptor).get())
                // The bootstrap shortened it.
                socket.lengthenQueue()
            }
            return channels
        }
        switch listen {
        case .tcp(let host, let port):
            do {
                return [try await bootstrap.bind(host: host, port: port).get()]
            } catch let error as IOError where takesAnyPort && error.errnoCode == EADDRINUSE {
                return [try await bootstrap.bind(host: host, port: 0).get()]
            }
        case .unix(let path):
            if listen.isAnsweredOnSocketFile { throw IOError(errnoCode: EADDRINUSE, reason: "bind") }
            return [try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()]
        }
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return unsafe strerror(error.errnoCode).map { unsafe String(cString: $0) } ?? "errno \(error.errnoCode)"
    }
}
