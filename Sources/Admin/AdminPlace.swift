package import Basics
import Glibc

/// Where the admin endpoint of the process that has a journal open listens, in a file beside the journal: the pipeline file
/// does not say it for port 0 or a socket of the service manager, and another process may listen at what it says.
package enum AdminPlace {
    private static let fileName = "admin-address"
    private static let bytesMax = 4096

    /// Notes the address for commands; where that fails, they ask at the address of the pipeline file.
    ///
    /// Blocks for the disk.
    package static func note(_ address: ListenAddress, in directory: String) {
        let path = "\(directory)/\(fileName)"
        unlink(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let content = Array(address.description.utf8)
        if unsafe write(descriptor, content, content.count) != content.count { unlink(path) }
    }

    /// What the process noted; nil where it noted nothing.
    package static func read(in directory: String) -> ListenAddress? {
        let descriptor = open("\(directory)/\(fileName)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content = [UInt8](repeating: 0, count: bytesMax)
        let count = unsafe Glibc.read(descriptor, &content, content.count)
        return ListenAddress(text: String(decoding: content.prefix(max(0, count)), as: UTF8.self))
    }
}
