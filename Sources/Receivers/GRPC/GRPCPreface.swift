import Basics
import Logging
import NIOCore
import TLS

/// What a new connection of an `otlp_grpc` receiver that listens alone speaks: HTTP/2 gets its handlers; a client that speaks
/// HTTP/1.1 is told so in HTTP/1.1, since frames would say nothing to it, and so is one that sends a PROXY header.
struct GRPCPreface {
    let connection: HTTP2Connection

    /// What looks at the first bytes; stands before the connection.
    var handler: HTTP2Preface {
        HTTP2Preface { [connection] speaks, context, handler in
            guard case .http2 = speaks else {
                refuse(context, speaks)
                return false
            }
            try connection.open(after: handler, context, addsSelf: false)
            return true
        }
    }

    private func refuse(_ context: ChannelHandlerContext, _ speaks: HTTP2Preface.Speech) {
        let loop = connection.loop
        let refusal: HTTPError
        switch speaks {
        case .http1: refusal = HTTP2Speakers.refuseHTTP1(on: connection)
        case .proxyHeader: refusal = HTTP2Speakers.refuseProxyHeader(on: connection)
        case .http2, .other:
            loop.noteNotHTTP(from: connection.client.address)
            return context.close(promise: nil)
        }
        loop.count(.http(refusal.status), nil)
        let answer = AnswerForm().response(.failure(refusal), date: loop.currentDate())
        context.writeAndFlush(NIOAny(answer), promise: nil)
        context.close(mode: .output, promise: nil)
        connection.linger()
    }
}
