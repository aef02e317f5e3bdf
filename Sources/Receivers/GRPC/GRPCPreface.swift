import Basics
import Logging
import NIOCore
import NIOHTTP2
import TLS

/// Looks at the first bytes of a connection: HTTP/2 gets its handlers; a client that speaks HTTP/1.1 is told so in HTTP/1.1, since
/// frames would say nothing to it.
final class GRPCPreface: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What a client of another protocol is told.
    static let words =
        "this port speaks OTLP over gRPC; OTLP over HTTP goes to the port of an otlp_http receiver, 4318 by default"
    /// What HTTP/2 begins with (RFC 9113 section 3.4).
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let connection: GRPCConnection
    private let settings: OTLPGRPCReceiverSettings
    private var received = ByteBuffer()
    private var isRefused = false

    init(_ connection: GRPCConnection, _ settings: OTLPGRPCReceiverSettings) {
        self.connection = connection
        self.settings = settings
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What a refused client still sends is dropped, until it closes or its time is over.
        guard !isRefused else { return }
        received.writeImmutableBuffer(unwrapInboundIn(data))
        let start = received.readableBytesView.prefix(Self.preface.count)
        guard Self.preface.starts(with: start) else { return refuse(context, start.first) }
        guard start.count == Self.preface.count else { return }
        do { try addHandlers(context) } catch { return context.close(promise: nil) }
        connection.open()
        context.fireChannelRead(wrapInboundOut(received))
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ first: UInt8?) {
        isRefused = true
        let (loop, client) = (connection.loop, connection.client.address)
        // A method of HTTP/1.1 is a word in capitals.
        guard let first, (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) else {
            loop.noteNotHTTP(from: client)
            return context.close(promise: nil)
        }
        if loop.context.notices.isNew("http1", from: client.source) {
            loop.context.logger.warning(
                "a client speaks HTTP/1.1 to a port that speaks gRPC; it needs the port of an otlp_http receiver",
                metadata: ["receiver": "\(loop.context.name)", "client": "\(client)"]
            )
        }
        loop.count(.http(.badRequest), nil)
        let answer = AnswerForm().response(.failure(HTTPError(.badRequest, Self.words)), date: loop.currentDate())
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        context.close(mode: .output, promise: nil)
        connection.linger()
    }

    private func addHandlers(_ context: ChannelHandlerContext) throws {
        let pipeline = context.pipeline.syncOperations
        let management = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: context.eventLoop,
            configuration: settings.management
        )
        let connection = NIOLoopBound(connection, eventLoop: context.eventLoop)
        let http2 = NIOHTTP2Handler(
            mode: .server,
            eventLoop: context.eventLoop,
            connectionConfiguration: settings.connectionConfiguration,
            streamConfiguration: settings.streamConfiguration,
            streamDelegate: management.http2StreamDelegate
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                guard let id = try channel.syncOptions?.getOption(HTTP2StreamChannelOptions.streamID) else { return }
                try channel.pipeline.syncOperations.addHandler(GRPCStream(id, of: connection.value))
            }
        }
        try pipeline.addHandlers([http2, management], position: .after(self))
        // The channel is active already, and it begins to count time when told so.
        management.channelActive(context: try pipeline.context(handler: management))
    }
}

extension OTLPGRPCReceiverSettings {
    /// How long a client has for an answer to a ping, and for its calls after it was told that the connection ends.
    private static let patience = TimeAmount.seconds(20)

    fileprivate var management: NIOHTTP2ServerConnectionManagementHandler.Configuration {
        .init(
            maxIdleTime: TimeAmount(common.idleTimeout),
            maxAge: maxAge.map { TimeAmount($0) },
            maxGraceTime: TimeAmount(common.bodyTimeout) + Self.patience,
            keepalive: keepalive.map { .init(pingInterval: TimeAmount($0), ackTimeout: Self.patience) }
        )
    }

    fileprivate var connectionConfiguration: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: maxStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: RequestDecoder.headBytesMax),
            HTTP2Setting(parameter: .initialWindowSize, value: GRPCConnection.streamWindow),
        ]
        configuration.targetWindowSize = GRPCConnection.connectionWindow
        configuration.maximumBufferedControlFrames = 1000
        configuration.maximumRecentlyResetStreams = maxStreams
        return configuration
    }

    fileprivate var streamConfiguration: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = GRPCConnection.streamWindow
        configuration.streamResetFrameRateLimit.maximumCount = max(200, 4 * maxStreams)
        return configuration
    }
}
