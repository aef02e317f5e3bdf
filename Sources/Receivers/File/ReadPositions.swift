import Basics
import Glibc

/// How far files are read, kept in a file.
///
/// A file is known by its place on the disk and its first bytes, whatever its name.
struct ReadPositions: Sendable {
    private struct Entry: Equatable {
        /// In bytes of the content.
        var position = 0
        /// Bytes on the disk when all of it was read; 0 before.
        var size = 0
        /// When its content had been changed last then; nanoseconds since 1970.
        var modified: UInt64 = 0
        /// How many of its first bytes the checksum is of.
        var headBytes = 0
        var headChecksum: UInt32 = 0
    }

    private static let goneMax = 1000
    private static let formerMax = 64
    private static let headMax = 16_384
    private static let fileMax = ByteCount.mebibytes(16)

    private let path: String?
    private var entries: [FileStatus.Identity: Entry] = [:]
    private var saved: [FileStatus.Identity: Entry] = [:]
    /// Of files that were written anew: their content may live on in a copy.
    private var former: [Entry] = []

    /// What an earlier process noted; blocks for the disk.
    ///
    /// - Parameter path: The file that they are kept in; nil to forget them with the process.
    /// - Throws: Where there is such a file and it cannot be read.
    init(at path: String?) throws(FileReadError) {
        self.path = path
        guard let path, access(path, F_OK) == 0 else { return }
        let text = try readFile(path, max: Self.fileMax)
        guard let files = try? JSONNode(parsing: text)["files"]?.elements else {
            throw FileReadError(reason: "damaged; remove it to read all files from their beginning")
        }
        for file in files {
            let numbers = ["device", "inode", "position", "size", "head_bytes", "head_checksum"].compactMap { name in
                file[name]?.string.flatMap { UInt64($0) }
            }
            guard numbers.count == 6 else { continue }
            entries[FileStatus.Identity(device: numbers[0], inode: numbers[1])] = Entry(
                position: Int(clamping: numbers[2]),
                size: Int(clamping: numbers[3]),
                // Earlier versions did not note it.
                modified: file["modified"]?.string.flatMap { UInt64($0) } ?? 0,
                headBytes: min(Self.headMax, Int(clamping: numbers[4])),
                headChecksum: UInt32(truncatingIfNeeded: numbers[5])
            )
        }
        saved = entries
    }

    /// Whether a file has something that was not read.
    func hasNews(_ file: SourceFile) -> Bool {
        guard let entry = entries[file.identity] else { return true }
        return entry.size != file.size || entry.modified != file.changed
    }

    /// Whether as much of a file is read as it had.
    func isRead(_ file: SourceFile) -> Bool { entries[file.identity]?.size ?? 0 >= file.size }

    /// Where to go on in a file; 0, and it is another one from then on, where it was replaced or became shorter.
    ///
    /// Where `passingCopies`, a file that is not known and begins as one that is goes on where that was read to, as if it had
    /// been read itself. Blocks for the disk.
    mutating func start(of file: OpenedFile, passingCopies: Bool = false) -> (position: Int, isCopy: Bool) {
        if let entry = entries[file.identity] {
            let isSame =
                file.size >= max(entry.size, entry.headBytes)
                && file.checksum(ofFirst: entry.headBytes) == entry.headChecksum
            if isSame { return (entry.position, false) }
            entries[file.identity] = nil
            former.append(entry)
            if former.count > Self.formerMax { former.removeFirst() }
        }
        guard passingCopies, let position = positionOfOriginal(of: file) else { return (0, false) }
        note(position, of: file, isAll: false)
        return (position, true)
    }

    /// How far a file was read that begins with the same bytes; nil for none.
    private func positionOfOriginal(of file: OpenedFile) -> Int? {
        // What became shorter is no copy; of compressed files a position counts what they hold.
        let end = (try? file.read(at: 0, max: 2)) == [0x1F, 0x8B] ? .max : file.size
        // Of others too little is known to tell.
        let known = (Array(entries.values) + former).filter { entry in
            0 < entry.position && entry.position <= end
                && (entry.headBytes == Self.headMax || entry.headBytes >= entry.position)
        }
        let heads = file.checksums(ofFirst: Set(known.map(\.headBytes)))
        return known.filter { heads[$0.headBytes] == $0.headChecksum }.map(\.position).max()
    }

    /// Notes how far a file is read, where `isAll` to the end that it had; blocks for the disk.
    mutating func note(_ position: Int, of file: OpenedFile, isAll: Bool) {
        var entry = entries[file.identity] ?? Entry()
        entry.position = position
        if isAll { (entry.size, entry.modified) = (file.size, file.modified) }
        let headBytes = min(Self.headMax, file.size)
        if entry.headBytes < headBytes, let sum = file.checksum(ofFirst: headBytes) {
            (entry.headBytes, entry.headChecksum) = (headBytes, sum)
        }
        entries[file.identity] = entry
    }

    /// Forgets files that are gone, once they are many: a folder may be away for a while, and a file come back under another name.
    mutating func keep(_ files: [SourceFile]) {
        guard entries.count > files.count + Self.goneMax else { return }
        let identities = Set(files.map(\.identity))
        entries = entries.filter { identities.contains($0.key) }
    }

    /// Writes them down where they have changed, durably; blocks for the disk.
    mutating func save() throws(FileReadError) {
        guard let path, entries != saved else { return }
        try replaceFile(path, with: text, isSynced: true)
        saved = entries
    }

    private var text: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("files")
        writer.beginArray()
        for (file, entry) in entries.sorted(by: { $0.key.inode < $1.key.inode }) {
            writer.beginObject()
            let members: KeyValuePairs = [
                "device": file.device, "inode": file.inode, "position": UInt64(entry.position),
                "size": UInt64(entry.size), "modified": entry.modified, "head_bytes": UInt64(entry.headBytes),
                "head_checksum": UInt64(entry.headChecksum),
            ]
            for (name, value) in members {
                writer.key(name)
                // A number of JSON may be read as a double.
                writer.string("\(value)")
            }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }
}
