import Basics
import Glibc

/// A file that is open for reading, whatever becomes of its name.
final class OpenedFile: Sendable {
    private let descriptor: Int32
    let identity: FileStatus.Identity
    /// Bytes on the disk when it was opened.
    let size: Int
    /// When its content had been changed last; nanoseconds since 1970.
    let modified: UInt64

    /// Blocks for the disk.
    init(_ path: String) throws(FileReadError) {
        // A pipe that took the file's place must not block.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .ofSystem() }
        guard let status = FileStatus(of: descriptor), status.isRegular else {
            close(descriptor)
            throw FileReadError(reason: "not a regular file")
        }
        (identity, size, modified) = (status.identity, status.size, status.modified)
    }

    deinit { close(descriptor) }

    /// At most so many of the bytes that begin there; empty at the end.
    func read(at offset: Int, max: Int) throws(FileReadError) -> [UInt8] {
        while true {
            var failure: Int32 = 0
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: max) { buffer, count in
                let read = unsafe pread(descriptor, buffer.baseAddress, max, off_t(offset))
                failure = read < 0 ? errno : 0
                count = Swift.max(0, read)
            }
            if failure == 0 { return bytes }
            guard failure == EINTR else { throw .ofSystem(failure) }
        }
    }

    /// The checksum of the first bytes, which tells it from another file at its place on the disk; nil where it is shorter.
    func checksum(ofFirst count: Int) -> UInt32? { checksums(ofFirst: [count])[count] }

    /// The same for several numbers of bytes, without those for which it is too short.
    func checksums(ofFirst counts: Set<Int>) -> [Int: UInt32] {
        guard let most = counts.max(), let bytes = try? read(at: 0, max: max(1, most)) else { return [:] }
        var (checksum, start): (CRC32C, Int) = (CRC32C(), 0)
        var checksums: [Int: UInt32] = [:]
        for end in counts.sorted() where end <= bytes.count {
            let part = Array(bytes[start..<end])
            checksum.update(part.span.bytes)
            (checksums[end], start) = (checksum.value, end)
        }
        return checksums
    }
}
