package import Basics
package import Pipeline
package import Settings

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

extension FileSettings: DestinationSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Appends to a file, and syncs it before the spans count as delivered.",
        FileSettings(path: ""),
        [
            Field("path", \.path, .text, "The file; it and its folders are created when missing.", required: true),
            Field(
                "format",
                \.format,
                .choice(["json": .json, "protobuf": .protobuf]),
                "One TracesData as JSON a line, or protobuf with a 4-byte big-endian length before each."
            ),
            Field("rotate", optional: \.rotation, .group(.rotation), "When the next file is begun; without it, never."),
            .unavailable("compression"),
        ]
    )

    /// Of the file written now, and of the next one while they change.
    package var descriptors: Int { 2 }
    package var oneSignalSetting: String? { format == .protobuf ? "format" : nil }
    package var ownedFile: (setting: String, path: String)? { ("path", path) }

    package func makeExporter(in context: ExporterContext) -> any Exporter {
        FileExporter(self, thread: context.files, encoder: context.encoder, logger: context.logger)
    }
}

extension Shape<FileSettings.Rotation> {
    fileprivate static let rotation = Shape(
        "When a file is closed and the next one begun, and how many stay.",
        Settings(),
        [
            Field("bytes", optional: \.bytes, .size(.kibibytes(1)...), "Size that a file does not exceed."),
            Field(
                "age",
                optional: \.age,
                .duration(.seconds(1) ... .seconds(3650 * 86400)),
                "Age that a file does not exceed."
            ),
            Field("keep", \.keep, .integer(1...FileSettings.keepMax), "Closed files that stay; the oldest goes first."),
        ],
        check: { settings, group, context in
            if settings.bytes == nil && settings.age == nil && group["bytes"] == nil && group["age"] == nil {
                context.report("\"bytes\" or \"age\" is missing; without them no file is ever closed", at: group.offset)
            }
        }
    )
}
