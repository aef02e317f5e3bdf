import Glibc

/// Why a file could not be read, in the system's words.
package struct FileReadError: Error, Equatable, Sendable {
    package let reason: String

    package init(reason: String) {
        self.reason = reason
    }

    /// What the system says of the last call of this thread, or of that error.
    package static func ofSystem(_ code: Int32 = errno) -> FileReadError {
        FileReadError(reason: unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)")
    }
}

/// Reads a file of at most `max` bytes whole; blocks for the disk, and for whoever writes into a pipe.
package func readFile(_ path: String, max: ByteCount) throws(FileReadError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .ofSystem() }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = unsafe read(descriptor, &block, block.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw .ofSystem() }
        guard count > 0 else { return bytes }
        bytes += block.prefix(count)
        guard bytes.count <= max.bytes else {
            throw FileReadError(reason: "larger than \(max)")
        }
    }
}

/// Fails where reading from a path may block for ever, or end never, as with a pipe or a device; what is not there passes.
package func checkRegularFile(_ path: String) throws(FileReadError) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return }
    let kind = status.st_mode & S_IFMT
    // A folder is refused by reading it, in the system's words.
    guard kind == S_IFREG || kind == S_IFDIR else { throw FileReadError(reason: "not a regular file") }
}
