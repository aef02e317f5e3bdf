import Glibc

/// An append-only file of whole records.
///
/// - json: each record ends with a newline, and holds no other.
/// - protobuf: each record is preceded by its length, 4 bytes, big-endian.
///
/// What a crash left of the last record is cut off when the file is opened: the exporter's cursor stands before it, so the
/// record comes again. A file with anything else that does not belong there is not opened (FileSurvey.swift). Written at
/// its end only, wherever that is by then. Used by one thread at a time.
struct RecordFile {
    /// Only its user and group may read what is in prompts; the umask may take more away.
    private static let fileMode: mode_t = 0o640
    private static let folderMode: mode_t = 0o750
    /// Non-blocking for pipes: a regular file never blocks.
    private static let openFlags = O_RDWR | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC | O_NONBLOCK
    /// How long a pipe may take nothing, in milliseconds.
    private static let patience: Int32 = 1000

    let path: String
    /// Bytes of whole records.
    private(set) var size: Int
    /// What opening changed.
    let finding: FileFinding?
    /// Whether it is no device and no pipe, which are written to as they are.
    let isRegular: Bool
    private let descriptor: Int32

    /// A file that can be written, or why what stands under its name cannot be appended to.
    enum Opening {
        case ready(RecordFile)
        case foreign(String)
    }

    /// Opens the file, or creates it together with its folders, and locks it against other processes.
    static func open(_ path: String, _ format: FileSettings.Format) throws(FileTrouble) -> Opening {
        try makeFolder(of: path)
        let descriptor = Glibc.open(path, Self.openFlags, fileMode)
        guard descriptor >= 0 else { throw FileTrouble("open", path) }
        do throws(FileTrouble) {
            let opening = try prepare(descriptor, path, format)
            if case .foreign = opening { Glibc.close(descriptor) }
            return opening
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    private static func prepare(
        _ descriptor: Int32,
        _ path: String,
        _ format: FileSettings.Format
    ) throws(FileTrouble) -> Opening {
        var state = stat()
        guard unsafe fstat(descriptor, &state) == 0 else { throw FileTrouble("stat", path) }
        let kind = state.st_mode & S_IFMT
        guard kind != S_IFBLK else { throw FileTrouble("open", path, reason: "it is a block device") }
        guard kind == S_IFREG else {
            let file = RecordFile(path: path, size: 0, finding: nil, isRegular: false, descriptor: descriptor)
            return .ready(file)
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw FileTrouble(errno == EWOULDBLOCK ? "lock (another process writes it)" : "lock", path)
        }
        // Behind the lock: another exporter may have written until then.
        guard unsafe fstat(descriptor, &state) == 0 else { throw FileTrouble("stat", path) }
        let survey = FileSurvey(descriptor: descriptor, path: path, size: Int(state.st_size))
        let end = try survey.end(of: format)
        var (size, finding) = (survey.size, FileFinding?.none)
        switch end {
        case .foreign(let reason): return .foreign(reason)
        case .whole, .unended: break
        case .torn(let start):
            try cut(descriptor, path, from: survey.size, to: start)
            (size, finding) = (start, .cut(bytes: survey.size - start, of: path))
        }
        var file = RecordFile(path: path, size: size, finding: finding, isRegular: true, descriptor: descriptor)
        if end == .unended { try file.append([[UInt8(ascii: "\n")]]) }
        try syncFolder(of: path)
        return .ready(file)
    }

    private init(path: String, size: Int, finding: FileFinding?, isRegular: Bool, descriptor: Int32) {
        self.path = path
        self.size = size
        self.finding = finding
        self.isRegular = isRegular
        self.descriptor = descriptor
    }

    /// Writes one record in pieces and makes it durable; a failure leaves the file as it was, as far as that is
    /// possible.
    mutating func append(_ pieces: [[UInt8]]) throws(FileTrouble) {
        var written = 0
        do throws(FileTrouble) {
            for piece in pieces { try write(piece, counting: &written) }
            guard fdatasync(descriptor) == 0 || errno == EINVAL else { throw FileTrouble("sync", path) }
        } catch {
            // Where that fails too, the next opening finds a torn record, or something foreign.
            if isRegular { try? Self.cut(descriptor, path, from: size + written, to: size) }
            throw error
        }
        size += written
    }

    func close() {
        Glibc.close(descriptor)
    }

    /// Whether the file still stands under its name and is as long as it was left: nobody moved, removed, cut or wrote it.
    var isUntouched: Bool {
        var own = stat()
        var named = stat()
        guard unsafe fstat(descriptor, &own) == 0, unsafe stat(path, &named) == 0 else { return false }
        let isInPlace = own.st_ino == named.st_ino && own.st_dev == named.st_dev
        return isInPlace && (!isRegular || Int(own.st_size) == size)
    }

    private func write(_ bytes: [UInt8], counting total: inout Int) throws(FileTrouble) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
                return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count < 0, errno == EAGAIN {
                try waitForReader()
                continue
            }
            guard count >= 0 || errno == EINTR else { throw FileTrouble("write", path) }
            written += max(0, count)
            total += max(0, count)
        }
    }

    /// Waits until a pipe takes something; the exporters that share the thread wait as well, so not for long.
    private func waitForReader() throws(FileTrouble) {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&state, 1, Self.patience) != 0 else {
            throw FileTrouble("write", path, reason: "nobody reads it")
        }
    }

    /// Shortens a file that is as long as expected: what somebody else wrote behind it is not ours to cut.
    private static func cut(_ descriptor: Int32, _ path: String, from: Int, to size: Int) throws(FileTrouble) {
        var state = stat()
        guard unsafe fstat(descriptor, &state) == 0 else { throw FileTrouble("stat", path) }
        guard Int(state.st_size) == from else {
            throw FileTrouble("truncate", path, reason: "another program writes it")
        }
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw FileTrouble("truncate", path) }
    }

    private static func makeFolder(of path: String) throws(FileTrouble) {
        var folder = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: false).dropLast() {
            let name = folder + part
            folder = "\(name)/"
            if folder == "/" { continue }
            if mkdir(folder, folderMode) == 0 {
                try syncFolder(of: name)
            } else if errno != EEXIST, access(folder, X_OK) != 0 {
                // An existing folder on a read-only file system says so instead of EEXIST.
                throw FileTrouble("create folder", folder)
            }
        }
    }

    /// Makes a new name durable.
    static func syncFolder(of path: String) throws(FileTrouble) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileTrouble("open folder", folder) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw FileTrouble("sync folder", folder) }
    }
}
