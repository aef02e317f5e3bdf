import Synchronization

/// Whether the client of one request is there to be answered.
///
/// Any thread.
package final class ClientPresence: Sendable {
    private enum State {
        /// With what is to be called once it is gone.
        case there((@Sendable () -> Void)?)
        case gone
    }

    private let state = Mutex(State.there(nil))

    /// It is there.
    package init() {}

    /// The client is gone.
    package func end() {
        let call = state.withLock { state -> (@Sendable () -> Void)? in
            defer { state = .gone }
            guard case .there(let call) = state else { return nil }
            return call
        }
        call?()
    }

    /// Calls once the client is gone, at once where it is; a later call of this takes the place of an earlier one.
    package func whenGone(_ call: @escaping @Sendable () -> Void) {
        let isGone = state.withLock { state in
            guard case .there = state else { return true }
            state = .there(call)
            return false
        }
        if isGone { call() }
    }
}
