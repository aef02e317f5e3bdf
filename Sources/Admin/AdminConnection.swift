import Basics
import Logging
import NIOCore
import NIOHTTP1
import Pipeline
import TLS

/// What all connections of the admin endpoint share.
struct AdminContext: Sendable {
    /// Where it is asked to listen.
    let addresses: [ListenAddress]
    let source: any AdminSource
    let current: CurrentAccess
    let logger: Logger

    var access: AdminAccess { current.value }
}

/// One client of the admin endpoint: answers its requests in order, each once the client has room for it.
///
/// The handler before it holds back further requests until an answer is written, so that one answer at most goes over what
/// the socket and the channel's write buffer take.
final class AdminConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum Phase {
        case idle, head, body
        /// The disk or somebody else is asked.
        case working
        case writing
        /// Events go out one after the other.
        case streaming
    }

    /// When it began to wait for what it waits for.
    private(set) var since = NIODeadline.now()
    private let shared: AdminContext
    private let connections: AdminConnections
    private var phase = Phase.idle
    private var timer: Scheduled<Void>?
    private var channel: (any Channel)?
    private var request: HTTPRequestHead?
    private var bodyBytes = 0
    /// Waits until the client has read earlier answers.
    private var complete: HTTPRequestHead?
    private var unwritten = 0
    private var stream: AdminStream?

    /// Where it is secured, a TLS handshake comes first, which has as long as a request's head.
    init(_ shared: AdminContext, _ connections: AdminConnections, isSecured: Bool) {
        self.shared = shared
        self.connections = connections
        phase = isSecured ? .head : .idle
    }

    /// Whether it may be closed to make room for others.
    var waitsForClient: Bool { phase != .working && phase != .streaming }

    func close() {
        channel?.close(promise: nil)
    }

    /// The next bytes, before they are parsed.
    func bytesCame() {
        if phase == .idle { enter(.head) }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        channel = context.channel
        enter(phase)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        channel = nil
        if let stream = stream.take() {
            stream.end()
            connections.streams -= 1
        }
        connections.remove(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            request = head
            bodyBytes = 0
            enter(.body)
        case .body(let bytes):
            bodyBytes += bytes.readableBytes
            if bodyBytes > connections.limits.bodyBytes { close() }
        case .end:
            complete = request.take()
            answerComplete(context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is TLSPeer { enter(.idle) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        answerComplete(context)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Begins to wait for something, for a bounded time.
    private func enter(_ phase: Phase) {
        self.phase = phase
        since = .now()
        timer?.cancel()
        timer = nil
        let limits = connections.limits
        let limit: Duration
        switch phase {
        case .idle: limit = limits.idle
        case .head: limit = limits.head
        case .body: limit = limits.body
        case .writing: limit = limits.writing
        case .working, .streaming: return
        }
        guard let channel else { return }
        timer = channel.eventLoop.scheduleTask(in: TimeAmount(limit)) { channel.close(promise: nil) }
    }

    private func answerComplete(_ context: ChannelHandlerContext) {
        guard complete != nil else { return }
        guard context.channel.isWritable else { return enter(.writing) }
        guard let head = complete.take() else { return }
        var accepted = AcceptedHosts(at: shared.addresses)
        let foreignHost = head.headers["host"].first { !accepted.accept($0) }
        if let foreignHost, !AdminPage.probes.contains(head.path) {
            return answer(head, AdminPage(refusing: foreignHost), context)
        }
        if let origin = head.foreignOrigin, !AdminPage.isForPrograms(head.path) {
            return answer(head, AdminPage(refusingOrigin: origin), context)
        }
        let isTrusted = shared.access.isToken(shownBy: head)
        guard isTrusted || !shared.access.needsToken(head.path) else { return refuse(head, context) }
        if head.path.hasPrefix("/api/"), head.method == .POST, !head.saysJSON {
            return answer(head, .unsupportedType, context)
        }
        if head.path == ReloadPath.path { return answerReload(head, context) }
        if let path = DeadLetterPath(head.uri) { return answerDeadLetters(head, path, context) }
        if let path = ConsolePath(head.uri) { return answer(head, path, context) }
        let saysWhy = isTrusted || !shared.access.isExposed && foreignHost == nil
        answer(head, AdminPage(head, from: shared.source, saysWhy: saysWhy), context)
    }

    /// What the console page asks for.
    private func answer(_ head: HTTPRequestHead, _ path: ConsolePath, _ context: ChannelHandlerContext) {
        guard head.method == path.method || head.method == .HEAD && path.method == .GET else {
            let allowed = path.method == .GET ? "GET, HEAD" : path.method.rawValue
            return answer(head, AdminPage(refusing: head.method, allowed: allowed), context)
        }
        switch path {
        case .stream(let tail) where head.method == .GET: stream(head, tail, context)
        case .trace(let id):
            answer(head, context) { [source = shared.source] in AdminPage(await source.answer(trace: id)) }
        case .tailed(let request):
            answer(head, context) { [source = shared.source] in AdminPage(await source.answer(request)) }
        default: answer(head, AdminPage(path, from: shared.source), context)
        }
    }

    private func stream(_ head: HTTPRequestHead, _ wish: TailWish?, _ context: ChannelHandlerContext) {
        guard connections.streams < connections.limits.streams else { return answer(head, .tooManyStreams, context) }
        let tail: (any AdminTail)?
        do throws(TailProblem) {
            tail = try wish.map { wish throws(TailProblem) in try shared.source.tail(wish) }
        } catch {
            return answer(head, AdminPage(.badRequest, error.message), context)
        }
        connections.streams += 1
        enter(.streaming)
        var headers = AdminHeaders.headers(ofData: true)
        headers.add(name: "content-type", value: "text/event-stream")
        let response = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        stream = AdminStream(
            context,
            from: shared.source,
            tail: tail,
            writing: connections.limits.writing,
            while: { [shared] in shared.access.isToken(shownBy: head) || !shared.access.needsToken(head.path) }
        )
    }

    /// The token is missing, or another one is shown; logged once a minute for each address.
    private func refuse(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let client = ClientAddress(channel?.remoteAddress)
        if let heldBack = connections.admitDenial(of: client) {
            var metadata: Logger.Metadata = ["path": "\(head.path.excerpt(max: 80))", "source": "\(client)"]
            if heldBack > 0 { metadata["held_back"] = "\(heldBack)" }
            let what = head.headers.contains(name: "authorization") ? "a wrong token" : "no token"
            shared.logger.warning("a request to the admin endpoint shows \(what)", metadata: metadata)
        }
        answer(head, .unauthorized, context)
    }

    private func answerDeadLetters(_ head: HTTPRequestHead, _ path: DeadLetterPath, _ context: ChannelHandlerContext) {
        guard head.method.rawValue == path.method else {
            return answer(head, AdminPage(refusing: head.method, allowed: path.method), context)
        }
        answer(head, context) { [source = shared.source] in AdminPage(await source.answer(path.request)) }
    }

    /// The pipeline file is read and taken meanwhile.
    private func answerReload(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        if let refusal = ReloadPath.refusal(of: head) { return answer(head, refusal, context) }
        let request = ReloadPath.request(in: head.uri)
        answer(head, context) { [source = shared.source] in AdminPage(await source.reload(request)) }
    }

    /// Answers once the page is there.
    private func answer(
        _ head: HTTPRequestHead,
        _ context: ChannelHandlerContext,
        _ page: @escaping @Sendable () async -> AdminPage
    ) {
        enter(.working)
        let reply = context.eventLoop.makeFutureWithTask { await page() }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        reply.whenSuccess { page in
            let (connection, context) = bound.value
            guard connection.channel != nil else { return }
            connection.answer(head, page, context)
        }
    }

    private func answer(_ request: HTTPRequestHead, _ page: AdminPage, _ context: ChannelHandlerContext) {
        let keepsAlive = request.isKeepAlive && request.version != .http1_0
        var headers = AdminHeaders.headers(ofData: page.isData)
        headers.add(name: "content-type", value: page.contentType)
        headers.add(name: "content-length", value: String(page.body.count))
        if let header = page.header { headers.add(name: header.name, value: header.value) }
        if !keepsAlive { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: page.status, headers: headers)
        unwritten += 1
        enter(.writing)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: page.body)))), promise: nil)
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.written(keepsAlive) }
    }

    /// The client's side has taken an answer.
    private func written(_ keepsAlive: Bool) {
        unwritten -= 1
        guard keepsAlive else { return close() }
        if unwritten == 0, phase == .writing, complete == nil { enter(.idle) }
    }
}

/// Tells a connection of bytes, whole request or not.
final class AdminBytes: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: AdminConnection

    init(_ connection: AdminConnection) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection.bytesCame()
        context.fireChannelRead(data)
    }
}

extension HTTPRequestHead {
    /// Its target without the query.
    var path: Substring { uri.prefix { $0 != "?" } }
}
