/// The operations on files that the journal needs.
///
/// The seam that tests replace. Any thread.
package protocol FileSystem: Sendable {
    /// Creates a directory and its parents; fine where it exists.
    func createDirectory(_ path: String) throws(FileSystemError)
    /// The names in a directory, in no order.
    func entries(of directory: String) throws(FileSystemError) -> [String]
    /// Opens a file.
    ///
    /// The file is closed when the object goes.
    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File
    func remove(_ path: String) throws(FileSystemError)
    /// Makes created names durable.
    func syncDirectory(_ path: String) throws(FileSystemError)
    /// What this process may still use at a path.
    func freeBytes(at path: String) throws(FileSystemError) -> Int
    /// Takes a file's lock, kept until the object goes; nil when another process has it.
    func lock(_ path: String) throws(FileSystemError) -> (any AnyObject & Sendable)?
}

/// An open file.
///
/// Several threads may read at once and while another writes.
package protocol File: AnyObject, Sendable {
    func size() throws(FileSystemError) -> Int
    /// Makes the file `count` bytes long with its space reserved.
    func preallocate(_ count: Int) throws(FileSystemError)
    func truncate(to count: Int) throws(FileSystemError)
    /// Writes `pieces` one after the other from `offset`, without their first `skipped` bytes.
    ///
    /// May write less than everything.
    ///
    /// - Returns: How many bytes were written.
    func write(_ pieces: [[UInt8]], skipping skipped: Int, at offset: Int) throws(FileSystemError) -> Int
    /// Reads `count` bytes from `offset`; fewer only where the file ends.
    func read(_ count: Int, at offset: Int) throws(FileSystemError) -> [UInt8]
    /// Makes everything written so far durable.
    func sync() throws(FileSystemError)
}

/// How a file is opened.
package enum OpenMode: Sendable {
    /// It must not exist.
    case create
    /// It must exist.
    case existing
    /// It must exist; only for reading.
    case readOnly
}

/// A failed operation on a file.
package struct FileSystemError: Error, Sendable, Equatable {
    /// The system call, such as `fdatasync`.
    package let operation: String
    package let path: String
    /// The `errno`.
    package let code: Int32

    package init(operation: String, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }
}

extension File {
    /// Writes all of `pieces`, however many calls that takes.
    func writeAll(_ pieces: [[UInt8]], at offset: Int, path: String) throws(FileSystemError) {
        let total = pieces.reduce(0) { $0 + $1.count }
        var written = 0
        while written < total {
            let count = try write(pieces, skipping: written, at: offset + written)
            guard count > 0 else {
                throw FileSystemError(operation: "pwritev", path: path, code: FileSystemError.ioError)
            }
            written += count
        }
    }

    /// Reads `count` bytes, fewer where the file ends; pages that cannot be read come as zeros.
    ///
    /// An unreadable page is damage like any other: it is skipped by checksum and never stops the journal.
    func readTolerantly(_ count: Int, at offset: Int) -> [UInt8] {
        if let bytes = try? read(count, at: offset) { return bytes }
        let pageBytes = 4096
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let position = offset + bytes.count
            let length = min(pageBytes - position % pageBytes, count - bytes.count)
            let page = (try? read(length, at: position)) ?? [UInt8](repeating: 0, count: length)
            bytes += page
            if page.count < length { break }
        }
        return bytes
    }
}
