package import Basics
import Glibc
import Synchronization

/// A client's connection that sends exactly the bytes it is told and reads what comes back.
///
/// Its blocking calls run on a thread of its own. A read gives up after a minute.
package final class RawConnection: Sendable {
    /// One HTTP response.
    package struct Response: Sendable {
        package let status: Int
        /// Names in lower case.
        package let headers: [String: String]
        package let body: [UInt8]
        /// The body as text.
        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    private static let timeoutSeconds = 60

    private let thread = SerialThread(name: "raw-connection")
    private let descriptor: Int32
    private let unread = Mutex<[UInt8]>([])

    /// Connects to a numeric address or a unix socket.
    package init(to address: ListenAddress) throws {
        descriptor = try Self.connect(address)
        var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        thread.stop()
        Glibc.close(descriptor)
    }

    /// Sends bytes; false where the other side has gone before all were taken.
    @discardableResult
    package func send(_ bytes: [UInt8]) async -> Bool {
        await thread.run { [descriptor] in
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }

    /// Sends text; false where the other side has gone before all was taken.
    @discardableResult
    package func send(_ text: String) async -> Bool { await send(Array(text.utf8)) }

    /// Says that nothing more is sent.
    package func closeOutput() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// The next response, bodies of `HEAD` and informational ones excepted; nil where the other side closed before it was whole.
    package func receive(hasBody: Bool = true) async -> Response? {
        await thread.run {
            while true {
                if let response = self.unread.withLock({ Self.parse(&$0, hasBody: hasBody) }) { return response }
                guard let bytes = self.readSome(), !bytes.isEmpty else { return nil }
                self.unread.withLock { $0 += bytes }
            }
        }
    }

    /// What came, at least one byte; empty where the other side closed, nil on a time-out or a reset.
    package func receiveSome() async -> [UInt8]? { await thread.run { self.readSome() } }

    /// Everything until the other side closes; nil where it did not.
    package func receiveUntilClosed() async -> [UInt8]? {
        await thread.run {
            while true {
                guard let bytes = self.readSome() else { return nil }
                if bytes.isEmpty { return self.unread.withLock { $0 } }
                self.unread.withLock { $0 += bytes }
            }
        }
    }

    /// What came; empty at the end, nil on a time-out or a reset.
    private func readSome() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count < 0 ? nil : Array(buffer[..<count])
    }

    private static func parse(_ bytes: inout [UInt8], hasBody: Bool) -> Response? {
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: [13, 10, 13, 10]) }) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first, let status = Int(first.split(separator: " ").dropFirst().first ?? "") else {
            return nil
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        let length = hasBody && status >= 200 ? Int(headers["content-length"] ?? "0") ?? 0 : 0
        guard bytes.count >= end + 4 + length else { return nil }
        let body = Array(bytes[(end + 4)..<(end + 4 + length)])
        bytes.removeFirst(end + 4 + length)
        return Response(status: status, headers: headers, body: body)
    }

    private struct ConnectFailure: Error {
        let code: Int32
    }

    /// Leaves a socket file behind that nobody listens on, as a killed server does.
    package static func abandonSocketFile(at path: String) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        _ = withAddress(.unix(path: path)) { _, address, length in bind(descriptor, address, length) }
        listen(descriptor, 1)
        Glibc.close(descriptor)
    }

    private static func connect(_ address: ListenAddress) throws -> Int32 {
        try withAddress(address) { family, pointer, length in
            let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
            guard Glibc.connect(descriptor, pointer, length) == 0 else {
                let code = errno
                Glibc.close(descriptor)
                throw ConnectFailure(code: code)
            }
            return descriptor
        }
    }

    private static func withAddress<Value>(
        _ address: ListenAddress,
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws -> Value
    ) rethrows -> Value {
        var storage = sockaddr_storage()
        let (family, length) = withUnsafeMutableBytes(of: &storage) { bytes in
            switch address {
            case .tcp(let host, let port) where host.contains(":"):
                let address = bytes.assumingMemoryBound(to: sockaddr_in6.self)
                address[0].sin6_family = sa_family_t(AF_INET6)
                address[0].sin6_port = in_port_t(port).bigEndian
                inet_pton(AF_INET6, host, &address[0].sin6_addr)
                return (AF_INET6, MemoryLayout<sockaddr_in6>.size)
            case .tcp(let host, let port):
                let address = bytes.assumingMemoryBound(to: sockaddr_in.self)
                address[0].sin_family = sa_family_t(AF_INET)
                address[0].sin_port = in_port_t(port).bigEndian
                inet_pton(AF_INET, host, &address[0].sin_addr)
                return (AF_INET, MemoryLayout<sockaddr_in>.size)
            case .unix(let path):
                bytes.assumingMemoryBound(to: sockaddr_un.self)[0].sun_family = sa_family_t(AF_UNIX)
                for (index, byte) in path.utf8.enumerated() { bytes[2 + index] = byte }
                return (AF_UNIX, MemoryLayout<sockaddr_un>.size)
            }
        }
        return try withUnsafePointer(to: &storage) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body(family, $0, socklen_t(length)) }
        }
    }
}
