import CMachine
import Glibc

/// Where a server listens.
package enum ListenAddress: Hashable, Sendable {
    /// A host name or an IP address without brackets, and a port; port 0 lets the system choose.
    case tcp(host: String, port: Int)
    /// A socket in the file system.
    case unix(path: String)
}

extension ListenAddress: CustomStringConvertible {
    /// The forms that `init(text:)` reads, for messages.
    package static let form = #"an address, such as "127.0.0.1:4318", "[::1]:4318" or "unix:/run/millrace.sock""#

    /// The longest path that fits a `sockaddr_un` with its terminating zero.
    private static let pathBytesMax = 107

    /// Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; nil for anything else.
    package init?(text: String) {
        if text.hasPrefix("unix:") {
            let path = text.dropFirst("unix:".count)
            guard !path.isEmpty, path.utf8.count <= Self.pathBytesMax, !path.utf8.contains(0) else { return nil }
            self = .unix(path: String(path))
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ $0.isDigit }), let port = UInt16(digits) else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("[") {
            guard host.hasSuffix("]") else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        // A resolver may take "*" for whatever it likes.
        guard !host.isEmpty, host != "*" else { return nil }
        self = .tcp(host: String(host), port: Int(port))
    }

    /// The form that `init(text:)` reads.
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

extension ListenAddress {
    /// Removes the socket's file, after its server has closed.
    package func removeSocketFile() {
        if case .unix(let path) = self { unlink(path) }
    }

    /// Whether somebody listens on the unix socket here; false for TCP.
    ///
    /// Blocks for a moment at most: nobody has to accept.
    package var isAnsweredOnSocketFile: Bool {
        guard case .unix(let path) = self else { return false }
        let descriptor = unsafe millrace_connect_unix(path, 100)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0 || errno == EAGAIN
    }
}

/// Why a server cannot listen.
package struct ListenError: Error, Equatable, CustomStringConvertible {
    /// Where it was told to listen.
    package let address: ListenAddress
    /// What the operating system says.
    package let reason: String

    package init(address: ListenAddress, reason: String) {
        self.address = address
        self.reason = reason
    }

    /// The address and the reason.
    package var description: String { "cannot listen on \(address): \(reason)" }
}
