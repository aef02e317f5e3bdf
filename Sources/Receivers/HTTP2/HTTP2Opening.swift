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
        let connection = NIOLoopBound(self, eventLoop: context.eventLoop)
        let settings = loop.context.settings
        let farewell = HTTP2Farewell(self, telling: settings.toldSettings)
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
        // HTTP/2 says its settings as soon as it is added.
        try context.pipeline.syncOperations.addHandler(farewell, position: .after(preface))
        let handlers: [any ChannelHandler] = [http2] + (addsSelf ? [self] : [])
        try context.pipeline.syncOperations.addHandlers(handlers, position: .after(farewell))
        open(farewell)
    }
}

extension ReceptionSettings {
    fileprivate var connectionConfiguration: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        // Over these NIO ends the connection, with every call on it. Clients are told less (`toldSettings`), and what is over that is
        // refused by itself.
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: maxStreams * 2 + 100),
            HTTP2Setting(parameter: .maxHeaderListSize, value: HTTP2Connection.headBytesMax),
            HTTP2Setting(parameter: .initialWindowSize, value: HTTP2Connection.streamWindow),
        ]
        configuration.targetWindowSize = HTTP2Connection.connectionWindow
        configuration.maximumBufferedControlFrames = 1000
        configuration.maximumRecentlyResetStreams = maxStreams
        return configuration
    }

    /// What clients are told of limits, in place of what NIO is.
    fileprivate var toldSettings: [UInt16: UInt32] {
        [3: UInt32(clamping: maxStreams), 6: UInt32(clamping: RequestDecoder.headBytesMax)]
    }

    fileprivate var streamConfiguration: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = HTTP2Connection.streamWindow
        configuration.streamResetFrameRateLimit.maximumCount = max(200, 2 * maxStreams)
        return configuration
    }
}
