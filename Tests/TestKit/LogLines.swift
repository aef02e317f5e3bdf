package import Logging
import Synchronization

/// Keeps what is logged, one line a message with its metadata in order.
package final class LogLines: Sendable {
    private struct Line {
        let message: String
        let metadata: [String: String]

        var text: String { ([message] + metadata.map { "\($0.key)=\($0.value)" }.sorted()).joined(separator: " ") }
    }

    private let stored = Mutex<[Line]>([])

    package init() {}

    package var all: [String] { stored.withLock { $0.map(\.text) } }
    package var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

    /// The lines that begin with `text`.
    package func lines(_ text: String) -> [String] { all.filter { $0.hasPrefix(text) } }

    /// What each line has under that key of its metadata; empty where it has nothing.
    package func values(of key: String) -> [String] { stored.withLock { $0.map { $0.metadata[key] ?? "" } } }

    private struct Handler: LogHandler {
        let lines: LogLines
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = Line(
                message: event.message.description,
                metadata: (event.metadata ?? [:]).mapValues(\.description)
            )
            lines.stored.withLock { $0.append(line) }
        }
    }
}
