import Synchronization

/// Wakes one waiting task; rings that nobody hears are remembered as one.
package final class Doorbell: Sendable {
    private enum State {
        case quiet
        case rung
        case waiting(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.quiet)

    package init() {}

    /// Lets the waiting task go on, or the next one that waits.
    ///
    /// Any thread; never blocks.
    package func ring() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard case .waiting(let continuation) = state else {
                state = .rung
                return nil
            }
            state = .quiet
            return continuation
        }
        waiter?.resume()
    }

    /// Suspends until it rings or the task is cancelled.
    ///
    /// One task at a time may wait.
    package func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state -> Bool in
                    switch state {
                    case .quiet:
                        state = .waiting(continuation)
                        return false
                    case .rung:
                        state = .quiet
                        return true
                    case .waiting:
                        preconditionFailure("one task at a time waits at a doorbell")
                    }
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            ring()
        }
    }
}
