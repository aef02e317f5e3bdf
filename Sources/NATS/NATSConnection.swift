import Basics
import NIOCore
import NIOSSL
import Settings

/// One connection to a server: greets, secures it where that is asked for, and hands on what comes.
///
/// On its event loop.
final class NATSConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What a connection is made with.
    struct Parts: Sendable {
        let server: NATSServer
        let settings: NATSSettings
        let keys: NATSKeys
        let tls: TLSConfiguration
        let name: String
        /// From the connection to the first answer to a ping.
        let openingMax: TimeAmount
        let listener: any NATSConnectionListener
        /// Fulfilled once messages may be sent.
        let ready: EventLoopPromise<Void>
    }

    private enum Phase {
        case greeting, securing, introducing, open, closed
    }

    /// Between two pings; a connection on which two of them get no answer is closed.
    private static let pingInterval = TimeAmount.seconds(2)

    private let parts: Parts
    private var parser = NATSParser()
    private var phase = Phase.greeting
    private var info = NATSServerInfo()
    private var timer: Scheduled<Void>?
    private var unanswered = 0
    /// Whether a ping waits behind what is being sent.
    private var isPingWaiting = false
    /// Bytes that the client has sent, and how many of them were gone with the last look.
    private var (sent, gone) = (0, 0)
    /// Whether the server asked for a sign of life and has got none.
    private var owesPong = false
    /// What the server said last of what it does not like.
    private var complaint: String?

    init(_ parts: Parts) {
        self.parts = parts
    }

    func handlerAdded(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: parts.openingMax) {
            self.close(context, "the server does not greet in time")
        }
    }

    /// Also where there never was a connection.
    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        phase = .closed
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .closed else { return }
        // A slow way brings other things before the answer to a ping.
        if phase == .open { unanswered = 0 }
        parser.append(unwrapInboundIn(data))
        do throws(NATSProtocolError) {
            while phase != .closed, let operation = try parser.next() { take(operation, context) }
        } catch {
            close(context, "\(error)")
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        payPong(context)
        context.fireChannelWritabilityChanged()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        sent += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    private func payPong(_ context: ChannelHandlerContext) {
        guard owesPong, context.channel.isWritable, phase != .closed else { return }
        owesPong = false
        write(context) { $0.writePong() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(context, "\(error)")
    }

    func channelInactive(context: ChannelHandlerContext) {
        close(
            context,
            complaint.map { "the server closed the connection: \($0)" } ?? "the server closed the connection"
        )
        context.fireChannelInactive()
    }

    private func take(_ operation: NATSOperation, _ context: ChannelHandlerContext) {
        switch operation {
        case .info(let text): greet(text, context)
        case .ping:
            // One answer is enough for a server that reads nothing meanwhile.
            owesPong = true
            payPong(context)
        case .pong: pong(context)
        case .okay: break
        case .error(let text):
            complaint = text.excerpt()
            parts.listener.complained(text.excerpt())
        case .message(let message):
            if phase == .open { parts.listener.received(message) }
        }
    }

    private func greet(_ text: [UInt8], _ context: ChannelHandlerContext) {
        guard let info = NATSServerInfo(text) else { return close(context, "the server's INFO is no JSON") }
        self.info = info
        guard phase == .greeting else { return parts.listener.learned(info) }
        guard info.hasHeaders else { return close(context, "the server \(info.version) has no headers") }
        let wantsTLS = parts.settings.tls != nil || parts.server.needsTLS || info.needsTLS
        guard wantsTLS else { return introduce(context) }
        guard info.needsTLS || info.offersTLS else { return close(context, "the server has no TLS") }
        // What came behind INFO came in plain text, from whomever.
        guard parser.unread == 0 else { return close(context, "the server goes on in plain text") }
        secure(context)
    }

    private func secure(_ context: ChannelHandlerContext) {
        do {
            let tls = try NIOSSLContext(configuration: parts.tls)
            let name = parts.settings.tls?.serverName ?? parts.server.host
            // An address is no name to ask for.
            let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
            let handler = try NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : name)
            phase = .securing
            try context.pipeline.syncOperations.addHandler(handler, position: .first)
        } catch {
            return close(context, "\(error)")
        }
        introduce(context)
    }

    private func introduce(_ context: ChannelHandlerContext) {
        phase = .introducing
        let own: JSON = [
            "verbose": false, "pedantic": false, "headers": true, "no_responders": true, "protocol": .integer(1),
            "lang": "swift", "version": .text(Product.version), "name": .text(parts.name),
        ]
        let identity = NATSIdentity(parts.settings.credentials, parts.keys, answering: info)
        write(context) { buffer in
            buffer.writeConnect(own.adding(identity.options).lineText)
            buffer.writePing()
        }
    }

    private func pong(_ context: ChannelHandlerContext) {
        unanswered = 0
        guard phase == .introducing else { return }
        phase = .open
        timer?.cancel()
        pingLater(context)
        parts.listener.opened(context.channel, info)
        parts.ready.succeed()
    }

    private func pingLater(_ context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.pingInterval) {
            // On a slow way a large message goes out before the ping does.
            if self.hasMoved(context), self.isPingWaiting { self.unanswered = 0 }
            guard self.unanswered < 2 else { return self.close(context, "the server answers no ping") }
            self.unanswered += 1
            if !self.isPingWaiting { self.ping(context) }
            self.pingLater(context)
        }
    }

    private func ping(_ context: ChannelHandlerContext) {
        isPingWaiting = true
        var buffer = context.channel.allocator.buffer(capacity: 16)
        buffer.writePing()
        context.writeAndFlush(wrapOutboundOut(buffer)).assumeIsolated().whenComplete { _ in self.isPingWaiting = false }
    }

    /// Whether the system took anything since the last look.
    private func hasMoved(_ context: ChannelHandlerContext) -> Bool {
        guard let held = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes) else { return false }
        defer { gone = max(gone, sent - held) }
        return sent - held > gone
    }

    private func write(_ context: ChannelHandlerContext, _ body: (inout ByteBuffer) -> Void) {
        var buffer = context.channel.allocator.buffer(capacity: 512)
        body(&buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    private func close(_ context: ChannelHandlerContext, _ reason: String) {
        guard phase != .closed else { return }
        let wasOpen = phase == .open
        phase = .closed
        timer?.cancel()
        let reason = complaint.map { reason.contains($0) ? reason : "\(reason): \($0)" } ?? reason
        parts.ready.fail(NATSFailure.disconnected(reason))
        if wasOpen { parts.listener.closed(reason) }
        context.close(promise: nil)
    }
}

/// Hears what a connection has to say; on its event loop.
protocol NATSConnectionListener: AnyObject, Sendable {
    /// Messages may be sent from now on.
    func opened(_ channel: any Channel, _ info: NATSServerInfo)
    /// The server says something new about itself.
    func learned(_ info: NATSServerInfo)
    func received(_ message: NATSMessage)
    /// The server refuses something, such as a subject; it may close the connection then.
    func complained(_ text: String)
    /// Nothing comes any more over a connection that was open.
    func closed(_ reason: String)
}
