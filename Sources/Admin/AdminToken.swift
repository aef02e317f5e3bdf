import Basics
import Glibc
package import Logging

/// What a client of the admin endpoint shows before it may see content or change something: the pipeline file gives it, else
/// whoever can read the journal's directory finds it there.
package struct AdminToken: Sendable {
    private static let fileName = "admin-token"
    private static let byteCount = 32

    /// Hexadecimal digits, unless the pipeline file gives it.
    package let text: String
    /// Whether it was made here, and not given by a pipeline file.
    let isMade: Bool
    private let key = HMAC.randomKey()

    package init(text: String) {
        self.init(text: text, isMade: false)
    }

    private init(text: String, isMade: Bool) {
        (self.text, self.isMade) = (text, isMade)
    }

    /// The token of the processes before, else a new one, in a file that only this user can read; nil, and logged, where it cannot be
    /// written.
    ///
    /// Blocks for the disk. It stays the same, so that pages that are open go on after a restart; what others may have read or written
    /// is replaced.
    package static func keep(in directory: String, logger: Logger) -> AdminToken? {
        kept(in: directory) ?? create(in: directory, logger: logger)
    }

    /// Nil where there is none, or one that others than this user may know.
    private static func kept(in directory: String) -> AdminToken? {
        let descriptor = open("\(directory)/\(fileName)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 == 0,
            status.st_uid == geteuid(), status.st_nlink == 1, status.st_size == byteCount * 2,
            let text = text(in: descriptor), text.utf8.allSatisfy({ $0.hexDigit != nil })
        else { return nil }
        return AdminToken(text: text, isMade: true)
    }

    private static func create(in directory: String, logger: Logger) -> AdminToken? {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<byteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let text = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        let token = AdminToken(text: text, isMade: true)
        let path = "\(directory)/\(fileName)"
        // A file that is there may have other permissions, and a link may lead elsewhere.
        unlink(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        defer { if descriptor >= 0 { close(descriptor) } }
        let content = Array(token.text.utf8)
        guard descriptor >= 0, unsafe write(descriptor, content, content.count) == content.count else {
            let cause = unsafe String(cString: strerror(errno))
            logger.warning("no admin token: what needs it is closed", metadata: ["\(path)": "\(cause)"])
            return nil
        }
        return token
    }

    /// Removes what an earlier process wrote, where the pipeline file gives the token.
    ///
    /// Blocks for the disk.
    package static func remove(from directory: String) {
        unlink("\(directory)/\(fileName)")
    }

    /// The token of whoever has the journal in `directory` open; nil where it cannot be read.
    package static func read(in directory: String) -> AdminToken? {
        let descriptor = open("\(directory)/\(fileName)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return text(in: descriptor).map { AdminToken(text: $0) }
    }

    private static func text(in descriptor: Int32) -> String? {
        var content = [UInt8](repeating: 0, count: byteCount * 2)
        guard unsafe Glibc.read(descriptor, &content, content.count) == content.count else { return nil }
        return String(decoding: content, as: UTF8.self)
    }

    /// The `Authorization` header that shows it.
    package var authorization: String { "Bearer \(text)" }

    /// Whether the value of an `Authorization` header shows this token; the time it takes says nothing of the token.
    func isShown(in authorization: String) -> Bool {
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return false }
        let shown = HMAC.digest(Array(parts[1].utf8), key: key)
        return shown != nil && shown == HMAC.digest(Array(text.utf8), key: key)
    }
}
