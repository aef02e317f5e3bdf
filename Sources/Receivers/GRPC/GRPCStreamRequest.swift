import Basics
import NIOCore
import NIOHPACK
import OTLP
import Pipeline

/// A call: an export or a health check over gRPC.
///
/// Only used on the event loop of its connection.
final class GRPCStreamRequest: StreamRequest {
    let observer: LoopObserver
    private let connection: HTTP2Connection
    private let fields: HPACKHeaders
    private let headers: RequestHeaders
    private let context: ConnectionContext
    private var head: GRPCHead?
    private var identity: Identity?
    private var message = GRPCMessage()
    /// What its message writes otherwise than OTLP asks.
    private var deviations = DeviationCounts()

    /// - Parameters:
    ///   - fields: Its head.
    ///   - observer: The event loop's share of the receiver that takes it.
    ///   - connection: The one that it came by.
    init(_ fields: HPACKHeaders, for observer: LoopObserver, on connection: HTTP2Connection) {
        self.fields = fields
        self.observer = observer
        self.connection = connection
        context = observer.loop.value.context
        headers = RequestHeaders(fields, keeping: context.keptHeaders)
    }

    var signal: Signal? { head?.method.signal }
    var timeout: TimeAmount? { head?.timeout }
    let slow = HTTPError(.serviceUnavailable, "the request's body did not come in time", retryAfter: .seconds(1))

    func begin() throws(HTTPError) -> StreamStep {
        if GRPCMethod(path: fields.first(name: ":path") ?? "") != .health { try identify() }
        let head = try GRPCHead(fields, headers, taking: context.intake.signals)
        self.head = head
        if head.method == .health { return .readOn }
        try headers.checkForwarded(context.settings.forwardHeaders)
        if observer.loop.value.isRefusing { throw .stopping }
        try connection.moveConnection(to: identity)
        return .readOn
    }

    /// Tells who sends, and whether that one may ask for what it asks for.
    private func identify() throws(HTTPError) {
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

    /// The longest message.
    private var bodyMax: ByteCount { head?.method == .health ? GRPCHealth.requestMax : context.settings.maxBody }

    func take(_ bytes: inout ByteBuffer) throws(HTTPError) -> StreamNeed? {
        if !message.hasBegun {
            guard let prefix = try message.prefix(&bytes) else { return nil }
            guard prefix.count <= bodyMax.bytes else { throw .tooLarge(bodyMax) }
            guard head?.method == .health else { return try need(prefix) }
            _ = try open()
        }
        try message.append(bytes)
        return nil
    }

    private func need(_ prefix: GRPCPrefix) throws(HTTPError) -> StreamNeed {
        message.inFlight = try connection.admit(identity, needing: prefix.count)
        let holder = try connection.checkShare(of: identity, adding: prefix.count)
        message.holder = holder
        return StreamNeed(bytes: prefix.count, holder: holder)
    }

    func open() throws(HTTPError) -> HPACKHeaders? {
        guard let prefix = message.opened else { return nil }
        let coding = head?.coding
        if prefix.isCompressed, coding == nil {
            throw HTTPError(.badRequest, "the message's compressed flag is set, and grpc-encoding names no compression")
        }
        if prefix.isCompressed, let head { deviations = head.deviations }
        message.body = try BodyCollector(
            codings: prefix.isCompressed ? [coding].compactMap { $0 } : [],
            announced: prefix.count,
            limit: min(bodyMax, context.memory.limit),
            room: BodyRoom(
                reservation: Reservation(context.memory, of: message.holder),
                inFlight: message.inFlight
            )
        )
        return nil
    }

    func finish() throws(HTTPError) -> StreamOutcome {
        let (body, room) = try message.finish()
        guard let signal else {
            let isServing = !observer.loop.value.isStopping
            let answer = GRPCHealth.check(body, of: context.intake.signals, isServing: isServing)
            return .reply(StreamReply(answer))
        }
        guard !body.isEmpty else { return .reply(reply(.success)) }
        let request = IncomingRequest(
            signal: signal,
            encoding: .protobuf,
            body: body,
            source: RequestSource(
                receiver: context.name,
                headers: headers.kept,
                identity: identity,
                client: headers.userAgent,
                address: connection.peer
            ),
            deviations: deviations,
            memory: room.reservation
        )
        return .request(request, room)
    }

    func isStalled(at now: NIODeadline) -> Bool { message.body?.isStalled(at: now) == true }

    func drop() {
        message = GRPCMessage()
    }

    func reply(_ answer: Answer) -> StreamReply { StreamReply(GRPCAnswer(answer, of: signal)) }

    func note(_ reply: IntakeAnswer) { observer.loop.value.note(reply, of: identity, from: connection.peer) }
}

extension StreamReply {
    /// An answer of gRPC.
    init(_ answer: GRPCAnswer) {
        guard let message = answer.message else {
            self.init(code: .grpc(answer.code), head: answer.trailers)
            return
        }
        self.init(
            code: .grpc(answer.code),
            head: GRPCAnswer.head,
            body: answer.framed(message),
            trailers: answer.trailers
        )
    }
}
