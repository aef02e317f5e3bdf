import NIOCore
import NIOHTTP1
import Pipeline

/// One client of the admin endpoint; bodies are not looked at.
final class AdminConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let source: any AdminSource
    private let token: AdminToken?
    private var request: HTTPRequestHead?

    init(_ source: any AdminSource, _ token: AdminToken?) {
        self.source = source
        self.token = token
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): request = head
        case .body: break
        case .end:
            guard let head = request.take() else { return }
            guard let path = DeadLetterPath(head.uri) else {
                return answer(head, AdminPage(head.method, head.uri, from: source), context)
            }
            answerDeadLetters(head, path, context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// The disk works meanwhile; further requests of the connection wait for the answer.
    private func answerDeadLetters(_ head: HTTPRequestHead, _ path: DeadLetterPath, _ context: ChannelHandlerContext) {
        let isShown = token?.isShown(in: head.headers.first(name: "authorization")) ?? false
        guard isShown, head.method.rawValue == path.method else {
            return answer(head, AdminPage(refusing: head.method, path, isAllowed: isShown), context)
        }
        let source = source
        let reply = context.eventLoop.makeFutureWithTask { await source.answer(path.request) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        reply.whenSuccess { reply in
            let (connection, context) = bound.value
            connection.answer(head, AdminPage(reply), context)
        }
    }

    private func answer(_ request: HTTPRequestHead, _ page: AdminPage, _ context: ChannelHandlerContext) {
        let keepsAlive = request.isKeepAlive && request.version != .http1_0
        var headers: HTTPHeaders = ["content-type": page.contentType, "content-length": String(page.body.count)]
        if let allow = page.allow { headers.add(name: "allow", value: allow) }
        if !keepsAlive { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: page.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: page.body)))), promise: nil)
        }
        let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        guard !keepsAlive else { return }
        let channel = context.channel
        written.whenComplete { _ in channel.close(promise: nil) }
    }
}
