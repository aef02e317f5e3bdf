import Glibc

/// Why a file could not be read, in the system's words.
package struct FileReadError: Error, Equatable, Sendable {
    package let reason: String

    package init(reason: String) {
        self.reason = reason
    }
}

/// Reads a file of at most `max` bytes whole; blocks for the disk.
///
/// With `isRegular` pipes and devices, which may block for ever, are refused.
package func readFile(_ path: String, max: ByteCount, isRegular: Bool = false) throws(FileReadError) -> [UInt8] {
    if isRegular, let kind = fileKind(path), kind != S_IFREG { throw FileReadError(reason: "not a regular file") }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | (isRegular ? O_NONBLOCK : 0))
    guard descriptor >= 0 else { throw FileReadError(reason: systemErrorText()) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = unsafe read(descriptor, &block, block.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw FileReadError(reason: systemErrorText()) }
        guard count > 0 else { return bytes }
        bytes += block.prefix(count)
        guard bytes.count <= max.bytes else {
            throw FileReadError(reason: "larger than \(max)")
        }
    }
}

/// What kind of file stands at a path, behind links; nil where there is none.
private func fileKind(_ path: String) -> mode_t? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
}

/// Whether reading from a path may block for ever.
package func isPipeOrDevice(_ path: String) -> Bool {
    guard let kind = fileKind(path) else { return false }
    return kind == S_IFIFO || kind == S_IFCHR || kind == S_IFSOCK
}

private func systemErrorText() -> String {
    unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
}
