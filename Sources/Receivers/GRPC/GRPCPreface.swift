import Basics
import Logging
import NIOCore
import NIOHTTP2
import TLS

/// What a new connection of an `otlp_grpc` receiver speaks: HTTP/2 gets its handlers; a client that speaks HTTP/1.1 is told so in
/// HTTP/1.1, since frames would say nothing to it.
struct GRPCPreface {
    /// What a client of another protocol is told.
    static let words =
        "this port speaks OTLP over gRPC; OTLP over HTTP goes to the port of an otlp_http receiver, 4318 by default"

    let connection: GRPCConnection
    let settings: OTLPGRPCReceiverSettings

    /// What looks at the first bytes; stands before the connection.
    var handler: HTTP2Preface {
        HTTP2Preface { [self] speaks, context, handler in
            guard case .http2 = speaks else {
                refuse(context, speaks)
                return false
            }
            connection.open(try addHandlers(context, after: handler))
            return true
        }
    }

    private func refuse(_ context: ChannelHandlerContext, _ speaks: HTTP2Preface.Speech) {
        let (loop, client) = (connection.loop, connection.client.address)
        guard case .http1 = speaks else {
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
        context.writeAndFlush(NIOAny(answer), promise: nil)
        context.close(mode: .output, promise: nil)
        connection.linger()
    }

    private func addHandlers(_ context: ChannelHandlerContext, after handler: HTTP2Preface) throws -> GRPCFarewell {
        let pipeline = context.pipeline.syncOperations
        let farewell = GRPCFarewell(connection)
        let connection = NIOLoopBound(connection, eventLoop: context.eventLoop)
        let http2 = NIOHTTP2Handler(
            mode: .server,
            eventLoop: context.eventLoop,
            connectionConfiguration: settings.connectionConfiguration,
            streamConfiguration: settings.streamConfiguration
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                guard let id = try channel.syncOptions?.getOption(HTTP2StreamChannelOptions.streamID) else { return }
                try channel.pipeline.syncOperations.addHandler(GRPCStream(id, of: connection.value))
            }
        }
        try pipeline.addHandlers([farewell, http2], position: .after(handler))
        return farewell
    }
}

extension OTLPGRPCReceiverSettings {
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
        configuration.streamResetFrameRateLimit.maximumCount = max(200, 2 * maxStreams)
        return configuration
    }
}
