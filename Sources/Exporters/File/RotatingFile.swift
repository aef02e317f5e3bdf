import Basics
import Glibc

/// A record file that is opened when the first record comes, and replaced as its rotation says.
///
/// Used by one thread at a time.
struct RotatingFile {
    /// Names that are tried for a file that is moved aside.
    private static let asideMax = 100

    private let settings: FileSettings
    private var file: RecordFile?
    private var openedAt = Duration.zero

    init(_ settings: FileSettings) {
        self.settings = settings
    }

    /// Writes one record, without newline or length, durably; notes what it did to files that were there, also where it fails.
    mutating func append(
        _ record: [UInt8],
        now: Duration,
        noting findings: inout [FileFinding]
    ) throws(FileTrouble) {
        let pieces = pieces(of: record)
        let bytes = pieces.reduce(0) { $0 + $1.count }
        if let file, !file.isUntouched { close() }
        var current = try opened(now: now, noting: &findings)
        if isFull(current, adding: bytes, now: now) {
            try rotate(noting: &findings)
            current = try opened(now: now, noting: &findings)
        }
        // Kept even where writing fails: it has cut itself back.
        defer { file = current }
        try current.append(pieces)
    }

    mutating func close() {
        file?.close()
        file = nil
    }

    private mutating func opened(
        now: Duration,
        noting findings: inout [FileFinding]
    ) throws(FileTrouble) -> RecordFile {
        if let file { return file }
        var opening = try RecordFile.open(settings.path, settings.format)
        if case .foreign(let reason) = opening {
            try moveAside(settings.path, because: reason, noting: &findings)
            opening = try RecordFile.open(settings.path, settings.format)
        }
        switch opening {
        case .foreign(let reason): throw FileTrouble("open", settings.path, reason: reason)
        case .ready(let new):
            if let finding = new.finding { findings.append(finding) }
            file = new
            openedAt = now
            return new
        }
    }

    private func pieces(of record: [UInt8]) -> [[UInt8]] {
        switch settings.format {
        case .json: [record, [UInt8(ascii: "\n")]]
        case .protobuf: [(0..<4).map { UInt8(truncatingIfNeeded: record.count >> (24 - 8 * $0)) }, record]
        }
    }

    /// Whether the record belongs into the next file; an empty file takes any, and so does a device.
    private func isFull(_ file: RecordFile, adding bytes: Int, now: Duration) -> Bool {
        guard let rotation = settings.rotation, file.isRegular, file.size > 0 else { return false }
        let isTooLarge = rotation.bytes.map { file.size + bytes > $0.bytes } ?? false
        let isTooOld = rotation.age.map { now - openedAt >= $0 } ?? false
        return isTooLarge || isTooOld
    }

    /// Gives every file the next number, the highest overwriting what is beyond `keep`.
    private mutating func rotate(noting findings: inout [FileFinding]) throws(FileTrouble) {
        let keep = settings.rotation?.keep ?? FileSettings.defaultKeep
        if !isReplaceable(name(keep)) {
            try moveAside(name(keep), because: "rotation would replace what it did not write", noting: &findings)
        }
        close()
        for number in stride(from: keep, through: 1, by: -1) {
            let older = number == 1 ? settings.path : name(number - 1)
            guard rename(older, name(number)) == 0 || errno == ENOENT else { throw FileTrouble("rotate", older) }
        }
    }

    /// Whether nothing stands there, or a file that begins as rotated files do.
    private func isReplaceable(_ path: String) -> Bool {
        var state = stat()
        guard unsafe lstat(path, &state) == 0 else { return errno == ENOENT }
        guard state.st_mode & S_IFMT == S_IFREG else { return false }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        let survey = FileSurvey(descriptor: descriptor, path: path, size: Int(state.st_size))
        return (try? survey.begins(as: settings.format)) ?? false
    }

    /// Gives what stands there the first name that is free.
    private func moveAside(
        _ path: String,
        because reason: String,
        noting findings: inout [FileFinding]
    ) throws(FileTrouble) {
        for number in 1...Self.asideMax {
            let name = "\(path).moved.\(number)"
            if renameWithoutReplacing(path, name) {
                findings.append(.movedAside(from: path, to: name, reason: reason))
                return try RecordFile.syncFolder(of: path)
            }
            guard errno == EEXIST else { throw FileTrouble("move aside", path) }
        }
        let count = "\(Self.asideMax) files are moved aside already, from \(path).moved.1 on"
        throw FileTrouble("move aside", path, reason: "\(reason), and \(count)")
    }

    /// The path with a number before the ending of its last part.
    private func name(_ number: Int) -> String {
        let path = settings.path
        let base = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        guard let dot = path[base...].lastIndex(of: "."), dot > base else { return "\(path).\(number)" }
        return "\(path[..<dot]).\(number)\(path[dot...])"
    }
}
