import Basics
import Glibc
import Logging
import NIOCore
import NIOPosix
import Synchronization

extension NATSClient {
    private static let connectMax = TimeAmount.seconds(2)
    /// Bytes that the system takes before it has sent them: a ping waits behind no more than that, and what is under way.
    private static let unsentMax = ChannelOptions.Types.SocketOption.Value(131_072)

    /// Until it is cancelled.
    func run() async {
        var backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(2))
        var generator = SystemRandomNumberGenerator()
        var told: String?
        var turn = known
        while !Task.isCancelled {
            guard let server = turn.popLast() else {
                // Only once all of them were tried in vain.
                try? await MonotonicClock.system.sleep(backoff.next(using: &generator))
                turn = known
                continue
            }
            do {
                let channel = try await connect(to: server)
                backoff.reset()
                told = nil
                logger.info("connected to NATS", metadata: ["client": "\(name)", "server": "\(server)"])
                try? await channel.closeFuture.get()
                guard !Task.isCancelled else { return }
                let reason = trouble
                logger.warning(
                    "the connection to NATS ended",
                    metadata: ["client": "\(name)", "server": "\(server)", "reason": "\(reason)"]
                )
            } catch {
                let reason = Self.reason(of: error)
                state.withLock { $0.trouble = "no connection to \(server): \(reason)" }
                if told != reason, !Task.isCancelled {
                    told = reason
                    logger.warning(
                        "cannot connect to NATS",
                        metadata: ["client": "\(name)", "server": "\(server)", "reason": "\(reason)"]
                    )
                }
            }
        }
    }

    /// The servers of the file and those that they have named, in any order.
    private var known: [NATSServer] {
        Set(settings.servers + state.withLock { $0.learned }).shuffled()
    }

    private func connect(to server: NATSServer) async throws -> any Channel {
        let loop = group.next()
        let ready = loop.makePromise(of: Void.self)
        defer { state.withLock { $0.opening = [] } }
        do {
            let keys = try NATSIdentity.key(of: settings.credentials)
            let parts = NATSConnection.Parts(
                server: server,
                settings: settings,
                keys: keys,
                tls: try settings.tls.configuration(),
                name: name,
                openingMax: openingMax,
                listener: self,
                ready: ready
            )
            let channel = try await ClientBootstrap(group: loop)
                .connectTimeout(Self.connectMax)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.tcpOption(.init(rawValue: TCP_NOTSENT_LOWAT)), value: Self.unsentMax)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard self.admit(channel) else { throw NATSFailure.cancelled }
                        try channel.pipeline.syncOperations.addHandler(NATSConnection(parts))
                    }
                }
                .connect(host: server.host, port: server.port)
                .get()
            try await ready.futureResult.get()
            return channel
        } catch {
            ready.fail(error)
            throw error
        }
    }

    /// Whether a connection may open, which `close` ends.
    private func admit(_ channel: any Channel) -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.opening.append(channel)
            return true
        }
    }

    private static func reason(of error: any Error) -> String {
        switch error {
        case let failure as NATSFailure: "\(failure)"
        case let failure as NIOConnectionError:
            failure.connectionErrors.first.map { "\($0.error)" } ?? "the name \(failure.host) has no address"
        default: "\(error)"
        }
    }
}
