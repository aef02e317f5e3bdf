import CMachine
import Glibc

/// What the system says of a file, links followed.
package struct FileStatus: Equatable, Sendable {
    /// What a file keeps under another name.
    package struct Identity: Hashable, Sendable {
        package let device: UInt64
        package let inode: UInt64

        package init(device: UInt64, inode: UInt64) {
            (self.device, self.inode) = (device, inode)
        }
    }

    package let identity: Identity
    /// Bytes on the disk.
    package let size: Int
    /// When its content was changed last; nanoseconds since 1970.
    package let modified: UInt64
    package let isRegular: Bool

    /// Nil where nothing is there, or it may not be looked at; blocks for the disk.
    package init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        self.init(&status)
    }

    /// Of an open file.
    package init?(of descriptor: Int32) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        self.init(&status)
    }

    private init(_ status: inout stat) {
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        size = Int(status.st_size)
        modified = unsafe millrace_modified_nanoseconds(&status)
        isRegular = status.st_mode & S_IFMT == S_IFREG
    }
}
