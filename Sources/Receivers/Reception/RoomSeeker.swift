import Basics
import NIOCore
import Pipeline

/// What a request that waits for memory will need.
struct RoomWait {
    let bytes: Int
    /// Whom it counts for; nil before the client is known.
    let holder: MemoryHolder?
    /// Against its client's share.
    let claim: MemoryClaim?
}

/// A request that waits for memory before its body is read: what is not read costs nothing here, and the client cannot send it.
///
/// Only used on its event loop.
protocol RoomSeeker: AnyObject {
    var loop: ReceiverLoop { get }
    var observer: LoopObserver { get }
    /// Set while it waits; nil ends the wait.
    var roomWait: RoomWait? { get set }
    /// Bytes of it that came already and are paid for.
    var bytesAhead: Int { get }

    /// There is room: the body is read.
    func takeRoom()
    /// Answers it, where it waits.
    func refuseHeld(_ refusal: HTTPError)
    /// Goes on reading after it waited.
    func resume()
}

extension RoomSeeker {
    /// Whether it waits from now on for room in memory, or behind others; throws where it may not.
    func waitsForRoom(_ bytes: Int, of holder: MemoryHolder?) throws(HTTPError) -> Bool {
        let (memory, hold) = (loop.context.memory, loop.context.settings.hold)
        guard !loop.isStopping, hold > .zero, bytes > 0, bytes <= memory.limit.bytes,
            !memory.line.isEmpty || !memory.hasRoom(for: bytes)
        else { return false }
        let wait = RoomWait(bytes: bytes, holder: holder, claim: holder.map { MemoryClaim(bytes, of: $0) })
        guard enterLine(self, of: memory, hold, on: observer.eventLoop) else {
            memory.noteShortage()
            throw .noMemory
        }
        roomWait = wait
        return true
    }
}

/// Puts a request into the line; false where that is full.
private func enterLine(
    _ seeker: any RoomSeeker,
    of memory: MemoryBudget,
    _ hold: Duration,
    on eventLoop: any EventLoop
) -> Bool {
    let bound = NIOLoopBound(seeker, eventLoop: eventLoop)
    return memory.line.enter(bytes: 0, hold: hold) { place in
        eventLoop.execute { tryAgain(bound.value, at: place) }
    } refuse: {
        eventLoop.execute { bound.value.refuseHeld(.noMemory) }
    }
}

/// It is a request's turn.
private func tryAgain(_ seeker: any RoomSeeker, at place: WaitingLine.Place) {
    let memory = seeker.loop.context.memory
    guard let (bytes, holder) = seeker.roomWait.map({ ($0.bytes, $0.holder) }) else {
        return memory.line.leave(place)
    }
    if let holder, holder.isOverShare(adding: 0, besides: bytes) {
        memory.line.leave(place)
        return seeker.refuseHeld(.overShare(holder))
    }
    // What came of it already is paid for.
    guard memory.hasRoom(for: bytes - seeker.bytesAhead) else {
        if !memory.line.returns(place) { seeker.refuseHeld(.noMemory) }
        return
    }
    seeker.roomWait = nil
    seeker.takeRoom()
    memory.line.leave(place)
    seeker.resume()
}
