package import Basics
import Glibc

/// Where the admin endpoint of the process that has a journal open listens, in a file beside the journal: the pipeline file
/// does not say it for port 0 or a socket of the service manager, and another process may listen at what it says.
///
/// The file has the address on its first line, and where the endpoint speaks TLS the pin on its second.
package struct AdminPlace: Equatable, Sendable {
    private static let fileName = "admin-address"
    private static let bytesMax = 4096

    package let address: ListenAddress
    /// SHA-256 of the public key that the endpoint shows, in the form that libcurl takes; nil for plaintext.
    ///
    /// Commands go by it alone: the certificate may have expired, or not name the address that they ask at.
    package let publicKeyPin: String?

    package init(address: ListenAddress, publicKeyPin: String? = nil) {
        self.address = address
        self.publicKeyPin = publicKeyPin
    }

    /// Notes the place for commands; where that fails, they ask at the address of the pipeline file.
    ///
    /// Blocks for the disk.
    package func note(in directory: String) {
        let path = "\(directory)/\(Self.fileName)"
        unlink(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let lines = [address.description] + (publicKeyPin.map { [$0] } ?? [])
        let content = Array(lines.joined(separator: "\n").utf8)
        if unsafe write(descriptor, content, content.count) != content.count { unlink(path) }
    }

    /// What the process noted; nil where it noted nothing.
    package static func read(in directory: String) -> AdminPlace? {
        let descriptor = open("\(directory)/\(fileName)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content = [UInt8](repeating: 0, count: bytesMax)
        let count = unsafe Glibc.read(descriptor, &content, content.count)
        let lines = String(decoding: content.prefix(max(0, count)), as: UTF8.self).split(separator: "\n")
        guard let first = lines.first, let address = ListenAddress(text: String(first)) else { return nil }
        return AdminPlace(address: address, publicKeyPin: lines.dropFirst().first.map(String.init))
    }
}
