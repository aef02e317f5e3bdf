import Basics
import NIOCore
import Pipeline

/// A request whose head was read, and what is left to decide by it.
struct HeldRequest {
    var form: AnswerForm
    /// Bytes that its body has on the wire; the most possible where that is not known.
    let length: Int
    let headers: RequestHeaders
    /// Who sent it; nil without authentication.
    var identity: Identity?
    /// What is counted of its body in its client's limits.
    var inFlight: BodyInFlight?
    var plan: RequestPlan?
}

extension HTTPConnection: RoomSeeker {
    /// Bytes that its body is said to have, or taken to have.
    func needed(by plan: RequestPlan) -> Int { plan.contentLength ?? BodyCollector.unknownBytes }

    /// What of the request that waits came already.
    var bytesAhead: Int { ahead.bytes }

    /// Counts a request whose body is not read yet; throws where its client uses as much as it may.
    func checkLimits(_ request: inout HeldRequest, _ plan: RequestPlan) throws(HTTPError) {
        // Who opens too many connections is to have less of them.
        let keepsAlive = request.form.keepsAlive
        request.form.keepsAlive = false
        try moveConnection(to: request.identity)
        request.form.keepsAlive = keepsAlive
        request.inFlight = try admit(request.identity, needing: needed(by: plan))
    }

    /// Whether the request waits now for room in memory, or behind others; throws where it may not.
    func waits(_ request: HeldRequest, _ plan: RequestPlan) throws(HTTPError) -> Bool {
        guard try waitsForRoom(needed(by: plan), of: client.memory) else { return false }
        heldRequest = request
        heldRequest?.plan = plan
        phase = .holding
        clearDeadline()
        return true
    }

    /// Reads the body of the request that waits.
    func takeRoom() {
        guard phase == .holding, let request = heldRequest, let plan = request.plan else { return }
        heldRequest = nil
        phase = .ready
        do throws(HTTPError) { try receive(request, plan) } catch { refuse(request, error) }
    }

    /// Answers the request that waits.
    func refuseHeld(_ refusal: HTTPError) {
        guard phase == .holding, let request = heldRequest else { return }
        heldRequest = nil
        roomWait = nil
        phase = .ready
        refuse(request, refusal)
        resume()
    }
}
