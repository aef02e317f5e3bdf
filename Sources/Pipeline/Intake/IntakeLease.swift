import Synchronization

/// Tells when nothing of an intake is under way any more: its requests, and what of them waits, hold the lease.
package final class IntakeLease: Sendable {
    /// The end of a lease, for who waits for it without holding it.
    package final class End: Sendable {
        private let state = Mutex<(isOver: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

        /// Returns once the lease is held by nobody.
        package func wait() async {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if !state.isOver { state.waiting.append(continuation) }
                    return state.isOver
                }
                if isOver { continuation.resume() }
            }
        }

        fileprivate func come() {
            let waiting = state.withLock { state in
                state.isOver = true
                defer { state.waiting = [] }
                return state.waiting
            }
            for continuation in waiting { continuation.resume() }
        }
    }

    package let end = End()

    package init() {}

    deinit {
        end.come()
    }
}
