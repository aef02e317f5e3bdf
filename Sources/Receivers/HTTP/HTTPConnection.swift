import Basics
import NIOCore
import NIOHTTP1
import Pipeline
import TLS

/// One client's connection: takes its requests one after the other and answers them in order.
///
/// At most one request is in the intake; what a pipelining client sends meanwhile waits here, and then in the socket.
///
/// An answer given before the whole request came is followed by a lingering close (RFC 9112 section 9.6): the sending side is
/// closed, and what still comes is dropped within bounds, because closing a socket that holds unread bytes would reset the
/// connection and take the answer away from a client that is still sending.
final class HTTPConnection: ChannelDuplexHandler, RemovableChannelHandler, ReceiverConnection, AnswerTaker {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Where the connection stands.
    enum Phase {
        /// Between requests, or before the end of a head.
        case ready
        /// The body is coming.
        case receiving
        /// The head has come, and the body is not read before there is room for it.
        case holding
        /// The request is in the intake.
        case waiting
        /// Answered; what is left of the body is dropped, then the next request is taken.
        case draining
        /// Answered for the last time; whatever comes is dropped until the client closes.
        case lingering
        case closed
    }

    /// What a lingering close drops, at most.
    static let lingerBytesMax = 1 << 30

    var phase = Phase.ready
    /// When `expire()` is due.
    private(set) var deadline = NIODeadline.distantFuture
    var exchange: Exchange?
    /// The request whose body is not read yet.
    var heldRequest: HeldRequest?
    var roomWait: RoomWait?
    var ticket: UInt64?
    /// Whether the client has sent its last byte.
    private(set) var isInputClosed = false
    let observer: LoopObserver
    let loop: ReceiverLoop
    var paths: RequestPaths { loop.context.paths }

    /// The other end, and how it counts.
    var client: Client

    private(set) var decoder: RequestDecoder.Handler
    /// Whether its first bytes have yet to show which version of HTTP the client speaks.
    var isSpeechUnknown = false
    private(set) var channelContext: ChannelHandlerContext?
    /// What waits for the answer to an earlier request.
    private(set) var ahead: PartsAhead
    private var isHandling = false
    private var hasPendingRead = false
    private var sawPart = false
    /// Whether the parser stops after the request that it is in; another one must then read on.
    private var stopsParser = false
    private var mayHaveStopped = false
    private var hasStartedHead = false
    /// Whether the next request began to come while the last one was not answered.
    private var hasBegunNext = false
    /// Whether a request's head has come.
    private var hasHadRequest = false
    /// Whether the parser is being asked for an unfinished head.
    private var isProbing = false
    let openedAt = NIODeadline.now()
    /// What was dropped of the body of the last request, or of whatever comes after the last answer.
    private(set) var droppedBytes = 0
    /// Until when a refused body is dropped, as long as it comes; nil where the deadline alone counts.
    var dropEnd: NIODeadline?
    /// What had been dropped when that was last looked at.
    var dropMark = 0

    /// Must be called on the observer's event loop.
    ///
    /// - Parameters:
    ///   - observer: The event loop's share of the receiver.
    ///   - decoder: The handler before this one.
    ///   - client: What is known of the other end.
    init(
        _ observer: LoopObserver,
        decoder: RequestDecoder.Handler,
        client: Client = Client()
    ) {
        self.observer = observer
        self.decoder = decoder
        self.client = client
        loop = observer.loop.value
        ahead = PartsAhead(loop.context.memory)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        loop.add(self)
        setDeadline(in: loop.context.settings.headerTimeout)
        if context.channel.isActive { begin(context.channel) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context.channel)
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        phase = .closed
        exchange = nil
        ahead.removeAll()
        heldRequest = nil
        roomWait = nil
        loop.abandon(self)
        leaveLimits()
        channelContext = nil
        loop.remove(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        sawPart = true
        let part = unwrapInboundIn(data)
        noteStop(part, context)
        take(.part(part))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !sawPart {
            if phase == .ready, !hasStartedHead { startHead() }
            if phase == .waiting { hasBegunNext = true }
        }
        sawPart = false
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        // Reading goes on while nothing more came, so that a client that does not pipeline costs no change of interest.
        if phase == .holding || (isBusy && !ahead.isEmpty) {
            hasPendingRead = true
        } else {
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { resume() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let tls = event as? TLSPeer { meet(tls) }
        if let address = event as? ClientAddress { meet(address) }
        if case ChannelEvent.inputClosed = event, !isProbing {
            isInputClosed = true
            if !isBusy { closeNow() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case ByteToMessageDecoderError.dataReceivedInErrorState(_, let bytes): drop(bytes.readableBytes)
        case is HTTPParserError:
            let isFirst = phase == .ready && !hasHadRequest
            if isFirst, case HTTPParserError.invalidMethod = error { loop.noteNotHTTP(from: client.address) }
            take(.broken(error))
        default: closeNow()
        }
    }

    // MARK: Order

    /// Whether what comes must wait: for the intake, or for a client that does not read its answers.
    private var isBusy: Bool {
        phase == .waiting || phase == .holding || !(channelContext?.channel.isWritable ?? false)
    }

    private func take(_ event: PartsAhead.Event) {
        guard phase != .lingering else {
            if case .part(.body(let bytes)) = event { drop(bytes.readableBytes) }
            return
        }
        if isBusy || isHandling || !ahead.isEmpty { ahead.append(event) } else { handleAlone { handle(event) } }
        if ahead.hasLost { endIncomplete() } else { handleAhead() }
    }

    /// More came than is held: what is incomplete by that is refused, and a request in the intake gets the last answer.
    private func endIncomplete() {
        switch phase {
        case .holding: refuseHeld(.noMemory)
        case .waiting: break
        default: closeNow()
        }
    }

    /// Handles what waits, until something has to wait again.
    private func handleAhead() {
        handleAlone {
            while !isBusy, let event = ahead.popFirst() { handle(event) }
        }
    }

    /// One event at a time: writing an answer may lead here once more, which is ignored.
    private func handleAlone(_ body: () -> Void) {
        guard !isHandling else { return }
        isHandling = true
        body()
        isHandling = false
    }

    /// Goes on after something had to wait.
    func resume() {
        handleAhead()
        guard !isBusy, !isHandling else { return }
        if isInputClosed { return closeNow() }
        if hasPendingRead {
            hasPendingRead = false
            channelContext?.read()
        }
    }

    private func handle(_ event: PartsAhead.Event) {
        switch (event, phase) {
        case (.part(.head(let head)), .ready):
            hasStartedHead = false
            hasBegunNext = false
            hasHadRequest = true
            begin(head)
        case (.part(.body(let bytes)), .receiving): receive(bytes)
        case (.part(.end), .receiving): complete()
        case (.part(.end), .draining): awaitRequest()
        case (.broken, .ready) where isProbing: refuse(.stopping)
        case (.broken(let error), .ready), (.broken(let error), .receiving): refuse(error)
        case (.broken, .draining): closeNow()
        case (.part(.body(let bytes)), .lingering), (.part(.body(let bytes)), .draining): drop(bytes.readableBytes)
        default: break
        }
    }

    // MARK: Time and end

    func setDeadline(in duration: Duration) {
        deadline = .now() + TimeAmount(duration)
    }

    /// Nothing is due while the pipelines have the request.
    func clearDeadline() {
        deadline = .distantFuture
    }

    /// The deadline has passed.
    func expire() {
        if isSpeechUnknown, client.refusal != nil { return speakHTTP1() }
        switch phase {
        case .ready where hasStartedHead: refuse(HTTPError(.requestTimeout, "the request's head did not come in time"))
        case .receiving: refuse(HTTPError(.requestTimeout, "the request's body did not come in time"))
        case .draining where goesOnDropping(), .lingering where goesOnDropping(): break
        default: closeNow()
        }
    }

    /// Answers go out, nothing more is taken in.
    func linger(for duration: Duration) {
        phase = .lingering
        ahead.removeAll()
        setDeadline(in: duration)
        if isInputClosed { return closeNow() }
        channelContext?.close(mode: .output, promise: nil)
        if hasPendingRead {
            hasPendingRead = false
            channelContext?.read()
        }
    }

    func closeNow() {
        guard phase != .closed else { return }
        phase = .closed
        channelContext?.close(promise: nil)
    }

    /// Sends bytes at once.
    func write(_ bytes: ByteBuffer) {
        channelContext?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    /// The parser stops after a request that offers another protocol; a new one takes over, once the parser has returned and
    /// shows by nothing more that it goes on: two that parse one after the other would end the process.
    private func noteStop(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        if case .head(let head) = part { stopsParser = head.mayStopParser }
        mayHaveStopped = if case .end = part { stopsParser } else { false }
        guard mayHaveStopped else { return }
        context.eventLoop.assumeIsolated().execute {
            guard self.mayHaveStopped else { return }
            self.mayHaveStopped = false
            self.replaceDecoder()
        }
    }

    /// Gives what the parser left unread to a new one.
    private func replaceDecoder() {
        guard let pipeline = channelContext?.pipeline.syncOperations else { return }
        let next = RequestDecoder.make()
        do {
            try pipeline.addHandler(next, position: .after(decoder))
            pipeline.removeHandler(decoder, promise: nil)
            decoder = next
        } catch {
            closeNow()
        }
    }

    private func drop(_ count: Int) {
        droppedBytes += count
        if droppedBytes > Self.lingerBytesMax { closeNow() }
    }

    private func startHead() {
        guard client.refusal == nil else { return }
        hasStartedHead = true
        setDeadline(in: loop.context.settings.headerTimeout)
    }
}

// The end.
extension HTTPConnection {
    /// How long a client that has just connected gets to send its first byte.
    private static let firstByteTime = TimeAmount.milliseconds(250)

    /// Whether a request has begun that is not answered.
    var hasRequestInHand: Bool {
        switch phase {
        case .ready: hasStartedHead || hasMore
        case .receiving, .holding, .waiting: true
        case .draining, .lingering, .closed: false
        }
    }

    /// Whether it has had a request, and none has begun since, as far as was read.
    var isIdle: Bool { phase == .ready && hasHadRequest && !hasStartedHead && !hasBegunNext && ahead.isEmpty }

    /// Whether something of a further request is here already.
    var hasMore: Bool {
        !ahead.isEmpty || hasBegunNext || channelContext?.channel.hasUnreadBytes ?? false
    }

    /// Whether the head of a further request waits behind what is left of this one.
    var holdsNextHead: Bool { ahead.hasHead }

    /// Waits for a request; one that has begun to come is read on.
    func awaitRequest() {
        phase = .ready
        droppedBytes = 0
        dropEnd = nil
        if hasBegunNext {
            hasBegunNext = false
            startHead()
        } else {
            setDeadline(in: loop.context.settings.idleTimeout)
        }
        if loop.isEnding { closeIfIdle() }
    }

    /// Closes it where no byte of a request has come; a client that has just connected is given a moment.
    func closeIfIdle() {
        guard phase == .ready, !hasRequestInHand else { return }
        if !hasHadRequest, openedAt + Self.firstByteTime > .now() { return }
        // The parser keeps the start of a head that came with the end of the last request, and tells it only at an end.
        isProbing = true
        if let parser = try? channelContext?.pipeline.syncOperations.context(handler: decoder) {
            decoder.userInboundEventTriggered(context: parser, event: ChannelEvent.inputClosed)
        }
        isProbing = false
        if phase == .ready { closeNow() }
    }

    /// Every answer is the last of its connection, as the loop says.
    func prepareToStop() {}

    /// The time is over for what is not complete.
    func refuseRest() {
        switch phase {
        case .ready where hasRequestInHand, .receiving: refuse(.stopping)
        case .holding: refuseHeld(.stopping)
        case .ready, .draining: closeNow()
        case .waiting, .lingering, .closed: break
        }
    }
}
