/// The operations on files that the journal needs.
///
/// The seam that tests replace. Any thread.
package protocol FileSystem: Sendable {
    /// Creates one directory, whose parent must exist.
    ///
    /// - Returns: Whether it was created; false where it existed.
    func createDirectory(_ path: String) throws(FileSystemError) -> Bool
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

extension FileSystem {
    /// Creates a directory and the parents that are missing, and makes every name on the path durable.
    ///
    /// Names that existed are synced too: the process that created them may have been killed before it did so. Where that is
    /// not allowed, or not possible, they are taken to be durable. Blocks for the disk.
    package func createDirectories(_ path: String) throws(FileSystemError) {
        let created = try createMissing(path)
        var name = path
        while let parent = Self.parent(of: name) {
            do throws(FileSystemError) {
                try syncDirectory(parent)
            } catch {
                guard error.isSyncUnavailable, !created.contains(name) else { throw error }
            }
            name = parent
        }
    }

    /// The directories that it created.
    private func createMissing(_ path: String) throws(FileSystemError) -> [String] {
        do throws(FileSystemError) {
            return try createDirectory(path) ? [path] : []
        } catch {
            guard error.isNotFound, let parent = Self.parent(of: path) else { throw error }
            return try createMissing(parent) + (createDirectory(path) ? [path] : [])
        }
    }

    /// The directory that holds the last name of a path; nil at the end of the way up.
    static func parent(of path: String) -> String? {
        var rest = path[...]
        while rest.last == "/" { rest = rest.dropLast() }
        guard !rest.isEmpty, rest != "." else { return nil }
        guard let slash = rest.lastIndex(of: "/") else { return "." }
        let parent = rest[..<slash]
        return parent.isEmpty ? "/" : String(parent)
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
