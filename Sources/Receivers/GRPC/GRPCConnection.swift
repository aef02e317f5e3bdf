import Basics
import Logging
import NIOCore
import NIOHTTP2
import Pipeline
import TLS

/// One client's connection over HTTP/2: its calls, and when it ends.
///
/// NIO's connection management stands before it and does what a graceful end needs: GOAWAY, a ping, GOAWAY again, and closing
/// behind the last call. What that waits for without end, a client that does not answer the ping, ends here.
final class GRPCConnection: ChannelDuplexHandler, ReceiverConnection {
    typealias InboundIn = HTTP2Frame
    typealias OutboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// Where the connection stands.
    enum Phase {
        /// Its first bytes have not come.
        case opening
        case open
        /// It was told that it speaks the wrong protocol; what comes is dropped until the client closes.
        case lingering
        case closed
    }

    /// Bytes that a client may send ahead of what is read of one call.
    static let streamWindow = 262_144
    /// The same for a whole connection.
    static let connectionWindow = 1 << 20
    /// How long a client that has just connected gets to begin a call.
    private static let firstCallTime = TimeAmount.milliseconds(250)
    /// How long a client may take to answer the ping of a graceful end, and to close after its last answer.
    private static let farewellTime = TimeAmount.seconds(2)

    let observer: LoopObserver
    let loop: ReceiverLoop
    var client: Client
    private(set) var phase = Phase.opening

    private let settings: OTLPGRPCReceiverSettings
    private var context: ChannelHandlerContext?
    private var streams: [ObjectIdentifier: GRPCStream] = [:]
    /// The highest that came.
    private var lastStream = HTTP2StreamID.rootStream
    /// When a connection without calls is to be closed.
    private var ownDeadline: NIODeadline
    private let openedAt = NIODeadline.now()
    /// When it was told to end; nil before.
    private var endsSince: NIODeadline?
    private var isInputClosed = false
    private var hasPendingRead = false
    private var strain = GRPCStrain()

    /// Must be called on the observer's event loop.
    init(_ observer: LoopObserver, _ settings: OTLPGRPCReceiverSettings, client: Client = Client()) {
        self.observer = observer
        self.settings = settings
        self.client = client
        loop = observer.loop.value
        ownDeadline = .now() + TimeAmount(settings.common.headerTimeout)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.add(self)
        if context.channel.isActive { begin(context.channel) }
    }

    func channelActive(context: ChannelHandlerContext) {
        if phase == .opening { begin(context.channel) }
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        phase = .closed
        leaveLimits()
        self.context = nil
        loop.remove(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Frames of calls go to their streams.
        switch unwrapInboundIn(data).payload {
        case .ping(_, ack: true), .settings(.ack): break
        default: bear(1)
        }
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
        switch error {
        case is NIOHTTP2Errors.ExcessiveRSTFrames, is NIOHTTP2Errors.ExcessiveEmptyDataFrames,
            is NIOHTTP2Errors.ExcessivelyLargeHeaderBlock, is NIOHTTP2Errors.ExcessiveContinuationFrames,
            is NIOHTTP2Errors.ExcessiveOutboundFrameBuffering, is NIOHTTP2Errors.ExcessiveNumberOfGlitches,
            is NIOHTTP2Errors.ExcessiveStreamErrors:
            noteStrain("\(error)")
            closeNow()
        // An error of one call, or one after which HTTP/2 has said that the connection ends.
        case is any NIOHTTP2Error where !(error is NIOHTTP2Errors.UnableToParseFrame): bear(GRPCStrain.error)
        default: closeNow()
        }
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
    func open() {
        guard phase == .opening else { return }
        phase = .open
        restIdle()
    }

    /// A call has begun.
    func add(_ stream: GRPCStream, _ id: HTTP2StreamID) {
        streams[ObjectIdentifier(stream)] = stream
        lastStream = max(lastStream, id)
        strain.relieve()
    }

    /// A call is over.
    func remove(_ stream: GRPCStream) {
        streams[ObjectIdentifier(stream)] = nil
        // A client must not begin calls that are not answered: those that it has begun are.
        if loop.isStopping || client.refusal != nil { endGracefully() }
        guard streams.isEmpty else { return }
        if isInputClosed { return closeNow() }
        restIdle()
    }

    private var hasHadRequest: Bool { lastStream != .rootStream }

    private func restIdle() {
        let time = client.refusal == nil ? TimeAmount(settings.common.idleTimeout) : .zero
        ownDeadline = .now() + time + Self.farewellTime
    }

    // MARK: Time and end

    var deadline: NIODeadline {
        streams.isEmpty ? ownDeadline : streams.values.reduce(.distantFuture) { min($0, $1.deadline) }
    }

    var hasRequestInHand: Bool { streams.values.contains(where: \.isOpen) }

    var isIdle: Bool { phase == .open && hasHadRequest && streams.isEmpty }

    func expire() {
        let now = NIODeadline.now()
        for stream in Array(streams.values) { stream.expire(at: now) }
        if streams.isEmpty, ownDeadline <= now { closeNow() }
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
        guard streams.isEmpty, phase != .closed else { return }
        guard phase == .open else { return closeNow() }
        let now = NIODeadline.now()
        if !hasHadRequest, openedAt + Self.firstCallTime > now { return }
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
        context?.close(promise: nil)
    }

    /// Tells the client that it is to begin no more calls here, and closes behind those that it has begun.
    private func endGracefully() {
        guard phase == .open, endsSince == nil else { return }
        endsSince = .now()
        context?.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }

    /// Tells the client that no call after the last that came is answered, and why.
    private func say(_ reason: HTTP2ErrorCode) {
        let frame = HTTP2Frame(
            streamID: .rootStream,
            payload: .goAway(lastStreamID: lastStream, errorCode: reason, opaqueData: nil)
        )
        context?.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    /// The client spoke another protocol and was told so.
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
            "a client's HTTP/2 connection is closed for work that no call is made of",
            metadata: [
                "receiver": "\(loop.context.name)", "client": "\(client.address)",
                "reason": "\(what.excerpt(max: 120))",
            ]
        )
    }
}

/// How much work a connection may cause besides calls: pings, settings, errors and the like.
///
/// A thousand at once, fifty a second, and ten more for each call: clients that measure the line ping once a call.
struct GRPCStrain {
    /// What an error counts.
    static let error = 50
    private static let most = 1000
    private static let eachCall = 10
    private static let eachSecond = 50

    private var left = most
    private var lookedAt = NIODeadline.now()

    /// A call has begun.
    mutating func relieve() {
        left = min(Self.most, left + Self.eachCall)
    }

    /// Whether so much more may be.
    mutating func bears(_ amount: Int, at now: NIODeadline) -> Bool {
        let seconds = (now - lookedAt).nanoseconds / 1_000_000_000
        if seconds > 0 {
            left = min(Self.most, left + Int(min(seconds, 60)) * Self.eachSecond)
            lookedAt = now
        }
        left -= amount
        return left >= 0
    }
}
