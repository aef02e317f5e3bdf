import Configuration
import Synchronization

/// What is written to standard error, and how; a reload changes it.
///
/// Any thread.
final class LogControl: Sendable {
    private let current: Mutex<LogSettings>

    init(_ settings: LogSettings) {
        current = Mutex(settings)
    }

    var settings: LogSettings { current.withLock { $0 } }

    /// From now on these count.
    func change(_ settings: LogSettings) {
        current.withLock { $0 = settings }
    }
}
