import Basics
import NIOCore
import Pipeline
import TLS

/// One client's connection, as its event loop sees it.
///
/// Only used on that event loop.
protocol ReceiverConnection: AnyObject {
    var loop: ReceiverLoop { get }
    /// The other end, and how it counts.
    var client: Client { get set }
    /// When `expire()` is due.
    var deadline: NIODeadline { get }
    /// Whether a request has begun that is not answered.
    var hasRequestInHand: Bool { get }
    /// Whether none of its requests is open, as far as was read, and it has had its time for the first.
    var isIdle: Bool { get }
    /// What the heads of its open requests hold of the memory budget, for the client's address.
    var headBytes: Int { get }

    /// The deadline has passed.
    func expire()
    /// Ends bodies that stopped coming, so that what they hold goes to others.
    func refuseIfStalled(at now: NIODeadline)
    /// The connection is one too many: it is told so, and closed.
    func refuseConnection(_ refusal: HTTPError)
    /// The process is told to stop: the client is to connect again for its next request.
    func prepareToStop()
    /// Closes it where no request has begun; a client that has just connected is given a moment.
    func closeIfIdle()
    /// The time is over for what is not complete.
    func refuseRest()
    func closeNow()
}

/// Waits for the pipelines' answer to a request.
protocol AnswerTaker: AnyObject {
    /// Names its request in the intake; nil while it has none there.
    var ticket: UInt64? { get set }

    /// Called once, on the event loop of the request.
    func settled(_ reply: IntakeAnswer)
}

/// Who is at the other end of a connection, and how that one counts.
struct Client {
    /// Where it connects from; what a load balancer says, where the connection is one's.
    var address = ClientAddress(ip: nil)
    /// Whether a load balancer has yet to say who it is.
    var isUnknown = false
    /// Whether it is known, and counts.
    var isMet = false
    /// Who its certificate names; nil unless the receiver asks for certificates.
    var certificate: String?
    /// What is answered on a connection that is not taken, before it is closed.
    var refusal: HTTPError?
    /// What counts in the limits of its client; nil without limits.
    var counted: UsageTable.Connection?
    /// Where it counts.
    var limits: SenderLimits?
    /// What its client holds; nil before a request.
    var memory: MemoryHolder?
}

extension ReceiverConnection {
    var headBytes: Int { 0 }

    /// The address of the other end.
    var peer: SourceAddress { client.address.source }
    /// Who the client's certificate names.
    var peerIdentity: String? { client.certificate }

    /// The connection is open.
    func begin(_ channel: any Channel) {
        client.address = ClientAddress(channel.remoteAddress)
        if !client.isUnknown { meet(client.address) }
    }

    /// It is known who the client is.
    func meet(_ address: ClientAddress) {
        client.address = address
        (client.isUnknown, client.isMet) = (false, true)
        enterLimits()
        // Nothing can be said before TLS is ready for it.
        if loop.context.tls == nil { refuseIfNeeded() }
    }

    /// The handshake is done.
    func meet(_ peer: TLSPeer) {
        client.certificate = peer.identity
        refuseIfNeeded()
    }

    private func refuseIfNeeded() {
        if let refusal = client.refusal { refuseConnection(refusal) }
    }

    private func enterLimits() {
        guard client.refusal == nil, let limits = loop.context.limits else { return }
        guard let counted = limits.open(from: peer) else { return closeNow() }
        (client.counted, client.limits) = (counted, limits)
        if counted.isRefused { client.refusal = limits.tooManyConnections }
    }

    /// The connection is gone.
    func leaveLimits() {
        if let counted = client.counted { client.limits?.close(counted) }
        (client.counted, client.limits) = (nil, nil)
    }

    /// Who sends a request: by its identity, else by the address.
    func sender(_ identity: Identity?) -> Sender { identity.map { .identity($0.name) } ?? .address(peer) }

    /// What the client of a request holds in memory, kept with the connection.
    ///
    /// Throws where memory is short, and the client holds more of it than others.
    @discardableResult
    func checkShare(of identity: Identity?, adding bytes: Int) throws(HTTPError) -> MemoryHolder {
        let sender = sender(identity)
        let memory = client.memory?.sender == sender ? client.memory : nil
        let holder = memory ?? loop.context.memory.holder(of: sender)
        client.memory = holder
        let own = sender == .address(peer) ? headBytes : 0
        guard holder.isOverShare(adding: bytes, besides: own) else { return holder }
        loop.context.memory.noteShortage()
        throw .overShare(holder)
    }

    /// Counts the connection by who uses it; throws where that one has too many.
    func moveConnection(to identity: Identity?) throws(HTTPError) {
        let limits = loop.context.limits
        if limits !== client.limits { try countAnew(in: limits) }
        guard let limits, let counted = client.counted else { return }
        client.counted = try limits.move(counted, to: sender(identity))
    }

    /// Counts the connection in limits that were set since it was opened.
    private func countAnew(in limits: SenderLimits?) throws(HTTPError) {
        leaveLimits()
        guard let limits else { return }
        guard let counted = limits.open(from: peer) else { throw limits.tooManyConnections }
        (client.counted, client.limits) = (counted, limits)
        if counted.isRefused {
            leaveLimits()
            throw limits.tooManyConnections
        }
    }

    /// Counts a request whose body is not read yet; throws where its client uses as much as it may.
    func admit(_ identity: Identity?, needing bytes: Int) throws(HTTPError) -> BodyInFlight? {
        try loop.context.limits?.admit(bytes, from: sender(identity)) ?? nil
    }
}

extension HTTPError {
    /// The connection is one too many.
    static func tooManyConnections(max: Int) -> HTTPError {
        let message = "too many connections; at most \(max) are allowed"
        return HTTPError(.serviceUnavailable, message, retryAfter: .seconds(1))
    }
}
