package import Basics
import Glibc

/// A socket that listens, as a service manager keeps it; nobody accepts on it.
package final class ListeningSocket: Sendable {
    /// On loopback with a port that the system chose, or the socket's file.
    package let address: ListenAddress
    package let descriptor: Int32
    private let path: String?

    /// - Parameter path: Where the file of a unix socket is to be; nil for TCP.
    package init(unix path: String? = nil) {
        self.path = path
        let family = path == nil ? AF_INET : AF_UNIX
        descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutableBytes(of: &storage) { bytes in
            if let path {
                bytes.assumingMemoryBound(to: sockaddr_un.self)[0].sun_family = sa_family_t(AF_UNIX)
                for (index, byte) in path.utf8.enumerated() { bytes[2 + index] = byte }
                length = socklen_t(MemoryLayout<sockaddr_un>.size)
            } else {
                let address = bytes.assumingMemoryBound(to: sockaddr_in.self)
                address[0].sin_family = sa_family_t(AF_INET)
                address[0].sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
            }
        }
        let descriptor = descriptor
        let port = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                precondition(bind(descriptor, generic, length) == 0 && listen(descriptor, 16) == 0)
                getsockname(descriptor, generic, &length)
            }
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
        address = path.map { .unix(path: $0) } ?? .tcp(host: "127.0.0.1", port: Int(port))
    }

    deinit {
        close(descriptor)
        if let path { unlink(path) }
    }

    /// Another descriptor of the same socket, for somebody who closes it.
    package func duplicate() -> Int32 { dup(descriptor) }
}
