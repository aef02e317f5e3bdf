import Admin
import Basics
import Foundation
import Journal
import TestKit
import Testing

@testable import Millrace

@Suite struct LedgerCommandTests {
    private func file(admin: String, journal: String) -> String {
        """
        {"receivers": {"in": {"type": "otlp_http", "listen": "127.0.0.1:0"}}, "exporters": {"out": {"type": "console"}},
         "pipelines": {"t": {"receivers": ["in"], "exporters": ["out"]}}, "admin": {"listen": "\(admin)"},
         "journal": {"directory": "\(journal)"}}
        """
    }

    @Test func `the ledger is asked of the process that has the journal, wherever it listens`() throws {
        let directory = try TemporaryDirectory()
        let server = try LoopbackServer { request in
            request.method == "GET" && request.path == "/ledger"
                ? .reply(status: 200, body: Array(#"{"pipelines": {}}"#.utf8)) : .reply(status: 404)
        }
        defer { server.close() }
        try withFile(file(admin: "127.0.0.1:1", journal: directory.path)) { path in
            let lock = try SystemFileSystem().lock(directory.path + "/lock")
            AdminPlace.note(.tcp(host: "127.0.0.1", port: server.port), in: directory.path)
            let result = try Program.run("ledger", "--config", path)
            #expect(result.code == 0)
            #expect(result.output == "{\"pipelines\": {}}\n")
            withExtendedLifetime(lock) {}
        }
    }

    @Test func `a process with another journal is not asked`() throws {
        let directory = try TemporaryDirectory()
        let server = try LoopbackServer { _ in .reply(status: 200, body: Array("{}".utf8)) }
        defer { server.close() }
        try withFile(file(admin: "127.0.0.1:\(server.port)", journal: directory.path + "/none")) { path in
            let results = [
                try Program.run("ledger", "--config", path), try Program.run("dead-letters", "list", "--config", path),
            ]
            for result in results {
                #expect(result.code == 1)
                #expect(result.errors.contains("there is no journal in \(directory.path)/none"))
            }
        }
        #expect(server.requests.isEmpty)
    }

    @Test(arguments: [
        (LoopbackServer.Answer.reply(status: 503), "answers with status 503"),
        (.cut, "does not speak HTTP"),
        (.raw(Array("SSH-2.0-OpenSSH\r\n".utf8)), "does not speak HTTP"),
    ])
    func `another answer than 200 is a failure`(answer: LoopbackServer.Answer, reason: String) throws {
        let server = try LoopbackServer { _ in answer }
        defer { server.close() }
        let client = AdminClient(address: .tcp(host: "127.0.0.1", port: server.port))
        let failure = #expect(throws: AdminFailure.self) { try client.send("GET", "/ledger") }
        #expect(failure?.reason == "127.0.0.1:\(server.port) \(reason)")
    }

    @Test func `an answer without a length ends with the connection`() throws {
        let server = try LoopbackServer { _ in .raw(Array("HTTP/1.0 200 OK\r\n\r\n{}".utf8)) }
        defer { server.close() }
        #expect(try AdminClient(address: .tcp(host: "127.0.0.1", port: server.port)).send("GET", "/ledger") == "{}")
    }

    @Test func `where nothing listens there is no answer`() throws {
        let server = try LoopbackServer { _ in .cut }
        server.close()
        #expect(try AdminClient(address: .tcp(host: "127.0.0.1", port: server.port)).send("GET", "/ledger") == nil)
        #expect(try AdminClient(address: .unix(path: "/nowhere/admin.sock")).send("GET", "/ledger") == nil)
    }
}
