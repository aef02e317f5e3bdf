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
        /// How many of its first bytes the checksum is of.
        var headBytes = 0
        var headChecksum: UInt32 = 0
    }

    private static let goneMax = 1000
    private static let headMax = 16_384
    private static let fileMax = ByteCount.mebibytes(16)

    private let path: String?
    private var entries: [FileStatus.Identity: Entry] = [:]
    private var saved: [FileStatus.Identity: Entry] = [:]

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
                headBytes: min(Self.headMax, Int(clamping: numbers[4])),
                headChecksum: UInt32(truncatingIfNeeded: numbers[5])
            )
        }
        saved = entries
    }

    /// Whether a file has something that was not read.
    func hasNews(_ file: SourceFile) -> Bool { entries[file.identity]?.size != file.size }

    /// Where to go on in a file; 0, and it is another one from then on, where it was replaced or became shorter.
    ///
    /// Blocks for the disk.
    mutating func start(of file: OpenedFile) -> Int {
        guard let entry = entries[file.identity] else { return 0 }
        let isSame =
            file.size >= max(entry.size, entry.headBytes)
            && file.checksum(ofFirst: entry.headBytes) == entry.headChecksum
        if isSame { return entry.position }
        entries[file.identity] = nil
        return 0
    }

    /// Notes how far a file is read, where `isAll` to the end that it had; blocks for the disk.
    mutating func note(_ position: Int, of file: OpenedFile, isAll: Bool) {
        var entry = entries[file.identity] ?? Entry()
        entry.position = position
        if isAll { entry.size = file.size }
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
        let (temporary, text) = ("\(path).new", text)
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .ofSystem() }
        let isWritten = unsafe write(descriptor, text, text.count) == text.count && fsync(descriptor) == 0
        let failure = FileReadError.ofSystem()
        close(descriptor)
        guard isWritten else { throw failure }
        guard rename(temporary, path) == 0 else { throw .ofSystem() }
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
                "size": UInt64(entry.size), "head_bytes": UInt64(entry.headBytes),
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
