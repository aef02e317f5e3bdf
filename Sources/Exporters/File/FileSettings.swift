package import Basics

/// The settings of a `file` exporter.
package struct FileSettings: Sendable, Hashable {
    /// Rotated files kept by default.
    package static let defaultKeep = 10
    /// Rotated files kept, at most.
    package static let keepMax = 1000

    /// How records are written.
    package enum Format: String, Sendable, Hashable, CaseIterable {
        /// One `TracesData` (`MetricsData`, `LogsData`) object a line, as the Collector's `otlpjsonfile` receiver reads
        /// it.
        case json
        /// A 4-byte big-endian length before each message.
        case protobuf
    }

    /// When a file is closed and the next one begun, and how many stay.
    package struct Rotation: Sendable, Hashable {
        /// A record that would make the file larger begins the next one; nil for no limit.
        package var bytes: ByteCount?
        /// Since this process opened the file; a record that comes later begins the next one; nil for no limit.
        package var age: Duration?
        /// Rotated files that stay, 1 to 1000; the oldest is overwritten.
        package var keep: Int

        package init(bytes: ByteCount? = nil, age: Duration? = nil, keep: Int = FileSettings.defaultKeep) {
            self.bytes = bytes
            self.age = age
            self.keep = min(max(keep, 1), FileSettings.keepMax)
        }
    }

    /// The file that is written now.
    ///
    /// Missing folders are created, readable for user and group. A file that this exporter did not write, or not in this
    /// format, is moved aside to `PATH.moved.1` or the next number. Rotated files have a number before the ending: `traces.1.jsonl` is the latest.
    package var path: String
    package var format: Format
    /// Nil for one file without end.
    package var rotation: Rotation?

    package init(path: String, format: Format = .json, rotation: Rotation? = nil) {
        self.path = path
        self.format = format
        self.rotation = rotation
    }
}
