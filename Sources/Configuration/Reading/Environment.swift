package import Basics
import Glibc

/// Where `${env:…}` and `${file:…}` get their values; tests pass their own.
package struct Environment: Sendable {
    /// The value of an environment variable; nil where it is not set.
    package let variable: @Sendable (_ name: String) -> String?
    /// The bytes of a file.
    package let file: @Sendable (_ path: String) -> Result<[UInt8], FileReadError>

    package init(
        variable: @escaping @Sendable (_ name: String) -> String?,
        file: @escaping @Sendable (_ path: String) -> Result<[UInt8], FileReadError>
    ) {
        self.variable = variable
        self.file = file
    }

    /// The process's own environment and file system.
    package static let process = Environment(
        variable: { name in unsafe getenv(name).map { unsafe String(cString: $0) } },
        file: { path in Result { () throws(FileReadError) in try readFile(path) } }
    )
}

/// Why a file could not be read, in the system's words.
package struct FileReadError: Error, Equatable, Sendable {
    package let reason: String

    package init(reason: String) {
        self.reason = reason
    }
}

/// The largest file that is read as configuration; a larger one is refused.
package let configurationFileMax = ByteCount.mebibytes(16)

/// Reads a file of at most `max` bytes whole; blocks.
package func readFile(_ path: String, max: ByteCount = configurationFileMax) throws(FileReadError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
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

private func systemErrorText() -> String {
    unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
}
