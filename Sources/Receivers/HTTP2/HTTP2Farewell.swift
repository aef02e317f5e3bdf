import NIOCore

/// Stands between HTTP/2 and the network: says that the connection will end, and tells of a GOAWAY by which HTTP/2 ends the connection for an error of the client;
/// the error itself comes right behind it.
final class HTTP2Farewell: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// The type of the frame (RFC 9113 section 6.8).
    private static let goAway = UInt8(7)

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
        if case .byteBuffer(let bytes) = unwrapOutboundIn(data), Self.isFailure(bytes) { connection.hasFailed = true }
        context.write(data, promise: promise)
    }

    /// Whether it is a GOAWAY with an error, and nothing else: the payloads of DATA come as buffers of their own, too.
    private static func isFailure(_ bytes: ByteBuffer) -> Bool {
        var bytes = bytes
        guard bytes.readableBytes == 17, let start = bytes.readInteger(as: UInt32.self),
            let flags = bytes.readInteger(as: UInt8.self), let stream = bytes.readInteger(as: UInt32.self),
            bytes.readInteger(as: UInt32.self) != nil, let code = bytes.readInteger(as: UInt32.self)
        else { return false }
        // The length of its payload, and its type (RFC 9113 section 4.1).
        return start == 8 << 8 | UInt32(goAway) && flags == 0 && stream == 0 && code != 0
    }
}
