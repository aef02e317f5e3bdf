import Basics
import NIOCore
import Pipeline

extension HTTPConnection: RoomSeeker {
    /// What of the request that waits came already.
    var bytesAhead: Int { ahead.bytes }

    /// Whether the request waits now for room in memory, or behind others; throws where it may not.
    func waits(_ request: HeldRequest, _ plan: RequestPlan) throws(HTTPError) -> Bool {
        guard try waitsForRoom(plan.neededBytes, of: client.memory) else { return false }
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
