import Basics
import Logging
import NIOCore
import NIOHTTP2
import Pipeline
import TLS

/// One client's connection over HTTP/2: its requests, of gRPC and of OTLP over HTTP, and when it ends.
///
/// It ends as RFC 9113 section 6.8 has it: a GOAWAY that names no call, a ping whose answer shows that the client begins no more
/// calls, and behind the last one a GOAWAY that names it. NIO's own management of connections says the first one through the state
/// machine of HTTP/2, which then refuses the calls that cross it on the way; here it goes past that.
final class HTTP2Connection: ChannelDuplexHandler, ReceiverConnection {
    typealias InboundIn = HTTP2Frame
    typealias OutboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// Where the connection stands.
    enum Phase {
        /// Its first bytes have not come.
        case opening
        case open
        /// Everything is said; what comes is dropped until the client closes.
        case lingering
        case closed
    }

    /// Bytes that a client may send ahead of what is read of one call.
    static let streamWindow = 262_144
    /// The same for a whole connection.
    static let connectionWindow = 1 << 20
    /// The longest head that is refused by itself, in bytes of names and values and 32 for each; a longer one ends the connection.
    static let headBytesMax = 4 * RequestDecoder.headBytesMax
    /// How long a client that is told that the connection ends may begin calls.
    static let ageGrace = TimeAmount.seconds(10)
    /// How long a client that has just connected gets to begin a call.
    private static let firstCallTime = TimeAmount.milliseconds(250)
    /// How long a client may take to answer the ping of a graceful end, and to close after its last answer.
    private static let farewellTime = TimeAmount.seconds(2)
    /// How long a client may take to answer a ping that asks whether it is there.
    private static let answerTime = TimeAmount.seconds(20)
    /// What the ping of a graceful end carries, and what one that asks whether the client is there.
    private static let (lastPing, askingPing) = (HTTP2PingData(withInteger: 2), HTTP2PingData(withInteger: 1))

    let observer: LoopObserver
    let loop: ReceiverLoop
    /// What its requests may speak.
    let speakers: HTTP2Speakers
    var client: Client
    private(set) var phase = Phase.opening

    private let settings: ReceptionSettings
    private var context: ChannelHandlerContext?
    private var streams: [ObjectIdentifier: HTTP2Stream] = [:]
    /// The highest that came.
    private var lastStream = HTTP2StreamID.rootStream
    /// When a connection without calls is to be closed.
    private var ownDeadline: NIODeadline
    private let openedAt = NIODeadline.now()
    /// When it is too old.
    private let ageDeadline: NIODeadline
    /// When its client was told that it ends; nil before.
    private var endsSince: NIODeadline?
    /// Whether the client has shown that it knows.
    private var isEndKnown = false
    /// When something came last, and when it was asked for after that.
    private var (heardAt, askedAt) = (NIODeadline.now(), NIODeadline?.none)
    /// Says the first GOAWAY; set once HTTP/2 is spoken.
    private var farewell: HTTP2Farewell?
    private var isInputClosed = false
    private var hasPendingRead = false
    private var strain = HTTP2Strain()
    /// What the heads of its open requests hold.
    var headBytes = 0
    /// Whether HTTP/2 has told the client that the connection ends by its fault.
    var hasFailed = false

    /// Must be called on the observer's event loop.
    ///
    /// - Parameters:
    ///   - observer: The event loop's share of the receiver whose connection it is.
    ///   - speakers: What its requests may speak.
    ///   - client: What is known of the other end.
    init(_ observer: LoopObserver, speakers: HTTP2Speakers, client: Client = Client()) {
        self.observer = observer
        self.speakers = speakers
        self.client = client
        loop = observer.loop.value
        settings = loop.context.settings
        ownDeadline = .now() + TimeAmount(settings.headerTimeout)
        ageDeadline = settings.maxAge.map { .now() + TimeAmount($0) } ?? .distantFuture
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.add(self)
        if context.channel.isActive, !client.isMet { begin(context.channel) }
    }

    func channelActive(context: ChannelHandlerContext) {
        if phase == .opening { begin(context.channel) }
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        phase = .closed
        leaveLimits()
        (self.context, farewell) = (nil, nil)
        loop.remove(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Frames of calls go to their streams.
        switch unwrapInboundIn(data).payload {
        case .ping(Self.lastPing, ack: true) where endsSince != nil:
            isEndKnown = true
            if streams.isEmpty { hangUp() }
        case .ping(_, ack: true), .settings(.ack): break
        default: bear(1)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        (heardAt, askedAt) = (.now(), nil)
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let tls = event as? TLSPeer { meet(tls) }
        if let address = event as? ClientAddress { meet(address) }
        if case ChannelEvent.inputClosed = event {
            isInputClosed = true
            if streams.isEmpty { closeNow() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard phase != .lingering else { return }
        guard error is any NIOHTTP2Error else { return closeNow() }
        // An error of one call, or one by which HTTP/2 ends the connection and goes on reading it.
        guard hasFailed else { return bear(HTTP2Strain.error) }
        noteStrain("\(error)")
        phase = .closed
        closeBehindRead()
    }

    func read(context: ChannelHandlerContext) {
        // Who does not read its answers is not read.
        if context.channel.isWritable { context.read() } else { hasPendingRead = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, hasPendingRead {
            hasPendingRead = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Calls

    /// It speaks HTTP/2.
    func open(_ farewell: HTTP2Farewell) {
        guard phase == .opening else { return }
        phase = .open
        self.farewell = farewell
        restIdle()
    }

    /// A call has begun.
    func add(_ stream: HTTP2Stream, _ id: HTTP2StreamID) {
        streams[ObjectIdentifier(stream)] = stream
        lastStream = max(lastStream, id)
        strain.relieve()
    }

    /// A call is over.
    func remove(_ stream: HTTP2Stream) {
        streams[ObjectIdentifier(stream)] = nil
        // A client must not begin calls that are not answered: those that it has begun are.
        if loop.isStopping || client.refusal != nil { endGracefully() }
        guard streams.isEmpty else { return }
        if isInputClosed { return closeNow() }
        if isEndKnown || isGraceOver { return hangUp() }
        restIdle()
    }

    /// Whether more calls are open than may be, as clients begin that do not know of the limit yet; or whether the client begins calls
    /// long after it was told that the connection ends.
    var isOverMax: Bool { streams.count > settings.maxStreams || isGraceOver }

    private var isGraceOver: Bool { endsSince.map { $0 + Self.ageGrace <= .now() } ?? false }

    /// The client does what it was told not to do.
    func bearExcess() { bear(HTTP2Strain.excess) }

    private var hasHadRequest: Bool { lastStream != .rootStream }

    private func restIdle() {
        let isEnding = client.refusal != nil || endsSince != nil
        ownDeadline = .now() + (isEnding ? Self.farewellTime : TimeAmount(settings.idleTimeout))
    }

    /// When it is to be asked whether the client is there, or to be given up for want of an answer.
    private var askDeadline: NIODeadline {
        guard phase == .open, let pause = settings.keepalive else { return .distantFuture }
        return askedAt.map { $0 + Self.answerTime } ?? heardAt + TimeAmount(pause)
    }

    // MARK: Time and end

    var deadline: NIODeadline {
        let next = streams.isEmpty ? ownDeadline : streams.values.reduce(.distantFuture) { min($0, $1.deadline) }
        return min(next, askDeadline, endsSince == nil ? ageDeadline : .distantFuture)
    }

    var hasRequestInHand: Bool { streams.values.contains(where: \.isOpen) }

    /// One that has just come has a moment for its first request.
    var isIdle: Bool {
        phase == .open && streams.isEmpty && (hasHadRequest || openedAt + Self.firstCallTime <= .now())
    }

    func expire() {
        let now = NIODeadline.now()
        for stream in Array(streams.values) { stream.expire(at: now) }
        let isDue = streams.isEmpty && ownDeadline <= now
        if isDue, phase != .open || endsSince != nil { return closeNow() }
        if isDue || ageDeadline <= now { endGracefully() }
        if askDeadline <= now { ask(at: now) }
    }

    private func ask(at now: NIODeadline) {
        if askedAt != nil { return closeNow() }
        askedAt = now
        send(.ping(Self.askingPing, ack: false))
    }

    func refuseIfStalled(at now: NIODeadline) {
        for stream in Array(streams.values) { stream.refuseIfStalled(at: now) }
    }

    /// Its calls are answered with the refusal, and it ends behind the first.
    func refuseConnection(_ refusal: HTTPError) {
        client.refusal = refusal
    }

    func prepareToStop() {
        if hasHadRequest { endGracefully() }
    }

    func closeIfIdle() {
        guard streams.isEmpty, phase == .opening || phase == .open else { return }
        let now = NIODeadline.now()
        if !hasHadRequest, openedAt + Self.firstCallTime > now { return }
        guard phase == .open else { return closeNow() }
        guard let endsSince else { return endGracefully() }
        if endsSince + Self.farewellTime < now { closeNow() }
    }

    func refuseRest() {
        for stream in Array(streams.values) { stream.refuseRest() }
        if !hasRequestInHand { closeNow() }
    }

    func closeNow() {
        guard phase != .closed else { return }
        if phase == .open { say(.noError) }
        phase = .closed
        closeBehindRead()
    }

    /// Closes once everything that was read is gone through: NIO's HTTP/2 stays in memory, with all that it holds of the connection,
    /// where its channel is closed while it hands frames out.
    private func closeBehindRead() {
        guard let channel = context?.channel else { return }
        channel.eventLoop.execute { channel.close(promise: nil) }
    }

    /// Tells the client that it is to begin no more calls here, and closes behind those that it has begun.
    private func endGracefully() {
        guard phase == .open, endsSince == nil else { return }
        endsSince = .now()
        farewell?.say()
        send(.ping(Self.lastPing, ack: false))
        restIdle()
    }

    /// Every call is answered: says so, and waits for the client to close.
    private func hangUp() {
        guard phase == .open else { return }
        say(.noError)
        context?.close(mode: .output, promise: nil)
        linger()
    }

    /// Tells the client that no call after the last that came is answered, and why.
    private func say(_ reason: HTTP2ErrorCode) {
        send(.goAway(lastStreamID: lastStream, errorCode: reason, opaqueData: nil))
    }

    private func send(_ payload: HTTP2Frame.FramePayload) {
        context?.writeAndFlush(wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: payload)), promise: nil)
    }

    /// Everything is said to the client, who is to close.
    func linger() {
        phase = .lingering
        ownDeadline = .now() + Self.farewellTime
        if isInputClosed { closeNow() }
    }

    // MARK: Abuse

    /// The client causes work that no call is made of.
    private func bear(_ amount: Int) {
        guard phase == .open, !strain.bears(amount, at: .now()) else { return }
        noteStrain("too many frames besides those of calls")
        say(.enhanceYourCalm)
        closeNow()
    }

    private func noteStrain(_ what: String) {
        guard loop.context.notices.isNew("strain", from: peer) else { return }
        loop.context.logger.warning(
            "a client's HTTP/2 connection is closed for what no call is made of",
            metadata: [
                "receiver": "\(loop.context.name)", "client": "\(client.address)",
                "reason": "\(what.excerpt(max: 120))",
            ]
        )
    }
}
