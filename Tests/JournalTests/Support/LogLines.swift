import Logging
import Synchronization

/// Keeps what is logged, one line a message with its metadata in order.
final class LogLines: Sendable {
    private let stored = Mutex<[String]>([])

    var all: [String] { stored.withLock { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

    /// The lines that begin with `text`.
    func lines(_ text: String) -> [String] { all.filter { $0.hasPrefix(text) } }

    private struct Handler: LogHandler {
        let lines: LogLines
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let pairs = (event.metadata ?? [:]).map { "\($0.key)=\($0.value)" }.sorted()
            lines.stored.withLock { $0.append(([event.message.description] + pairs).joined(separator: " ")) }
        }
    }
}
