import NIOCore

/// Stands between HTTP/2 and the network: tells clients stricter limits than HTTP/2 is given, says that the connection will end, and
/// tells of a GOAWAY by which HTTP/2 ends the connection for an error of the client; the error itself comes right behind it.
final class HTTP2Farewell: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// The type of the frame (RFC 9113 section 6.8).
    private static let goAway = UInt8(7)
    /// The type of the frame, where its settings begin, and what each takes (sections 4.1 and 6.5.1).
    private static let (settings, typeOffset, settingsOffset, settingBytes) = (UInt8(4), 3, 9, 6)

    private let connection: HTTP2Connection
    private var context: ChannelHandlerContext?

    /// What the first SETTINGS say, by the number of the setting; empty once they are said.
    private var told: [UInt16: UInt32]

    init(_ connection: HTTP2Connection, telling told: [UInt16: UInt32]) {
        self.connection = connection
        self.told = told
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
        guard !told.isEmpty, case .byteBuffer(var bytes) = unwrapOutboundIn(data),
            bytes.getInteger(at: bytes.readerIndex + Self.typeOffset, as: UInt8.self) == Self.settings
        else { return context.write(data, promise: promise) }
        tell(in: &bytes)
        context.write(wrapOutboundOut(.byteBuffer(bytes)), promise: promise)
    }

    /// Puts what clients are told into the frame with the first SETTINGS.
    private func tell(in frame: inout ByteBuffer) {
        let length = frame.getBytes(at: frame.readerIndex, length: 3)?.reduce(0) { $0 << 8 | Int($1) } ?? 0
        let first = frame.readerIndex + Self.settingsOffset
        for setting in stride(from: first, to: first + length, by: Self.settingBytes) {
            guard let number = frame.getInteger(at: setting, as: UInt16.self), let value = told[number] else {
                continue
            }
            frame.setInteger(value, at: setting + 2)
        }
        told = [:]
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
