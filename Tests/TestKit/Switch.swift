import Synchronization

/// Something that is on or off, for closures that run elsewhere.
package final class Switch: Sendable {
    private let state: Mutex<Bool>

    package init(_ isOn: Bool) {
        state = Mutex(isOn)
    }

    package var isOn: Bool {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
