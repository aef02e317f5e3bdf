package import Basics
import Glibc

/// Where the admin endpoint of the process that has a journal open listens, in a file beside the journal: the pipeline file
/// does not say it for port 0 or a socket of the service manager, and another process may listen at what it says.
///
/// The file is a JSON object: `address`, `pid` of the process, and where the endpoint speaks TLS `public_key_pin`.
package struct AdminPlace: Equatable, Sendable {
    private static let fileName = "admin.json"
    private static let bytesMax = 4096

    /// Held for as long as the place is one's own, or the process lives.
    package final class Mark: Sendable {
        private let descriptor: Int32

        /// Takes over a new file, which others hold for a moment at most.
        fileprivate init(_ descriptor: Int32) {
            self.descriptor = descriptor
            flock(descriptor, LOCK_EX)
        }

        deinit {
            close(descriptor)
        }
    }

    package let address: ListenAddress
    /// SHA-256 of the public key that the endpoint shows, in the form that libcurl takes; nil for plaintext.
    ///
    /// Commands go by it alone: the certificate may have expired, or not name the address that they ask at.
    package let publicKeyPin: String?
    /// Whether the process that noted the place lives; what was read of it says so.
    package private(set) var isHeld = false

    package init(address: ListenAddress, publicKeyPin: String? = nil) {
        self.address = address
        self.publicKeyPin = publicKeyPin
    }

    /// Notes the place for commands; where that fails, they ask at the address of the pipeline file.
    ///
    /// Blocks for the disk.
    ///
    /// - Returns: To be held while the place is that of this process; nil where it is not noted.
    package func note(in directory: String) -> Mark? {
        let path = "\(directory)/\(Self.fileName)"
        unlink(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        let mark = Mark(descriptor)
        let content = text
        guard unsafe write(descriptor, content, content.count) == content.count else {
            unlink(path)
            return nil
        }
        return mark
    }

    private var text: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("address")
        writer.string(address.description)
        writer.key("pid")
        writer.integer(Int(getpid()))
        if let publicKeyPin {
            writer.key("public_key_pin")
            writer.string(publicKeyPin)
        }
        writer.endObject()
        return writer.bytes
    }

    /// Removes what an earlier process noted; blocks for the disk.
    package static func remove(from directory: String) {
        unlink("\(directory)/\(fileName)")
    }

    /// What the process noted; nil where it noted nothing.
    package static func read(in directory: String) -> AdminPlace? {
        let descriptor = open("\(directory)/\(fileName)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content = [UInt8](repeating: 0, count: bytesMax)
        let count = unsafe Glibc.read(descriptor, &content, content.count)
        let text = Array(content.prefix(max(0, count)))
        guard let node = try? JSONNode(parsing: text), let written = node["address"]?.string,
            let address = ListenAddress(text: written)
        else { return nil }
        var place = AdminPlace(address: address, publicKeyPin: node["public_key_pin"]?.string)
        place.isHeld = flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
        return place
    }
}
