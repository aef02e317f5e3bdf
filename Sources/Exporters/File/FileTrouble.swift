import Glibc

/// A file operation that failed; tried again later, whatever it was.
struct FileTrouble: Error, Equatable, CustomStringConvertible {
    let operation: String
    let path: String
    let reason: String

    /// The last system call of this thread failed.
    init(_ operation: String, _ path: String) {
        // `strerror` is safe with threads in glibc: known texts are constants.
        self.init(operation, path, reason: unsafe String(cString: strerror(errno)))
    }

    init(_ operation: String, _ path: String, reason: String) {
        self.operation = operation
        self.path = path
        self.reason = reason
    }

    var description: String { "\(operation) \(path): \(reason)" }
}

/// What opening or rotating did to files that were there, for the log.
enum FileFinding: Equatable, CustomStringConvertible {
    /// The last record was cut off by a crash, and was removed; it is written again.
    case cut(bytes: Int, of: String)
    /// What this exporter cannot have written, and would have changed or replaced, has another name now.
    case movedAside(from: String, to: String, reason: String)

    var description: String {
        switch self {
        case .cut(let bytes, let path): "cut \(bytes) bytes of a torn record off \(path)"
        case .movedAside(let path, let name, let reason): "moved \(path) aside to \(name): \(reason)"
        }
    }
}
