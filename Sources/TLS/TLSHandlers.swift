import Basics
import NIOCore
import NIOSSL
import NIOTLS

/// Looks at the first byte of a connection: whoever speaks plain HTTP is told so in HTTP, since an alert of TLS would say
/// nothing to them; everybody else goes on without this handler.
final class TLSFirstBytes: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let handshake: TLSHandshake
    private var isRefused = false

    init(_ handshake: TLSHandshake) {
        self.handshake = handshake
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What a refused client still sends is dropped, until it closes or its time is over.
        guard !isRefused, let first = unwrapInboundIn(data).readableBytesView.first else { return }
        handshake.hasBegun = true
        // A PROXY header of version 2 begins with CR.
        guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) || first == UInt8(ascii: "\r") else {
            context.fireChannelRead(data)
            return context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
        isRefused = true
        handshake.fail(.plainHTTP)
        context.writeAndFlush(wrapOutboundOut(Self.refusal), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if isRefused, case ChannelEvent.inputClosed = event { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    private static var refusal: ByteBuffer {
        let text = "this port speaks TLS: use an address with https://\n"
        let lines = [
            "HTTP/1.1 400 Bad Request", "content-type: text/plain", "content-length: \(text.utf8.count)",
            "connection: close", "", text,
        ]
        return ByteBuffer(string: lines.joined(separator: "\r\n"))
    }
}

/// Stands behind TLS: says when the handshake is done or has failed, and keeps errors of TLS from those behind it.
final class TLSHandshake: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Whether the client has sent anything: balancers connect and close to see whether somebody listens.
    var hasBegun = false

    private let session: NIOSSLServerHandler
    private var client: ClientAddress
    private let needsPeer: Bool
    private let clock: WallClock
    private let onFailure: (HandshakeFailure, _ detail: String, ClientAddress) -> Void
    private var isSettled = false
    /// Whether nothing that the client says goes on: closing takes a while, in which requests may come.
    private var isRefused = false

    /// - Parameters:
    ///   - session: Does the handshake.
    ///   - client: Who connects, unless a load balancer says who it is.
    ///   - needsPeer: Whether the client must show a certificate.
    ///   - clock: Tells whether that has expired.
    ///   - onFailure: Told of a handshake that comes to nothing, once.
    init(
        _ session: NIOSSLServerHandler,
        of client: ClientAddress,
        needsPeer: Bool,
        clock: WallClock,
        onFailure: @escaping (HandshakeFailure, String, ClientAddress) -> Void
    ) {
        self.session = session
        self.client = client
        self.needsPeer = needsPeer
        self.clock = clock
        self.onFailure = onFailure
    }

    /// The handshake comes to nothing, which counts once.
    func fail(_ reason: HandshakeFailure, _ detail: String = "") {
        guard !isSettled else { return }
        isSettled = true
        onFailure(reason, detail, client)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let client = event as? ClientAddress { self.client = client }
        guard case TLSUserEvent.handshakeCompleted = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        let peer = session.peerCertificate
        // A session that goes on is not verified again by the library, and outlives the certificate that it began with.
        if needsPeer, peer.map({ clock.now().nanoseconds / 1_000_000_000 >= UInt64(max(0, $0.notValidAfter)) }) ?? true
        {
            isRefused = true
            fail(.badCertificate)
            return context.close(promise: nil)
        }
        isSettled = true
        let identity = peer.flatMap { CertificateNames($0).identity }
        context.fireUserInboundEventTriggered(TLSPeer(identity: identity))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isRefused { context.fireChannelRead(data) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard isSettled else {
            let reason = HandshakeFailure(error)
            if hasBegun || reason != .closed { fail(reason, HandshakeFailure.detail(error)) }
            isSettled = true
            return
        }
        // A side that closes without saying so in TLS is as good as one that does: HTTP knows where messages end.
        if case NIOSSLError.uncleanShutdown = error { return }
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(.timeout)
        context.fireChannelInactive()
    }
}
