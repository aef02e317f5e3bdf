import Basics
import Glibc

/// An append-only file of whole records.
///
/// - json: each record ends with a newline, and holds no other.
/// - protobuf: each record is preceded by its length, 4 bytes, big-endian.
///
/// What follows the last whole record was torn by a crash: opening cuts it off. The exporter's cursor stands before it,
/// so the record comes again. Used by one thread at a time.
struct RecordFile {
    let path: String
    /// Bytes of whole records; the next one is written there.
    private(set) var size: Int
    /// Bytes of a torn record that opening cut off.
    let tornBytes: Int
    private let descriptor: Int32

    /// Opens the file, or creates it together with its folders, and locks it against other processes.
    init(opening path: String, format: FileSettings.Format) throws(FileTrouble) {
        self.path = path
        try Self.makeFolder(of: path)
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileTrouble("open", path) }
        do throws(FileTrouble) {
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw FileTrouble(errno == EWOULDBLOCK ? "lock (another process writes it)" : "lock", path)
            }
            let end = Int(lseek(descriptor, 0, SEEK_END))
            // A device or pipe has no end; it is written to as it is.
            let reader = TornTail(descriptor: descriptor, path: path, end: max(0, end))
            size = try format == .json ? reader.afterLastLine() : reader.afterLastFrame()
            tornBytes = max(0, end) - size
            if tornBytes > 0 {
                guard ftruncate(descriptor, off_t(size)) == 0 else { throw FileTrouble("truncate", path) }
            }
            try Self.syncFolder(of: path)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    /// Writes one record in pieces and makes it durable; a failure leaves the file as it was, as far as that is
    /// possible.
    mutating func append(_ pieces: [[UInt8]]) throws(FileTrouble) {
        var end = size
        do throws(FileTrouble) {
            for piece in pieces {
                try write(piece, at: end)
                end += piece.count
            }
            guard fdatasync(descriptor) == 0 || errno == EINVAL else { throw FileTrouble("sync", path) }
        } catch {
            ftruncate(descriptor, off_t(size))
            throw error
        }
        size = end
    }

    func close() {
        Glibc.close(descriptor)
    }

    /// Whether the file still stands under its name, and was not moved or removed.
    var isInPlace: Bool {
        var own = stat()
        var named = stat()
        guard unsafe fstat(descriptor, &own) == 0, unsafe stat(path, &named) == 0 else { return false }
        return own.st_ino == named.st_ino && own.st_dev == named.st_dev
    }

    private func write(_ bytes: [UInt8], at start: Int) throws(FileTrouble) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
                let count = unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(start + written))
                // A pipe or terminal cannot be written at a position.
                guard count < 0, errno == ESPIPE else { return count }
                return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            guard count >= 0 || errno == EINTR else { throw FileTrouble("write", path) }
            written += max(0, count)
        }
    }

    private static func makeFolder(of path: String) throws(FileTrouble) {
        var folder = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: false).dropLast() {
            folder += "\(part)/"
            guard folder != "/", mkdir(folder, 0o755) != 0, errno != EEXIST else { continue }
            // An existing folder on a read-only file system says so instead of EEXIST.
            guard access(folder, X_OK) == 0 else { throw FileTrouble("create folder", folder) }
        }
    }

    /// Makes a new name durable.
    private static func syncFolder(of path: String) throws(FileTrouble) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileTrouble("open folder", folder) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw FileTrouble("sync folder", folder) }
    }
}

/// Finds where the last whole record of a file ends.
private struct TornTail {
    private static let chunkBytes = 64 << 10

    let descriptor: Int32
    let path: String
    let end: Int

    /// Behind the last newline; the start where there is none.
    func afterLastLine() throws(FileTrouble) -> Int {
        var upper = end
        while upper > 0 {
            let lower = max(0, upper - Self.chunkBytes)
            let chunk = try read(lower..<upper)
            if let newline = chunk.lastIndex(of: UInt8(ascii: "\n")) { return lower + newline + 1 }
            upper = lower
        }
        return 0
    }

    /// Behind the last frame that is whole.
    func afterLastFrame() throws(FileTrouble) -> Int {
        var offset = 0
        while offset + 4 <= end {
            let length = try read(offset..<offset + 4).reduce(0) { $0 << 8 | Int($1) }
            guard offset + 4 + length <= end else { break }
            offset += 4 + length
        }
        return offset
    }

    private func read(_ range: Range<Int>) throws(FileTrouble) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var filled = 0
        while filled < range.count {
            let count = bytes.withUnsafeMutableBytes { bytes in
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[filled...])
                return unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(range.lowerBound + filled))
            }
            guard count > 0 || count < 0 && errno == EINTR else { throw FileTrouble("read", path) }
            filled += max(0, count)
        }
        return bytes
    }
}
