import Basics
import NIOCore
import NIOHPACK
import NIOHTTP2
import OTLP
import Pipeline

/// One call: takes its message and answers it.
///
/// Only used on the event loop of its connection.
final class GRPCStream: ChannelDuplexHandler, AnswerTaker, RoomSeeker {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// Where the call stands.
    enum Phase {
        /// Its head has not come.
        case ready
        /// Its message is coming.
        case receiving
        /// Its message has begun, and is not read before there is room for it.
        case holding
        /// The request is in the intake.
        case waiting
        /// Nothing more is taken.
        case answered
    }

    private(set) var phase = Phase.ready
    /// When `expire()` is due.
    private(set) var deadline = NIODeadline.distantFuture
    let loop: ReceiverLoop
    let observer: LoopObserver
    var roomWait: RoomWait?

    private let connection: GRPCConnection
    private var context: ChannelHandlerContext?
    private var head: GRPCHead?
    private var identity: Identity?
    private var message = GRPCMessage()
    /// When the client gives up.
    private var clientDeadline = NIODeadline.distantFuture
    /// What came while the call waits for room; the stream's window bounds it.
    private var early: (bytes: [ByteBuffer], isEnd: Bool) = ([], false)
    /// Whether the client has sent its last byte.
    private var hasEnded = false
    private var hasPendingRead = false
    /// What the call itself holds, its head above all.
    private let room: Reservation
    /// What `early` is paid with.
    private var earlyRoom: Reservation?

    /// How long an answer may wait for a client that does not read it.
    private static let lingerTimeout = TimeAmount.seconds(10)

    private let id: HTTP2StreamID

    /// Must be called on the connection's event loop.
    init(_ id: HTTP2StreamID, of connection: GRPCConnection) {
        self.id = id
        self.connection = connection
        loop = connection.loop
        observer = connection.observer
        room = Reservation(loop.context.memory)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        connection.add(self, id)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        phase = .answered
        roomWait = nil
        (early, earlyRoom) = (([], false), nil)
        message = GRPCMessage()
        room.shrink(to: 0)
        self.context = nil
        connection.remove(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .answered
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let headers) where phase == .ready:
            hasEnded = headers.endStream
            begin(headers.headers)
            if hasEnded { end() }
        case .headers(let headers) where headers.endStream: end()
        case .data(let data):
            if case .byteBuffer(let bytes) = data.data { take(bytes) }
            if data.endStream { end() }
        default: break
        }
    }

    func read(context: ChannelHandlerContext) {
        if phase == .holding { hasPendingRead = true } else { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The client gives the call up, or breaks the rules of the stream, which HTTP/2 resets.
        phase = .answered
        context.close(promise: nil)
    }

    // MARK: Request

    /// Decides by the head, and answers or makes ready for the message.
    private func begin(_ fields: HPACKHeaders) {
        guard !connection.isOverMax else { return turnAway() }
        let context = loop.context
        let headers = RequestHeaders(fields, keeping: context.keptHeaders)
        guard fields.first(name: ":method") == "POST", GRPCHead.isGRPC(headers.contentType) else {
            return refuseNotGRPC()
        }
        setDeadline(in: context.settings.bodyTimeout)
        phase = .receiving
        do throws(HTTPError) {
            if let refusal = connection.client.refusal { throw refusal }
            guard room.grow(to: fields.callBytes) else { throw .noMemory }
            if GRPCMethod(path: fields.first(name: ":path") ?? "") != .health { try identify(fields, headers) }
            let head = try GRPCHead(fields, headers, taking: context.intake.signals)
            self.head = head
            if head.method == .health { return }
            try headers.checkForwarded(context.settings.forwardHeaders)
            if let timeout = head.timeout {
                clientDeadline = .now() + timeout
                deadline = min(deadline, clientDeadline)
            }
            if loop.isRefusing { throw .stopping }
            try connection.moveConnection(to: identity)
        } catch {
            refuse(error)
        }
    }

    /// Tells who sends, and whether that one may ask for what it asks for.
    private func identify(_ fields: HPACKHeaders, _ headers: RequestHeaders) throws(HTTPError) {
        let context = loop.context
        identity = try context.access.identify(
            headers.authorization,
            certificate: connection.peerIdentity,
            from: connection.peer
        )
        guard context.experiments.concerns(identity),
            let refusal = context.experiments.refusal(fields[ExperimentList.headerName], of: identity)
        else { return }
        context.access.note(.header, from: connection.peer, of: identity)
        throw refusal
    }

    /// Takes bytes of the message.
    private func take(_ bytes: ByteBuffer) {
        guard phase == .receiving else {
            if phase == .holding { early.bytes.append(bytes) }
            return
        }
        var bytes = bytes
        do throws(HTTPError) {
            if !message.hasBegun {
                guard let prefix = try message.prefix(&bytes) else { return }
                guard try !waitsForRoom(prefix) else {
                    if bytes.readableBytes > 0 { early.bytes.append(bytes) }
                    return
                }
                try open(prefix)
            }
            try message.append(bytes)
        } catch {
            refuse(error)
        }
    }

    /// Whether the message is not read before there is room for it.
    private func waitsForRoom(_ prefix: GRPCPrefix) throws(HTTPError) -> Bool {
        guard prefix.count <= bodyMax.bytes else { throw .tooLarge(bodyMax) }
        if head?.method == .health { return false }
        message.inFlight = try connection.admit(identity, needing: prefix.count)
        let holder = try connection.checkShare(of: identity, adding: prefix.count)
        message.holder = holder
        guard try waitsForRoom(prefix.count, of: holder) else { return false }
        let earlyRoom = Reservation(loop.context.memory)
        guard earlyRoom.grow(to: min(prefix.count, GRPCConnection.streamWindow), isAhead: true) else {
            roomWait = nil
            throw .noMemory
        }
        self.earlyRoom = earlyRoom
        phase = .holding
        deadline = clientDeadline
        return true
    }

    /// The longest message.
    private var bodyMax: ByteCount {
        head?.method == .health ? GRPCHealth.requestMax : loop.context.settings.maxBody
    }

    /// Makes ready for the message.
    private func open(_ prefix: GRPCPrefix) throws(HTTPError) {
        let context = loop.context
        let coding = head?.coding
        if prefix.isCompressed, coding == nil {
            throw HTTPError(.badRequest, "the message's compressed flag is set, and grpc-encoding names no compression")
        }
        message.body = try BodyCollector(
            codings: prefix.isCompressed ? [coding].compactMap { $0 } : [],
            announced: prefix.count,
            limit: min(bodyMax, context.memory.limit),
            room: BodyRoom(
                reservation: Reservation(context.memory, of: message.holder),
                inFlight: message.inFlight
            )
        )
    }

    /// The client has sent its last byte.
    private func end() {
        hasEnded = true
        switch phase {
        case .receiving: complete()
        case .holding: early.isEnd = true
        case .ready, .waiting, .answered: break
        }
    }

    /// The message is complete: hands the request on.
    private func complete() {
        guard let head else { return }
        do throws(HTTPError) {
            let (body, room) = try message.finish()
            guard let signal = head.method.signal else {
                let signals = loop.context.intake.signals
                return answer(GRPCHealth.check(body, of: signals, isServing: !loop.isStopping))
            }
            guard !body.isEmpty else { return answer(GRPCAnswer(.success, of: signal)) }
            if loop.isRefusing { throw .stopping }
            let source = RequestSource(
                receiver: loop.context.name,
                headers: head.headers.kept,
                identity: identity,
                client: head.headers.userAgent,
                address: connection.peer
            )
            let request = IncomingRequest(
                signal: signal,
                encoding: .protobuf,
                body: body,
                source: source,
                memory: room.reservation
            )
            phase = .waiting
            deadline = clientDeadline
            if let reply = loop.submit(request, of: self, holding: room, observer: observer) { settled(reply) }
        } catch {
            refuse(error)
        }
    }

    // MARK: Room

    /// What the stream's window lets the client send while the call waits.
    var bytesAhead: Int { earlyRoom?.bytes ?? 0 }

    func takeRoom() {
        guard phase == .holding, let prefix = message.opened else { return }
        phase = .receiving
        setDeadline(in: loop.context.settings.bodyTimeout)
        let (bytes, isEnd) = early
        (early, earlyRoom) = (([], false), nil)
        do throws(HTTPError) { try open(prefix) } catch { return refuse(error) }
        for part in bytes { take(part) }
        if isEnd { end() }
    }

    func refuseHeld(_ refusal: HTTPError) {
        guard phase == .holding else { return }
        roomWait = nil
        refuse(refusal)
    }

    func resume() {
        guard hasPendingRead, phase != .holding else { return }
        hasPendingRead = false
        context?.read()
    }

    // MARK: Answer

    /// The pipelines' answer.
    func settled(_ reply: IntakeAnswer) {
        guard phase == .waiting else { return }
        answer(GRPCAnswer(Answer(reply), of: head?.method.signal))
    }

    /// Refuses what is not answered yet.
    func refuse(_ refusal: HTTPError) {
        answer(GRPCAnswer(.failure(refusal), of: head?.method.signal))
    }

    private func answer(_ answer: GRPCAnswer) {
        guard phase != .answered else { return }
        phase = .answered
        (early, earlyRoom) = (([], false), nil)
        message = GRPCMessage()
        loop.count(.grpc(answer.code), head?.method.signal)
        if let message = answer.message {
            write(.headers(.init(headers: GRPCAnswer.head)))
            write(.data(.init(data: .byteBuffer(answer.framed(message)))))
        }
        write(.headers(.init(headers: answer.trailers, endStream: true)))
        finish()
    }

    /// A request that is not gRPC is answered in HTTP (gRPC over HTTP/2, "Responses").
    private func refuseNotGRPC() {
        phase = .answered
        loop.count(.http(.unsupportedMediaType), nil)
        let (headers, text) = GRPCAnswer.notGRPC
        write(.headers(.init(headers: headers)))
        write(.data(.init(data: .byteBuffer(text), endStream: true)))
        finish()
    }

    /// Nothing is done about the call, which the client may begin again at once (RFC 9113 section 8.7).
    private func turnAway() {
        phase = .answered
        write(.rstStream(.refusedStream))
        context?.flush()
    }

    private func write(_ payload: HTTP2Frame.FramePayload) {
        context?.write(wrapOutboundOut(payload), promise: nil)
    }

    /// Sends the answer, and tells a client that still sends that nobody reads it (RFC 9113 section 8.1).
    private func finish() {
        deadline = .now() + min(Self.lingerTimeout, TimeAmount(loop.context.settings.bodyTimeout))
        context?.flush()
        if !hasEnded {
            write(.rstStream(.noError))
            context?.flush()
        }
        resume()
    }

    // MARK: Time

    private func setDeadline(in duration: Duration) {
        deadline = min(clientDeadline, .now() + TimeAmount(duration))
    }

    /// Whether it is not answered.
    var isOpen: Bool { phase != .answered }

    /// The deadline has passed.
    func expire(at now: NIODeadline) {
        guard deadline <= now else { return }
        guard isOpen else {
            // The client opens no window for its answer.
            context?.close(promise: nil)
            return
        }
        if clientDeadline <= now {
            return refuse(HTTPError(.requestTimeout, "the call's deadline passed before it was answered"))
        }
        refuse(
            HTTPError(.serviceUnavailable, "the request's body did not come in time", retryAfter: .seconds(1))
        )
    }

    /// Ends a message that stopped coming, so that what it holds goes to others.
    func refuseIfStalled(at now: NIODeadline) {
        guard phase == .receiving, message.body?.isStalled(at: now) == true else { return }
        refuse(.stalled)
    }

    /// The time is over for what is not complete.
    func refuseRest() {
        switch phase {
        case .receiving: refuse(.stopping)
        case .holding: refuseHeld(.stopping)
        case .ready, .waiting, .answered: break
        }
    }
}
