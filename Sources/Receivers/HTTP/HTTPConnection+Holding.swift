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
    /// What it waits for, against its client's share.
    var claim: MemoryClaim?
}

/// A request waits for memory before its body is read: what is not read costs nothing here, and the client cannot send it.
extension HTTPConnection {
    /// What a body of unknown length is taken to need.
    private static let unknownBytes = 65_536

    /// Bytes that its body is said to have, or taken to have.
    func needed(by plan: RequestPlan) -> Int { plan.contentLength ?? Self.unknownBytes }

    /// Whether the request waits now for room in memory, or behind others; throws where it may not.
    func waits(_ request: HeldRequest, _ plan: RequestPlan) throws(HTTPError) -> Bool {
        let (memory, settings) = (loop.context.memory, loop.context.settings)
        let bytes = needed(by: plan)
        guard !loop.isStopping, settings.hold > .zero, bytes > 0, bytes <= memory.limit.bytes,
            !memory.line.isEmpty || !memory.hasRoom(for: bytes)
        else { return false }
        let (bound, eventLoop) = (NIOLoopBound(self, eventLoop: observer.eventLoop), observer.eventLoop)
        heldRequest = request
        heldRequest?.plan = plan
        heldRequest?.claim = client.memory.map { MemoryClaim(bytes, of: $0) }
        phase = .holding
        clearDeadline()
        let isHeld = memory.line.enter(bytes: 0, hold: settings.hold) { place in
            eventLoop.execute { bound.value.triesAgain(at: place) }
        } refuse: {
            eventLoop.execute { bound.value.refuseHeld(.noMemory) }
        }
        guard isHeld else {
            heldRequest = nil
            phase = .ready
            memory.noteShortage()
            throw .noMemory
        }
        return true
    }

    private func triesAgain(at place: WaitingLine.Place) {
        let memory = loop.context.memory
        guard phase == .holding, var request = heldRequest, let plan = request.plan else {
            return memory.line.leave(place)
        }
        if let holder = client.memory, let own = request.claim?.bytes, holder.isOverShare(adding: 0, besides: own) {
            memory.line.leave(place)
            return refuseHeld(.overShare(holder))
        }
        // What came of it already is paid for.
        guard memory.hasRoom(for: needed(by: plan) - ahead.bytes) else {
            if !memory.line.returns(place) { refuseHeld(.noMemory) }
            return
        }
        heldRequest = nil
        request.claim = nil
        phase = .ready
        do throws(HTTPError) { try receive(request, plan) } catch { refuse(request, error) }
        memory.line.leave(place)
        resume()
    }

    /// Answers the request that waits.
    func refuseHeld(_ refusal: HTTPError) {
        guard phase == .holding, let request = heldRequest else { return }
        heldRequest = nil
        phase = .ready
        refuse(request, refusal)
        resume()
    }
}
