import NIOCore
import NIOHTTP2

extension HTTP2Connection {
    /// Gives HTTP/2 its handlers, and begins with it.
    ///
    /// - Parameters:
    ///   - preface: The handler that saw the client's first bytes.
    ///   - context: Its context.
    ///   - addsSelf: Whether this connection is not in the pipeline yet.
    /// - Throws: Where the channel is gone.
    func open(after preface: HTTP2Preface, _ context: ChannelHandlerContext, addsSelf: Bool) throws {
        let farewell = HTTP2Farewell(self)
        let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
        let settings = loop.context.settings
        let http2 = NIOHTTP2Handler(
            mode: .server,
            eventLoop: context.eventLoop,
            connectionConfiguration: settings.connectionConfiguration,
            streamConfiguration: settings.streamConfiguration
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                guard let id = try channel.syncOptions?.getOption(HTTP2StreamChannelOptions.streamID) else { return }
                try channel.pipeline.syncOperations.addHandler(HTTP2Stream(id, of: connection.value))
            }
        }
        let handlers: [any ChannelHandler] = [farewell, http2] + (addsSelf ? [self] : [])
        try context.pipeline.syncOperations.addHandlers(handlers, position: .after(preface))
        open(farewell)
    }
}

extension ReceptionSettings {
    fileprivate var connectionConfiguration: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: maxStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: RequestDecoder.headBytesMax),
            HTTP2Setting(parameter: .initialWindowSize, value: HTTP2Connection.streamWindow),
        ]
        configuration.targetWindowSize = HTTP2Connection.connectionWindow
        configuration.maximumBufferedControlFrames = 1000
        configuration.maximumRecentlyResetStreams = maxStreams
        return configuration
    }

    fileprivate var streamConfiguration: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = HTTP2Connection.streamWindow
        configuration.streamResetFrameRateLimit.maximumCount = max(200, 2 * maxStreams)
        return configuration
    }
}
