import Basics
import Synchronization

/// Stops the thread that syncs, so that a test can look at what happens meanwhile.
package final class SyncGate: Sendable {
    private struct State {
        var isHeld = false
        var hasArrived = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    private let released = ThreadSignal()

    func hold() {
        state.withLock { $0.isHeld = true }
    }

    /// Called by the thread that syncs: blocks while the gate is held.
    func pass() {
        let (isHeld, waiter) = state.withLock { state in
            state.hasArrived = state.isHeld
            defer { state.waiter = nil }
            return (state.isHeld, state.waiter)
        }
        guard isHeld else { return }
        waiter?.resume()
        released.wait()
    }

    /// Suspends until a thread waits at the gate.
    package func arrival() async {
        await withCheckedContinuation { continuation in
            let hasArrived = state.withLock { state in
                if !state.hasArrived { state.waiter = continuation }
                return state.hasArrived
            }
            if hasArrived { continuation.resume() }
        }
    }

    /// Lets the waiting thread go on, and others pass.
    package func open() {
        let hasArrived = state.withLock { state in
            defer { state = State() }
            return state.hasArrived
        }
        if hasArrived { released.signal() }
    }
}
