import Basics
import Glibc

/// A pattern of `glob(7)`.
struct FilePattern {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    func matches(_ name: String) -> Bool { unsafe fnmatch(text, name, FNM_PATHNAME) == 0 }

    /// The regular files that it names now, the one that was changed first in front; blocks for the disk.
    func files() -> [SourceFile] {
        var found = glob_t()
        defer { unsafe globfree(&found) }
        guard unsafe glob(text, GLOB_NOSORT, nil, &found) == 0 else { return [] }
        var files: [SourceFile] = []
        for index in 0..<Int(unsafe found.gl_pathc) {
            guard let path = unsafe found.gl_pathv[index] else { continue }
            let file = SourceFile(path: unsafe String(cString: path))
            if let file { files.append(file) }
        }
        return files.sorted { ($0.changed, $0.path) < ($1.changed, $1.path) }
    }
}

/// A file as it was looked at.
struct SourceFile: Sendable {
    let path: String
    let identity: FileStatus.Identity
    /// Bytes on the disk.
    let size: Int
    /// Nanoseconds since 1970.
    let changed: UInt64

    /// Nil where no regular file is there.
    init?(path: String) {
        guard let status = FileStatus(path), status.isRegular else { return nil }
        self.path = path
        (identity, size, changed) = (status.identity, status.size, status.modified)
    }
}
