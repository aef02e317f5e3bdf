package import Settings
import Synchronization

/// What the process says of itself to others of its cluster.
///
/// Its components are made before it can say anything. Any thread.
package final class ProcessReport: Sendable {
    private let source = Mutex<(@Sendable () -> JSON)?>(nil)

    package init() {}

    /// Reads it there from now on, on the thread of whoever asks; must not block.
    package func use(_ source: @escaping @Sendable () -> JSON) {
        self.source.withLock { $0 = source }
    }

    /// An object; empty while there is nothing to say.
    package var json: JSON { source.withLock { $0 }?() ?? [:] }
}
