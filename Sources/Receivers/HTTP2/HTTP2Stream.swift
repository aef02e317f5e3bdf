import Basics
import NIOCore
import NIOHPACK
import NIOHTTP2
import OTLP
import Pipeline

/// One request on a connection of HTTP/2: takes its body while there is room for it, and sends its answer, whatever it speaks.
///
/// Only used on the event loop of its connection.
final class HTTP2Stream: ChannelDuplexHandler, AnswerTaker, RoomSeeker {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// Where the request stands.
    enum Phase {
        /// Its head has not come.
        case ready
        /// Its body is coming.
        case receiving
        /// Its body has begun, or may, and is not read before there is room for it.
        case holding
        /// The request is in the intake.
        case waiting
        /// Nothing more is taken.
        case answered
    }

    private(set) var phase = Phase.ready
    /// When `expire()` is due.
    private(set) var deadline = NIODeadline.distantFuture
    var roomWait: RoomWait?
    var ticket: UInt64?

    private let id: HTTP2StreamID
    private let connection: HTTP2Connection
    private var context: ChannelHandlerContext?
    /// What it is; nil before its head, and where nobody here takes it.
    private var request: (any StreamRequest)?
    /// When the client gives up.
    private var clientDeadline = NIODeadline.distantFuture
    /// What came while the request waits for room; the stream's window bounds it.
    private var early = EarlyBytes()
    /// Whether the client has sent its last byte.
    private var hasEnded = false
    private var hasPendingRead = false
    /// What the stream itself holds, its head above all; counts for the client's address, whoever asks.
    private var room: Reservation?
    /// When its head came, as long as none of its body has.
    private var bodilessSince: NIODeadline?

    /// How long the first byte of a body may take while memory is short.
    private static let firstByteTime = TimeAmount.seconds(1)
    /// How long an answer may wait for a client that does not read it.
    private static let lingerTimeout = TimeAmount.seconds(10)

    /// Must be called on the connection's event loop.
    init(_ id: HTTP2StreamID, of connection: HTTP2Connection) {
        self.id = id
        self.connection = connection
    }

    /// Of the receiver that takes the request; of the connection's before that is known.
    var loop: ReceiverLoop { observer.loop.value }
    var observer: LoopObserver { request?.observer ?? connection.observer }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        connection.add(self, id)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        phase = .answered
        roomWait = nil
        drop()
        loop.abandon(self)
        connection.headBytes -= room?.bytes ?? 0
        // The head goes with what it was charged.
        (room, request) = (nil, nil)
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
        // The client gives the request up, or breaks the rules of the stream, which HTTP/2 resets.
        phase = .answered
        context.close(promise: nil)
    }

    // MARK: Request

    /// Decides by the head, and answers or makes ready for the body.
    private func begin(_ whole: HPACKHeaders) {
        guard !connection.isOverMax else {
            turnAway()
            return connection.bearExcess()
        }
        let isTooLong = whole.listBytes > RequestDecoder.headBytesMax
        let fields = isTooLong ? whole.shortened : whole
        guard let request = connection.speakers.request(fields, hasBody: !hasEnded, on: connection) else {
            return send(connection.speakers.misplaced(fields, on: connection))
        }
        self.request = request
        phase = .receiving
        setDeadline(in: loop.context.settings.bodyTimeout)
        do throws(HTTPError) {
            if let refusal = connection.client.refusal { throw refusal }
            if isTooLong { throw .headTooLong }
            let holder = try connection.checkShare(of: nil, adding: fields.streamBytes)
            let room = Reservation(loop.context.memory, of: holder)
            guard room.grow(to: fields.streamBytes) else { throw .noMemory }
            (self.room, bodilessSince) = (room, .now())
            connection.headBytes += room.bytes
            switch try request.begin() {
            case .readOn: break
            case .needs(let need): if try !waits(for: need) { try open() }
            case .answered(let reply): return send(reply)
            }
            guard let timeout = request.timeout else { return }
            clientDeadline = .now() + timeout
            deadline = min(deadline, clientDeadline)
        } catch {
            refuse(error)
            if isTooLong { connection.bearExcess() }
        }
    }

    /// Takes bytes of the body.
    private func take(_ bytes: ByteBuffer) {
        bodilessSince = nil
        guard phase == .receiving else {
            if phase == .holding { keep(bytes) }
            return
        }
        var bytes = bytes
        do throws(HTTPError) {
            guard let need = try request?.take(&bytes) else { return }
            guard try !waits(for: need) else { return keep(bytes) }
            try open()
            _ = try request?.take(&bytes)
        } catch {
            refuse(error)
        }
    }

    /// Makes ready for the body.
    private func open() throws(HTTPError) {
        guard let interim = try request?.open() else { return }
        write(.headers(.init(headers: interim)))
        context?.flush()
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

    /// The body is complete: hands the request on.
    private func complete() {
        do throws(HTTPError) {
            switch try request?.finish() {
            case nil: break
            case .reply(let reply): send(reply)
            case .request(let request, let room):
                if loop.isRefusing { throw .stopping }
                phase = .waiting
                deadline = clientDeadline
                if let reply = loop.submit(request, of: self, holding: room, observer: observer) { settled(reply) }
            }
        } catch {
            refuse(error)
        }
    }

    // MARK: Room

    /// What the stream's window lets the client send while the request waits.
    var bytesAhead: Int { early.room?.bytes ?? 0 }

    /// Whether the body is not read before there is room for it.
    private func waits(for need: StreamNeed) throws(HTTPError) -> Bool {
        guard try waitsForRoom(need.bytes, of: need.holder) else { return false }
        early = EarlyBytes(loop.context.memory)
        phase = .holding
        deadline = clientDeadline
        return true
    }

    private func keep(_ bytes: ByteBuffer) {
        do throws(HTTPError) { try early.keep(bytes) } catch { refuseHeld(error) }
    }

    func takeRoom() {
        guard phase == .holding else { return }
        phase = .receiving
        setDeadline(in: loop.context.settings.bodyTimeout)
        let early = early
        self.early = EarlyBytes()
        early.room?.shrink(to: 0)
        do throws(HTTPError) { try open() } catch { return refuse(error) }
        take(early.bytes)
        if early.isEnd { end() }
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

    private func drop() {
        early = EarlyBytes()
        request?.drop()
    }

    // MARK: Answer

    /// The pipelines' answer.
    func settled(_ reply: IntakeAnswer) {
        guard phase == .waiting, let request else { return }
        request.note(reply)
        send(request.reply(Answer(reply)))
    }

    /// Refuses what is not answered yet.
    func refuse(_ refusal: HTTPError) {
        guard let request else { return turnAway() }
        send(request.reply(.failure(refusal)))
    }

    /// Sends the answer, and tells a client that still sends that nobody reads it (RFC 9113 section 8.1).
    private func send(_ reply: StreamReply) {
        guard phase != .answered else { return }
        phase = .answered
        drop()
        loop.count(reply.code, request?.signal)
        let frames = reply.frames
        for frame in frames.dropLast() { write(frame) }
        let isSent = hasEnded ? nil : context?.eventLoop.makePromise(of: Void.self)
        // A reset drops what the client's window keeps back.
        isSent?.futureResult.assumeIsolated().whenComplete { _ in self.resetUnread() }
        frames.last.map { write($0, isSent) }
        deadline = .now() + min(Self.lingerTimeout, TimeAmount(loop.context.settings.bodyTimeout))
        context?.flush()
        resume()
    }

    private func resetUnread() {
        guard !hasEnded else { return }
        write(.rstStream(.noError))
        context?.flush()
    }

    /// Nothing is done about the request, which the client may begin again at once (RFC 9113 section 8.7).
    private func turnAway() {
        guard phase != .answered else { return }
        phase = .answered
        write(.rstStream(.refusedStream))
        context?.flush()
    }

    private func write(_ payload: HTTP2Frame.FramePayload, _ promise: EventLoopPromise<Void>? = nil) {
        guard let context else { return promise?.fail(ChannelError.ioOnClosedChannel) ?? () }
        context.write(wrapOutboundOut(payload), promise: promise)
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
        guard isOpen, let request else {
            // The client opens no window for its answer.
            context?.close(promise: nil)
            return
        }
        if clientDeadline <= now {
            return refuse(HTTPError(.requestTimeout, "the call's deadline passed before it was answered"))
        }
        refuse(request.slow)
    }

    /// Ends a body that stopped coming, or never began, so that what it holds goes to others.
    func refuseIfStalled(at now: NIODeadline) {
        guard phase == .receiving else { return }
        let isBodiless = bodilessSince.map { $0 + Self.firstByteTime <= now } ?? false
        if isBodiless || request?.isStalled(at: now) == true { refuse(.stalled) }
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

/// What came of a body before there was room to read it, paid for from the memory budget.
private struct EarlyBytes {
    /// Copied: a frame of one byte would keep all that was read with it.
    private(set) var bytes = ByteBuffer()
    /// Whether the client's last byte is among them.
    var isEnd = false
    /// What they are paid with; nil before the wait.
    private(set) var room: Reservation?

    /// Nothing came yet.
    init() {}

    init(_ memory: MemoryBudget) {
        room = Reservation(memory)
    }

    /// Holds bytes; throws where there is no room even for them.
    mutating func keep(_ part: ByteBuffer) throws(HTTPError) {
        guard part.readableBytes > 0, let room else { return }
        let capacity = UInt32(clamping: bytes.readableBytes + part.readableBytes).nextPowerOf2
        guard room.grow(to: Int(capacity), isAhead: true) else { throw .noMemory }
        bytes.writeImmutableBuffer(part)
    }
}

extension UInt32 {
    /// The next power of two, which a growing buffer takes.
    fileprivate var nextPowerOf2: UInt32 { self <= 1 ? 1 : 1 << (UInt32.bitWidth - (self - 1).leadingZeroBitCount) }
}

extension HPACKHeaders {
    /// What a stream with this head is taken to hold: NIO's channel, and the head.
    var streamBytes: Int { reduce(4096) { $0 + $1.name.utf8.count + $1.value.utf8.count + 64 } }

    /// Its size as SETTINGS_MAX_HEADER_LIST_SIZE counts it (RFC 9113 section 6.5.2).
    fileprivate var listBytes: Int { reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 } }

    /// What tells how a request that is refused for its long head is answered.
    fileprivate var shortened: HPACKHeaders {
        let names = [":method", ":path", "content-type", "accept", "origin"]
        return HPACKHeaders(
            compactMap { name, value, _ in
                names.contains(name) && value.utf8.count <= 1024 ? (name, value) : nil
            }
        )
    }
}
