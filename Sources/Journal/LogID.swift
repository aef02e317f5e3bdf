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

    private init(folder: [String]) {
        self.init(folder: folder.joined(separator: "/"))
    }

    /// The log of a pipeline, or of one part of what the pipeline takes, whatever characters the names have.
    ///
    /// What belongs to no part lies in the pipeline's own folder, beside the folders of its parts: there journals have it that
    /// were written before there were any.
    package init(_ pipeline: String, part: String? = nil) {
        self.init(folder: [pipeline, part].compactMap { $0.map(FileName.escaped) })
    }

    /// The log of what one exporter could not deliver of a pipeline's log.
    package init(deadLettersOf exporter: String, in log: LogID) {
        self.init(folder: [log.folder, FileName.deadLetters, FileName.escaped(exporter)])
    }

    /// The log of what one exporter delivers of a pipeline's log once a route of it opens.
    package init(parkedBy exporter: String, in log: LogID) {
        self.init(folder: [log.folder, FileName.parked, FileName.escaped(exporter)])
    }

    /// The logs that a journal's directory has folders for; not each of these folders is that of a log.
    ///
    /// By pipeline and part; the logs of single exporters stand behind the one that they are of. What has a name that no log has,
    /// such as a copy that somebody made beside one, is left out.
    static func all(in directory: String, parts names: Set<String>, of fileSystem: any FileSystem) -> [LogID] {
        let entries = { (folder: String) in
            ((try? fileSystem.entries(of: directory + folder)) ?? []).filter(FileName.isEscaped).sorted()
        }
        return entries("").flatMap { pipeline in
            let parts = entries("/" + pipeline).filter { names.contains(FileName.unescaped($0)) }
                .map { pipeline + "/" + $0 }
            return ([pipeline] + parts).flatMap { folder in
                let log = LogID(folder: folder)
                let own = { (kind: String) in entries("/\(folder)/\(kind)").map(FileName.unescaped) }
                return [log] + own(FileName.deadLetters).map { LogID(deadLettersOf: $0, in: log) }
                    + own(FileName.parked).map { LogID(parkedBy: $0, in: log) }
            }
        }
    }

    package static func == (one: LogID, other: LogID) -> Bool {
        one.digest == other.digest && one.folder == other.folder
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(digest) }

    private var names: [String] { folder.split(separator: "/").map { FileName.unescaped(String($0)) } }

    /// The name of the pipeline that it belongs to.
    package var pipeline: String { names[0] }

    /// The part of what the pipeline takes that it holds; nil where it has no parts.
    package var part: String? { names.count.isMultiple(of: 2) ? names[1] : nil }

    /// The pipeline's log that its records come from: itself, unless it is one of a single exporter.
    package var main: LogID { LogID(pipeline, part: part) }

    /// The exporter that it belongs to; nil for the log of a pipeline.
    package var exporter: String? { kind == .pipeline ? nil : names.last }

    /// Its folder without that of the exporter, for messages: `PIPELINE`, `PIPELINE/PART`, `PIPELINE/dead-letters`.
    package var name: String { (kind == .pipeline ? names : names.dropLast()).joined(separator: "/") }

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
        guard parts.count > 2 else { return .pipeline }
        return parts[parts.count - 2] == FileName.parked ? .parked : .deadLetters
    }
}

extension LogID: CustomStringConvertible {
    /// For messages and listings.
    package var description: String {
        switch kind {
        case .pipeline: name
        case .deadLetters: "\(main.name), dead letters of \(exporter ?? "")"
        case .parked: "\(main.name), parked by \(exporter ?? "")"
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
