import Basics
import NIOCore
import Pipeline
import TLS

/// Who is at the other end of a connection, and how that one counts.
struct Client {
    /// Where it connects from; what a load balancer says, where the connection is one's.
    var address = ClientAddress(ip: nil)
    /// Whether a load balancer has yet to say who it is.
    var isUnknown = false
    /// Who its certificate names; nil unless the receiver asks for certificates.
    var certificate: String?
    /// What is answered on a connection that is not taken, before it is closed.
    var refusal: HTTPError?
    /// What counts in the limits of its client; nil without limits.
    var counted: UsageTable.Connection?
    /// What its client holds; nil before a request.
    var memory: MemoryHolder?
}

extension HTTPConnection {
    /// The address of the other end.
    var peer: SourceAddress { client.address.source }
    /// Who the client's certificate names.
    var peerIdentity: String? { client.certificate }

    /// The connection is open.
    func begin() {
        client.address = ClientAddress(channelContext?.channel.remoteAddress)
        if !client.isUnknown { meet(client.address) }
    }

    /// It is known who the client is.
    func meet(_ address: ClientAddress) {
        client.address = address
        client.isUnknown = false
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
        if phase != .closed, let refusal = client.refusal { refuseConnection(refusal) }
    }

    private func enterLimits() {
        guard client.refusal == nil, let limits = loop.context.limits else { return }
        guard let counted = limits.open(from: peer) else { return closeNow() }
        client.counted = counted
        if counted.isRefused { client.refusal = limits.tooManyConnections }
    }

    /// The connection is gone.
    func leaveLimits() {
        if let counted = client.counted { loop.context.limits?.close(counted) }
        client.counted = nil
    }

    private func sender(of request: HeldRequest) -> Sender {
        request.identity.map { .identity($0.name) } ?? .address(peer)
    }

    /// Throws where memory is short, and the request's client holds more of it than others.
    func checkShare(_ request: HeldRequest, _ plan: RequestPlan) throws(HTTPError) {
        let sender = sender(of: request)
        let memory = client.memory?.sender == sender ? client.memory : nil
        let holder = memory ?? loop.context.memory.holder(of: sender)
        client.memory = holder
        guard holder.isOverShare(adding: needed(by: plan)) else { return }
        loop.context.memory.noteShortage()
        throw .overShare(holder)
    }

    /// Counts a request whose body is not read yet; throws where its client uses as much as it may.
    func checkLimits(_ request: inout HeldRequest, _ plan: RequestPlan) throws(HTTPError) {
        guard let limits = loop.context.limits else { return }
        let sender = sender(of: request)
        if let counted = client.counted {
            // Who opens too many connections is to have less of them.
            let keepsAlive = request.form.keepsAlive
            request.form.keepsAlive = false
            client.counted = try limits.move(counted, to: sender)
            request.form.keepsAlive = keepsAlive
        }
        request.inFlight = try limits.admit(needed(by: plan), from: sender)
    }
}

extension HTTPError {
    /// The connection is one too many.
    static func tooManyConnections(max: Int) -> HTTPError {
        let message = "too many connections; at most \(max) are allowed"
        return HTTPError(.serviceUnavailable, message, retryAfter: .seconds(1))
    }
}
