import NIOCore

/// Stands between HTTP/2 and the network: says that the connection will end, and tells of a GOAWAY by which HTTP/2 ends the connection for an error of the client;
/// the error itself comes right behind it.
final class HTTP2Farewell: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// The type of the frame, and where its error code stands (RFC 9113 sections 4.1 and 6.8).
    private static let (goAway, typeOffset, codeOffset) = (UInt8(7), 3, 13)

    private let connection: HTTP2Connection
    private var context: ChannelHandlerContext?

    init(_ connection: HTTP2Connection) {
        self.connection = connection
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Sends a GOAWAY without an error that names the last of all possible calls, past the state machine of HTTP/2.
    func say() {
        var frame = ByteBuffer()
        frame.writeBytes([0, 0, 8, Self.goAway, 0])
        frame.writeInteger(UInt32(0))
        frame.writeInteger(UInt32(Int32.max))
        frame.writeInteger(UInt32(0))
        context?.writeAndFlush(wrapOutboundOut(.byteBuffer(frame)), promise: nil)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .byteBuffer(let bytes) = unwrapOutboundIn(data),
            bytes.getInteger(at: bytes.readerIndex + Self.typeOffset, as: UInt8.self) == Self.goAway,
            let code = bytes.getInteger(at: bytes.readerIndex + Self.codeOffset, as: UInt32.self), code != 0
        {
            connection.hasFailed = true
        }
        context.write(data, promise: promise)
    }
}
