import Admin
import Glibc
import Logging
import TestKit
import Testing

@Suite struct `The admin token beside the journal` {
    private let directory: TemporaryDirectory
    private let token: AdminToken
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        directory = try TemporaryDirectory()
        token = try #require(AdminToken.keep(in: directory.path, logger: Self.logger))
    }

    private var kept: AdminToken? { AdminToken.keep(in: directory.path, logger: Self.logger) }

    @Test func `stays the same across restarts, readable by its user alone`() {
        #expect(kept?.text == token.text && AdminToken.read(in: directory.path)?.text == token.text)
        #expect(directory.permissions(of: "admin-token") == 0o600)
        AdminToken.remove(from: directory.path)
        #expect(kept.map { $0.text != token.text } == true)
        #expect(AdminToken.keep(in: directory.path + "/none", logger: Self.logger) == nil)
    }

    @Test(arguments: ["others read it", "a link", "another name", "cut", "longer", "no digits"])
    func `is another one where others may know it, or it is none`(what: String) throws {
        let path = directory.path + "/admin-token"
        switch what {
        case "others read it": chmod(path, 0o640)
        case "a link":
            rename(path, path + "-else")
            symlink(path + "-else", path)
        case "another name": link(path, path + "-else")
        case "cut": truncate(path, 63)
        case "longer": truncate(path, 65)
        default:
            let descriptor = open(path, O_WRONLY)
            defer { close(descriptor) }
            _ = unsafe write(descriptor, "no digit", 8)
        }
        let new = try #require(kept)
        #expect(new.text != token.text && new.text.utf8.count == 64)
        #expect(directory.permissions(of: "admin-token") == 0o600)
        #expect(kept?.text == new.text && AdminToken.read(in: directory.path)?.text == new.text)
    }
}
