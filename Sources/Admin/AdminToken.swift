import Glibc
package import Logging

/// What a client of the admin endpoint shows before it may see or move dead letters: who can read the journal's directory
/// may, nobody else.
package struct AdminToken: Sendable {
    private static let fileName = "admin-token"
    private static let byteCount = 32

    /// Hexadecimal digits.
    package let text: String

    /// A new token, in a file that only this user can read; nil, and logged, where it cannot be written.
    ///
    /// Blocks for the disk. It replaces the token of the process before.
    package static func create(in directory: String, logger: Logger) -> AdminToken? {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<byteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let token = AdminToken(text: bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())
        let path = "\(directory)/\(fileName)"
        // A file that is there may have other permissions, and a link may lead elsewhere.
        unlink(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        defer { if descriptor >= 0 { close(descriptor) } }
        let content = Array(token.text.utf8)
        guard descriptor >= 0, unsafe write(descriptor, content, content.count) == content.count else {
            let cause = unsafe String(cString: strerror(errno))
            logger.warning("dead letters cannot be managed while this process runs", metadata: ["\(path)": "\(cause)"])
            return nil
        }
        return token
    }

    /// The token of the process that has the journal in `directory` open; nil where it cannot be read.
    package static func read(in directory: String) -> AdminToken? {
        let descriptor = open("\(directory)/\(fileName)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content = [UInt8](repeating: 0, count: byteCount * 2)
        guard unsafe Glibc.read(descriptor, &content, content.count) == content.count else { return nil }
        return AdminToken(text: String(decoding: content, as: UTF8.self))
    }

    /// The `Authorization` header that shows it.
    package var authorization: String { "Bearer \(text)" }

    /// Whether that header shows this token; takes as long for every wrong one of the same length.
    func isShown(in authorization: String?) -> Bool {
        let shown = Array((authorization ?? "").utf8)
        let own = Array(self.authorization.utf8)
        guard shown.count == own.count else { return false }
        return zip(shown, own).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
