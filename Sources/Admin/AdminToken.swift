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
    /// Whether it was made for this process, and not given by a pipeline file.
    let isOfProcess: Bool
    private let key = HMAC.randomKey()

    package init(text: String) {
        self.init(text: text, isOfProcess: false)
    }

    private init(text: String, isOfProcess: Bool) {
        (self.text, self.isOfProcess) = (text, isOfProcess)
    }

    /// A new token, in a file that only this user can read; nil, and logged, where it cannot be written.
    ///
    /// Blocks for the disk. It replaces the token of the process before.
    package static func create(in directory: String, logger: Logger) -> AdminToken? {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<byteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let text = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        let token = AdminToken(text: text, isOfProcess: true)
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

    /// Whether the value of an `Authorization` header shows this token; the time it takes says nothing of the token.
    func isShown(in authorization: String) -> Bool {
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return false }
        let shown = HMAC.digest(Array(parts[1].utf8), key: key)
        return shown != nil && shown == HMAC.digest(Array(text.utf8), key: key)
    }
}
