import Admin
import Basics
import CMachine
import Configuration
import Glibc
import Journal

/// Asks the admin endpoint of a running process; for commands, which may block.
struct AdminClient {
    /// For connecting and for each read and write.
    private static let milliseconds: Int32 = 5000
    /// Answers over it are refused.
    private static let answerMax = ByteCount.mebibytes(64)

    private static let headEnd = Array("\r\n\r\n".utf8)

    let address: ListenAddress

    /// The body of the answer; nil where nothing listens at the address.
    ///
    /// `authorization` is a value for that header.
    ///
    /// - Throws: `AdminFailure` where something listens and does not answer 200.
    func send(_ method: String, _ path: String, authorization: String? = nil) throws(AdminFailure) -> String? {
        guard let stream = try connect() else { return nil }
        defer { close(stream) }
        // HTTP/1.0, so that the answer is not chunked.
        let lines = [
            "\(method) \(path) HTTP/1.0", "Host: localhost", "Content-Length: 0", "Connection: close",
            authorization.map { "Authorization: \($0)" },
        ]
        let head = lines.compactMap { $0 }.joined(separator: "\r\n") + "\r\n\r\n"
        try send(Array(head.utf8), to: stream)
        return try body(of: try receive(from: stream))
    }

    private func connect() throws(AdminFailure) -> Int32? {
        let stream: Int32
        switch address {
        case .tcp(let host, let port):
            let reachable = ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
            stream = unsafe millrace_connect_tcp(reachable, "\(port)", Self.milliseconds)
        case .unix(let path):
            stream = unsafe millrace_connect_unix(path, Self.milliseconds)
        }
        if stream >= 0 { return stream }
        if errno == ECONNREFUSED || errno == ENOENT { return nil }
        throw failure("cannot be reached")
    }

    private func send(_ request: [UInt8], to stream: Int32) throws(AdminFailure) {
        guard unsafe write(stream, request, request.count) == request.count else {
            throw failure("does not read the request")
        }
    }

    private func receive(from stream: Int32) throws(AdminFailure) -> [UInt8] {
        var answer: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe read(stream, &block, block.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0, answer.count <= Self.answerMax.bytes else { throw failure("does not answer") }
            guard count > 0 else { return answer }
            answer += block.prefix(count)
            if Self.isComplete(answer) { return answer }
        }
    }

    /// Whether as many bytes are there as the head promises.
    private static func isComplete(_ answer: [UInt8]) -> Bool {
        guard let end = answer.firstRange(of: headEnd)?.upperBound else { return false }
        let lines = String(decoding: answer[..<end], as: UTF8.self).lowercased().split(separator: "\r\n")
        guard let length = lines.first(where: { $0.hasPrefix("content-length:") }) else { return false }
        let digits = length.drop { $0 != ":" }.dropFirst().filter { $0 != " " }
        return Int(digits).map { answer.count - end >= $0 } ?? false
    }

    private func body(of answer: [UInt8]) throws(AdminFailure) -> String {
        let status = String(decoding: answer.prefix { $0 != 0x0D }, as: UTF8.self).split(separator: " ").dropFirst()
            .first
        guard let status, let head = answer.firstRange(of: Self.headEnd) else {
            throw AdminFailure(reason: "\(address) does not speak HTTP")
        }
        let body = String(decoding: answer[head.upperBound...], as: UTF8.self)
        switch status {
        case "200": return body
        // What was asked for is not there, or was not done whole: the body says so in a line.
        case "404", "507": throw AdminFailure(reason: body)
        default:
            let detail = body.isEmpty ? "" : ": \(body)"
            throw AdminFailure(reason: "\(address) answers with status \(status)\(detail)")
        }
    }

    private func failure(_ what: String) -> AdminFailure {
        AdminFailure(reason: "\(address) \(what): \(unsafe String(cString: strerror(errno)))")
    }
}

extension PipelineFile {
    /// Asks the process that has the journal open, and nobody else; nil where none has.
    ///
    /// With `showsToken` the request shows the token that lies beside the journal.
    ///
    /// - Throws: `AdminFailure`, or `JournalError` where there is no journal.
    func ask(_ method: String, _ path: String, showsToken: Bool = false) throws -> String? {
        let isInMemory = journal.storage == .memory
        if !isInMemory, try !Journal.isInUse(in: journal.directory) { return nil }
        let address = AdminPlace.read(in: journal.directory) ?? admin.listen
        let token = showsToken ? AdminToken.read(in: journal.directory) : nil
        let client = AdminClient(address: address)
        if let answer = try client.send(method, path, authorization: token?.authorization) { return answer }
        throw AdminFailure(
            reason: isInMemory
                ? "nothing answers at \(address), and a journal in memory ends with its process"
                : "a process has the journal in \(journal.directory) open, but nothing answers at \(address)"
        )
    }
}

/// Why the running process gave no answer, for the operator.
struct AdminFailure: Error, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}
