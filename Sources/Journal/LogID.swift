/// The name of a log of a journal; two names are equal where the logs are the same.
package struct LogID: Hashable, Sendable {
    /// The folder of the log, from the journal's directory on.
    let folder: String
    /// Of the folder: every request looks its logs up several times, and a name is long.
    private let digest: Int

    private init(folder: String) {
        self.folder = folder
        digest = folder.hashValue
    }

    /// The log of a pipeline, whatever characters its name has.
    package init(_ pipeline: String) {
        self.init(folder: FileName.escaped(pipeline))
    }

    /// The log of what one exporter of a pipeline could not deliver.
    package init(deadLettersOf exporter: String, in pipeline: String) {
        self.init(folder: [FileName.escaped(pipeline), FileName.deadLetters, FileName.escaped(exporter)])
    }

    /// The log of what one exporter of a pipeline delivers once a route of it opens.
    package init(parkedBy exporter: String, in pipeline: String) {
        self.init(folder: [FileName.escaped(pipeline), FileName.parked, FileName.escaped(exporter)])
    }

    private init(folder: [String]) {
        self.init(folder: folder.joined(separator: "/"))
    }

    package static func == (one: LogID, other: LogID) -> Bool {
        one.digest == other.digest && one.folder == other.folder
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(digest) }

    /// The name of the pipeline that it belongs to.
    package var pipeline: String { FileName.unescaped(String(folder.prefix { $0 != "/" })) }

    /// The exporter that it belongs to; nil for the log of a pipeline.
    package var exporter: String? {
        guard folder.contains("/") else { return nil }
        return folder.split(separator: "/").last.map { FileName.unescaped(String($0)) }
    }

    /// What a log is for.
    package enum Kind: Sendable {
        /// The records of a pipeline, for all its exporters.
        case pipeline
        /// What one exporter could not deliver.
        case deadLetters
        /// What one exporter has put aside until a route opens.
        case parked
    }

    package var kind: Kind {
        let parts = folder.split(separator: "/")
        guard parts.count > 1 else { return .pipeline }
        return parts[1] == FileName.parked ? .parked : .deadLetters
    }
}

extension LogID: CustomStringConvertible {
    /// For messages and listings.
    package var description: String {
        switch kind {
        case .pipeline: pipeline
        case .deadLetters: "\(pipeline), dead letters of \(exporter ?? "")"
        case .parked: "\(pipeline), parked by \(exporter ?? "")"
        }
    }
}

/// The name of a reader, which is its own only within its log.
package struct ReaderID: Hashable, Sendable {
    package let log: LogID
    package let name: String

    package init(_ name: String, of log: LogID) {
        self.log = log
        self.name = name
    }
}
