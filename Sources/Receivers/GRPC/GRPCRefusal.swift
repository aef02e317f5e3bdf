import Logging
import NIOCore
import NIOHPACK
import NIOHTTP2
import TLS

/// What a client that speaks HTTP/2 to an `otlp_http` receiver is told, in its own words: an answer of HTTP/1.1 says nothing to one
/// of gRPC, which waits for its deadline and gives its batch up.
///
/// Its connection ends by the receiver's `header_timeout`.
enum GRPCRefusal {
    private static let words =
        "this port speaks OTLP over HTTP/1.1; OTLP over gRPC goes to the port of an otlp_grpc receiver, 4317 by default"

    /// What looks at the first bytes; stands before the parser of HTTP/1.1.
    static func preface(for connection: HTTPConnection) -> HTTP2Preface {
        HTTP2Preface { speaks, context, handler in
            guard case .http2 = speaks else { return true }
            let loop = NIOLoopBound(connection.loop, eventLoop: context.eventLoop)
            if connection.loop.context.notices.isNew("http2", from: connection.peer) {
                connection.loop.context.logger.warning(
                    "a client speaks HTTP/2 to a port that speaks HTTP/1.1; if it sends OTLP over gRPC, it needs the port of an otlp_grpc receiver",
                    metadata: [
                        "receiver": "\(connection.loop.context.name)", "client": "\(connection.client.address)",
                    ]
                )
            }
            var configuration = NIOHTTP2Handler.ConnectionConfiguration()
            configuration.initialSettings.append(
                HTTP2Setting(parameter: .maxHeaderListSize, value: RequestDecoder.headBytesMax)
            )
            let http2 = NIOHTTP2Handler(
                mode: .server,
                eventLoop: context.eventLoop,
                connectionConfiguration: configuration
            ) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(RefusedStream(loop.value))
                }
            }
            try context.pipeline.syncOperations.addHandlers([http2, FrameWall()], position: .after(handler))
            return true
        }
    }

    /// Refuses one call, as soon as its head has come.
    private final class RefusedStream: ChannelInboundHandler {
        typealias InboundIn = HTTP2Frame.FramePayload
        typealias OutboundOut = HTTP2Frame.FramePayload

        private let loop: ReceiverLoop

        init(_ loop: ReceiverLoop) {
            self.loop = loop
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .headers(let request) = unwrapInboundIn(data) else { return }
            let type = request.headers.first(name: "content-type")
            let isGRPC = GRPCHead.isGRPC(type.map { $0[...] })
            loop.count(isGRPC ? .grpc(.unimplemented) : .http(.versionNotSupported), nil)
            let answer =
                isGRPC ? GRPCAnswer(.unimplemented, GRPCRefusal.words).trailers : [":status": "505"]
            context.write(wrapOutboundOut(.headers(.init(headers: answer, endStream: true))), promise: nil)
            if !request.endStream { context.write(wrapOutboundOut(.rstStream(.noError)), promise: nil) }
            context.flush()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    /// Keeps frames from the handlers of HTTP/1.1, and their bytes from HTTP/2.
    private final class FrameWall: ChannelDuplexHandler {
        typealias InboundIn = HTTP2Frame
        typealias OutboundIn = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            promise?.succeed()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
