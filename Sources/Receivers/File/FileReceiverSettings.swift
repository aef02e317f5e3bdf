package import Basics
package import OTLP
package import Pipeline
package import Settings
package import TLS

/// The settings of an `otlp_file` receiver, checked.
package struct FileReceiverSettings: Sendable {
    /// A file, or a pattern of `glob(7)` for several.
    package var path = ""
    /// Whether it goes on with what is written later.
    package var follows = false
    /// What length-prefixed messages hold, which do not say it.
    package var signal = Signal.traces
    /// The longest record.
    package var maxBody = ByteCount.mebibytes(64)
    /// Records handed on a second; nil for as many as the journal takes.
    package var requestsPerSecond: Double?

    package init(path: String = "") {
        self.path = path
    }
}

extension FileReceiverSettings: ReceiverSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Replays files: a request as OTLP JSON on each line, or protobuf messages with a 4-byte big-endian length before each, both also gzipped. What is taken is noted beside the journal, so that a restart goes on there; a kill -9, or a stop while records have to wait, may deliver some records twice.",
        FileReceiverSettings(),
        [
            Field(
                "path",
                \.path,
                .text,
                "A file, or a pattern with `*`, `?` and `[…]`; the files are read in the order of modification times, oldest first. A copy of a file is another file and is read, too, unless it is followed.",
                required: true
            ),
            Field(
                "follow",
                \.follows,
                .flag,
                "Whether files are looked at again for what was added, and for new ones. A file that is rotated is read to its end where `path` matches its new name, too, and a copy that rotation made (`copytruncate`) only from where the original was read to. `path` must not match what is compressed on rotation (`*.gz`): that is read again."
            ),
            Field(
                "signal",
                \.signal,
                .choice(["traces": Signal.traces, "metrics": .metrics, "logs": .logs]),
                "What length-prefixed messages hold; lines of JSON say it themselves."
            ),
            Field(
                "max_body",
                \.maxBody,
                .size(.kibibytes(1)...),
                "The longest record; a longer line is refused, and reading stops at a longer message. Up to three times as much is held in memory beside `memory_limit`."
            ),
            Field(
                "requests_per_second",
                optional: \.requestsPerSecond,
                .number(0.1...1_000_000),
                "Records handed on a second; without it, as many as the journal takes."
            ),
        ]
    )

    package var address: ListenAddress? { nil }
    package var speech: OTLPSpeech? { nil }
    package var tls: ServerTLSSettings? { nil }
    package var maxConnections: Int { 0 }
    package var bodyMax: ByteCount? { maxBody }
    package var hold: Duration { .seconds(5) }
    package var answerAfter: String? { nil }
    package var answerTimeout: Duration { .seconds(30) }
    package var forwardHeaders: [String] { [] }
    package var auth: AuthSettings? { nil }

    package func differences(from other: any ReceiverSettings) -> [String]? { nil }

    /// It keeps its positions whatever else changes.
    package func keepsPlace(of earlier: any ReceiverSettings) -> Bool { earlier is FileReceiverSettings }

    /// Whether it reads a file of that name, or what such a file is called once it is rotated.
    package func reads(_ path: String) -> Bool {
        let (folder, name) = path.absolutePath.folderAndName
        let (ownFolder, pattern) = self.path.absolutePath.folderAndName
        let stem = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
        let ending = String(name.dropFirst(stem.count))
        return FilePattern(ownFolder).matches(folder)
            && [name, "\(stem).1\(ending)"].contains { FilePattern(pattern).matches($0) }
    }

    package func makeReceiver(in context: ReceiverContext) -> any Receiver { FileReceiver(self, in: context) }
}

extension String {
    fileprivate var folderAndName: (folder: String, name: String) {
        guard let slash = lastIndex(of: "/") else { return ("", self) }
        return (String(self[..<slash]), String(self[index(after: slash)...]))
    }
}
