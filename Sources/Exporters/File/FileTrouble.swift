import Glibc

/// A file operation that failed; tried again later, whatever it was.
struct FileTrouble: Error, Equatable, CustomStringConvertible {
    let operation: String
    let path: String
    /// The operating system's errno.
    let code: Int32

    /// The last system call of this thread failed.
    init(_ operation: String, _ path: String) {
        self.init(operation, path, code: errno)
    }

    init(_ operation: String, _ path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    var description: String {
        // `strerror` is safe with threads in glibc: known texts are constants.
        "\(operation) \(path): \(unsafe String(cString: strerror(code)))"
    }
}
