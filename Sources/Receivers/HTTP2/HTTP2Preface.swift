import NIOCore

/// Stands first on a new connection and tells by its first bytes whether the client speaks HTTP/2.
final class HTTP2Preface: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// What a client speaks.
    enum Speech {
        /// By prior knowledge, or as ALPN has it (RFC 9113 section 3.4).
        case http2
        /// What begins with a word in capitals, as methods of HTTP/1.1 are.
        case http1
        /// What begins as a header of the PROXY protocol's version 1 does; balancers of the receiver have theirs taken off before.
        case proxyHeader
        case other
    }

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private static let proxyHeader = Array("PROXY ".utf8)

    private let begin: (Speech, ChannelHandlerContext, HTTP2Preface) throws -> Bool
    private var received = ByteBuffer()
    private var phase = Phase.looking

    private enum Phase {
        case looking
        /// Handlers are being added.
        case beginning
        /// What comes goes on; this handler is about to be removed.
        case over
        case refused
    }

    /// - Parameter begin: Adds the handlers that the client needs behind this one, and says whether its bytes go on to them; where they
    ///   do not, whatever comes is dropped.
    init(_ begin: @escaping (Speech, ChannelHandlerContext, HTTP2Preface) throws -> Bool) {
        self.begin = begin
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch phase {
        case .looking: look(context, data)
        // Sending may fail, upon which NIO reads what is left while this handler is still at it.
        case .beginning: received.writeImmutableBuffer(unwrapInboundIn(data))
        case .over: context.fireChannelRead(data)
        case .refused: break
        }
    }

    private func look(_ context: ChannelHandlerContext, _ data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        let start = received.readableBytesView.prefix(Self.preface.count)
        let isHTTP2 = Self.preface.starts(with: start)
        let isProxyHeader = Self.proxyHeader.starts(with: start.prefix(Self.proxyHeader.count))
        guard let first = start.first, !isHTTP2 || start.count == Self.preface.count,
            !isProxyHeader || start.count >= Self.proxyHeader.count
        else { return }
        let isWord = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first)
        let speech: Speech = isHTTP2 ? .http2 : isProxyHeader ? .proxyHeader : isWord ? .http1 : .other
        phase = .beginning
        do {
            phase = try begin(speech, context, self) ? .over : .refused
        } catch {
            phase = .refused
            context.close(promise: nil)
        }
        guard phase == .over else { return received.clear() }
        context.fireChannelRead(wrapInboundOut(received))
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
