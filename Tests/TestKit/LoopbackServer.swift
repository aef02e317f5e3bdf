package import Basics
import Glibc
import Synchronization

/// A small HTTP/1.1 server on a free loopback port that answers as a test tells it to.
///
/// One thread for each connection; connections are kept alive. Bodies need a `Content-Length`. Listens until it is
/// closed or the test process ends.
package final class LoopbackServer: Sendable {
    /// One request as it came.
    package struct Request: Sendable {
        package var method: String
        package var path: String
        /// Names in lower case.
        package var headers: [HTTPHeader]
        package var body: [UInt8]
        /// Which connection it came on, counted from 0.
        package var connection: Int

        package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    }

    /// What to do with a request.
    package enum Answer: Sendable {
        case reply(status: Int, headers: [HTTPHeader] = [], body: [UInt8] = [])
        /// The bytes as they are; the connection is closed behind them.
        case raw([UInt8])
        /// Closes without a word.
        case cut
        /// Says nothing until the client goes away.
        case silence
    }

    private struct State {
        var requests: [Request] = []
        var connections = 0
        var isClosed = false
    }

    /// Where it listens.
    package let port: Int
    private let listener: Int32
    private let answer: @Sendable (Request) -> Answer
    private let state = Mutex(State())

    package init(answer: @escaping @Sendable (Request) -> Answer) throws {
        self.answer = answer
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                let status = bind(listener, pointer, length) | listen(listener, 64)
                return status | getsockname(listener, pointer, &length)
            }
        }
        self.listener = listener
        guard status == 0 else { throw ListenFailure(code: errno) }
        port = Int(UInt16(bigEndian: address.sin_port))
        spawnThread(named: "loopback") { self.acceptAll() }
    }

    /// The system call that failed left this errno.
    package struct ListenFailure: Error {
        package let code: Int32
    }

    /// The base of its URLs.
    package var url: String { "http://127.0.0.1:\(port)" }
    /// Every request so far, oldest first.
    package var requests: [Request] { state.withLock { $0.requests } }

    /// Stops listening; further connections are refused.
    package func close() {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        guard !wasClosed else { return }
        // The thread that accepts closes it: closed here, its number could be another server's before that thread is awake.
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func acceptAll() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else {
                _ = Glibc.close(listener)
                return
            }
            let number = state.withLock { state in
                state.connections += 1
                return state.connections - 1
            }
            spawnThread(named: "loopback-client") { self.serve(client, number) }
        }
    }

    private func serve(_ client: Int32, _ number: Int) {
        defer { _ = Glibc.close(client) }
        var input: [UInt8] = []
        while let request = Self.read(from: client, buffer: &input, connection: number) {
            state.withLock { $0.requests.append(request) }
            switch answer(request) {
            case .reply(let status, let headers, let body):
                let fields = headers.map { "\($0.name): \($0.value)\r\n" }.joined()
                let head = "HTTP/1.1 \(status) Scripted\r\nContent-Length: \(body.count)\r\n\(fields)\r\n"
                guard Self.write(Array(head.utf8) + body, to: client) else { return }
            case .raw(let bytes):
                _ = Self.write(bytes, to: client)
                return
            case .cut: return
            case .silence:
                while Self.fill(&input, from: client) {}
                return
            }
        }
    }
}

extension LoopbackServer {
    private static func read(from client: Int32, buffer: inout [UInt8], connection: Int) -> Request? {
        let mark = Array("\r\n\r\n".utf8)
        var end: Int?
        while end == nil {
            end = buffer.indices.dropLast(3).first { Array(buffer[$0..<$0 + 4]) == mark }
            guard end != nil || fill(&buffer, from: client) else { return nil }
        }
        guard let end else { return nil }
        let lines = String(decoding: buffer[..<end], as: UTF8.self).split(separator: "\r\n")
        let start = (lines.first ?? "").split(separator: " ")
        guard start.count == 3 else { return nil }
        let headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return HTTPHeader(parts[0].lowercased(), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
        }
        buffer.removeFirst(end + 4)
        let length = headers.first { $0.name == "content-length" }.flatMap { Int($0.value) } ?? 0
        while buffer.count < length {
            guard fill(&buffer, from: client) else { return nil }
        }
        let body = Array(buffer.prefix(length))
        buffer.removeFirst(length)
        return Request(
            method: String(start[0]),
            path: String(start[1]),
            headers: headers,
            body: body,
            connection: connection
        )
    }

    private static func fill(_ buffer: inout [UInt8], from client: Int32) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(client, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        buffer.append(contentsOf: chunk[..<count])
        return true
    }

    private static func write(_ bytes: [UInt8], to client: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                send(client, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
