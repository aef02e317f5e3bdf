import Basics
import Glibc

/// A record file that is opened when the first record comes, and replaced as its rotation says.
///
/// Used by one thread at a time.
struct RotatingFile {
    private let settings: FileSettings
    private var file: RecordFile?
    private var openedAt = Duration.zero

    init(_ settings: FileSettings) {
        self.settings = settings
    }

    /// Writes one record, without newline or length, durably; returns how many bytes of a torn one it cut off first.
    mutating func append(_ record: [UInt8], now: Duration) throws(FileTrouble) -> Int {
        let pieces = pieces(of: record)
        let bytes = pieces.reduce(0) { $0 + $1.count }
        if let file, !file.isInPlace { close() }
        var current = try opened(now: now)
        let torn = current.isNew ? current.file.tornBytes : 0
        if isFull(current.file, adding: bytes, now: now) {
            try rotate()
            current = try opened(now: now)
        }
        // Kept even where writing fails: it has cut itself back.
        defer { file = current.file }
        try current.file.append(pieces)
        return torn
    }

    mutating func close() {
        file?.close()
        file = nil
    }

    private mutating func opened(now: Duration) throws(FileTrouble) -> (file: RecordFile, isNew: Bool) {
        if let file { return (file, false) }
        let new = try RecordFile(opening: settings.path, format: settings.format)
        file = new
        openedAt = now
        return (new, true)
    }

    private func pieces(of record: [UInt8]) -> [[UInt8]] {
        switch settings.format {
        case .json: [record, [UInt8(ascii: "\n")]]
        case .protobuf: [(0..<4).map { UInt8(truncatingIfNeeded: record.count >> (24 - 8 * $0)) }, record]
        }
    }

    /// Whether the record belongs into the next file; an empty file takes any.
    private func isFull(_ file: RecordFile, adding bytes: Int, now: Duration) -> Bool {
        guard let rotation = settings.rotation, file.size > 0 else { return false }
        let isTooLarge = rotation.bytes.map { file.size + bytes > $0.bytes } ?? false
        let isTooOld = rotation.age.map { now - openedAt >= $0 } ?? false
        return isTooLarge || isTooOld
    }

    /// Gives every file the next number, the highest overwriting what is beyond `keep`.
    private mutating func rotate() throws(FileTrouble) {
        close()
        let keep = settings.rotation?.keep ?? FileSettings.defaultKeep
        for number in stride(from: keep, through: 1, by: -1) {
            let older = number == 1 ? settings.path : name(number - 1)
            guard rename(older, name(number)) == 0 || errno == ENOENT else { throw FileTrouble("rotate", older) }
        }
    }

    /// The path with a number before the ending of its last part.
    private func name(_ number: Int) -> String {
        let path = settings.path
        let base = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        guard let dot = path[base...].lastIndex(of: "."), dot > base else { return "\(path).\(number)" }
        return "\(path[..<dot]).\(number)\(path[dot...])"
    }
}
