import NIOCore
import Synchronization

/// Bytes of messages that a connection has not taken yet, of which there are only so many at once; others wait, in order.
///
/// A message that is larger goes alone. Any thread.
final class SendingRoom: Sendable {
    private struct Waiting {
        let number: UInt64
        let bytes: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var held = 0
        var next: UInt64 = 0
        var waiting = CircularBuffer<Waiting>()
        var isOpen = false

        func fits(_ bytes: Int) -> Bool { isOpen || held == 0 || held + bytes <= SendingRoom.max }

        /// Takes those out of the queue that fit.
        mutating func admit() -> [Waiting] {
            var admitted: [Waiting] = []
            while let next = waiting.first, fits(next.bytes) {
                held += next.bytes
                admitted.append(waiting.removeFirst())
            }
            return admitted
        }
    }

    /// What passes in less than an answer is waited for, also where the way is slow.
    private static let max = 262_144

    private let state = Mutex(State())

    /// How many messages wait.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Waits until there is room for so many bytes, which are to be given back by `leave`; false where the task is cancelled first.
    func enter(_ bytes: Int) async -> Bool {
        let number = state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isIn = state.withLock { state -> Bool? in
                    if Task.isCancelled { return false }
                    if state.waiting.isEmpty, state.fits(bytes) {
                        state.held += bytes
                        return true
                    }
                    state.waiting.append(Waiting(number: number, bytes: bytes, continuation: continuation))
                    return nil
                }
                if let isIn { continuation.resume(returning: isIn) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
            }
            waiting?.continuation.resume(returning: false)
            // Those behind it may fit.
            leave(0)
        }
    }

    /// Gives room back, and lets those in that fit.
    func leave(_ bytes: Int) {
        let admitted = state.withLock { state in
            state.held -= bytes
            return state.admit()
        }
        for waiting in admitted { waiting.continuation.resume(returning: true) }
    }

    /// Lets everybody in from now on: the connection takes nothing any more.
    func open() {
        let admitted = state.withLock { state in
            state.isOpen = true
            return state.admit()
        }
        for waiting in admitted { waiting.continuation.resume(returning: true) }
    }
}
