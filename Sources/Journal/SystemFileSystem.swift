import Glibc

/// The machine's file system.
package struct SystemFileSystem: FileSystem {
    package init() {}

    /// Prompts and headers are in the journal: only its own user may read what this creates.
    private static let fileMode: mode_t = 0o600
    private static let directoryMode: mode_t = 0o700

    package func createDirectory(_ path: String) throws(FileSystemError) -> Bool {
        if mkdir(path, Self.directoryMode) == 0 { return true }
        guard errno == EEXIST else { throw FileSystemError(operation: "mkdir", path: path) }
        return false
    }

    package func entries(of directory: String) throws(FileSystemError) -> [String] {
        guard let stream = unsafe opendir(directory) else {
            throw FileSystemError(operation: "opendir", path: directory)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: unsafe bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    package func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File {
        let flags =
            switch mode {
            case .create: O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL
            case .existing: O_RDWR | O_CLOEXEC
            case .readOnly: O_RDONLY | O_CLOEXEC
            }
        let descriptor = Glibc.open(path, flags, Self.fileMode)
        guard descriptor >= 0 else { throw FileSystemError(operation: "open", path: path) }
        return SystemFile(descriptor: descriptor, path: path)
    }

    package func remove(_ path: String) throws(FileSystemError) {
        guard unlink(path) == 0 else { throw FileSystemError(operation: "unlink", path: path) }
    }

    package func syncDirectory(_ path: String) throws(FileSystemError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileSystemError(operation: "open", path: path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileSystemError(operation: "fsync", path: path) }
    }

    package func freeBytes(at path: String) throws(FileSystemError) -> Int {
        var state = statvfs()
        guard unsafe statvfs(path, &state) == 0 else { throw FileSystemError(operation: "statvfs", path: path) }
        let (bytes, overflow) = UInt64(state.f_bavail).multipliedReportingOverflow(by: UInt64(state.f_frsize))
        return overflow ? .max : Int(clamping: bytes)
    }

    package func lock(_ path: String) throws(FileSystemError) -> (any AnyObject & Sendable)? {
        let descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC | O_CREAT, Self.fileMode)
        guard descriptor >= 0 else { throw FileSystemError(operation: "open", path: path) }
        let file = SystemFile(descriptor: descriptor, path: path)
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return file }
        guard errno == EWOULDBLOCK else { throw FileSystemError(operation: "flock", path: path) }
        return nil
    }
}

extension FileSystem where Self == SystemFileSystem {
    /// The machine's file system.
    package static var system: SystemFileSystem { SystemFileSystem() }
}

private final class SystemFile: File {
    /// The system takes at most 1024 (IOV_MAX) pieces a call; fewer keep the stack of `gather` small.
    private static let piecesMax = 256

    private let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        close(descriptor)
    }

    func size() throws(FileSystemError) -> Int {
        var state = stat()
        guard unsafe fstat(descriptor, &state) == 0 else { throw FileSystemError(operation: "fstat", path: path) }
        return Int(state.st_size)
    }

    func preallocate(_ count: Int) throws(FileSystemError) {
        let code = posix_fallocate(descriptor, 0, off_t(count))
        guard code == 0 else { throw FileSystemError(operation: "fallocate", path: path, code: code) }
    }

    func truncate(to count: Int) throws(FileSystemError) {
        guard ftruncate(descriptor, off_t(count)) == 0 else {
            throw FileSystemError(operation: "ftruncate", path: path)
        }
    }

    func write(_ pieces: [[UInt8]], skipping skipped: Int, at offset: Int) throws(FileSystemError) -> Int {
        var first = 0
        var skip = skipped
        while first < pieces.count, skip >= pieces[first].count {
            skip -= pieces[first].count
            first += 1
        }
        let slice = pieces[first...].prefix(Self.piecesMax)
        var vectors: [iovec] = []
        vectors.reserveCapacity(slice.count)
        let count = unsafe gather(slice, skipping: skip, into: &vectors) { vectors in
            while true {
                let written = unsafe pwritev(descriptor, vectors, Int32(vectors.count), off_t(offset))
                if written >= 0 || errno != EINTR { return written }
            }
        }
        guard count >= 0 else { throw FileSystemError(operation: "pwritev", path: path) }
        return count
    }

    /// Keeps every piece's memory pinned, one call deep for each, while `body` uses the list of their addresses.
    private func gather(
        _ pieces: ArraySlice<[UInt8]>,
        skipping skipped: Int,
        into vectors: inout [iovec],
        _ body: ([iovec]) -> Int
    ) -> Int {
        guard let piece = pieces.first else { return unsafe body(vectors) }
        return unsafe piece.withUnsafeBytes { bytes in
            let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[skipped...])
            unsafe vectors.append(
                iovec(iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress), iov_len: part.count)
            )
            return unsafe gather(pieces.dropFirst(), skipping: 0, into: &vectors, body)
        }
    }

    func read(_ count: Int, at offset: Int) throws(FileSystemError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < count {
                let rest = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[initialized...]
                )
                let read = unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset + initialized))
                if read < 0 && errno == EINTR { continue }
                if read < 0 { code = errno }
                guard read > 0 else { return }
                initialized += read
            }
        }
        guard code == 0 else { throw FileSystemError(operation: "pread", path: path, code: code) }
        return bytes
    }

    func sync() throws(FileSystemError) {
        guard fdatasync(descriptor) == 0 else { throw FileSystemError(operation: "fdatasync", path: path) }
    }
}

extension FileSystemError {
    /// What `errno` says after a call that failed.
    fileprivate init(operation: String, path: String) {
        self.init(operation: operation, path: path, code: errno)
    }

    /// A device that failed without saying how.
    static let ioError = EIO
    static let notFound = ENOENT

    /// The disk or the quota is full.
    package var isNoSpace: Bool { code == ENOSPC || code == EDQUOT }
    /// The directory may not be opened, or its file system cannot sync directories.
    var isSyncUnavailable: Bool { [EACCES, EPERM, EINVAL, ENOTSUP, EROFS].contains(code) }
    /// There is no such file.
    package var isNotFound: Bool { code == ENOENT }

    /// What an operator can do about it; nil where that is not known.
    var advice: String? {
        switch code {
        case EACCES, EPERM:
            "let the user that runs Millrace (uid \(geteuid())) read and write the directory and all files in it, or choose another directory"
        case EROFS: "its file system is mounted read-only: mount it for writing, or choose another directory"
        case ENOTDIR: "a part of that path is a file: move it away, or choose another directory"
        case ENOSPC, EDQUOT: "free some space, or choose another directory"
        case ENOENT: "check the path"
        default: nil
        }
    }
}

extension FileSystemError: CustomStringConvertible {
    package var description: String {
        "\(operation) \(path): \(unsafe String(cString: strerror(code)))"
    }
}

extension Journal {
    /// Whether a process has the journal in that directory open.
    ///
    /// - Throws: `JournalError.Code.unusable` where there is no journal, or it cannot be read.
    package static func isInUse(in directory: String) throws(JournalError) -> Bool {
        let path = "\(directory)/lock"
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { throw JournalError(code: .unusable, message: "there is no journal in \(directory)") }
            throw JournalError(unusable: directory, FileSystemError(operation: "open", path: path))
        }
        defer { Glibc.close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    /// Throws where the directory belongs to another user, whose process could not use the files that are made in it.
    package static func checkOwner(of directory: String) throws(JournalError) {
        var state = stat()
        guard unsafe stat(directory, &state) == 0, state.st_uid != geteuid() else { return }
        throw JournalError(
            code: .unusable,
            message:
                "the journal in \(directory) belongs to user \(state.st_uid); run this as that user, because its process "
                + "could not use what another one writes there"
        )
    }
}
