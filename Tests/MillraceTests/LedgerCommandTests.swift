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
            let mark = AdminPlace(address: .tcp(host: "127.0.0.1", port: server.port)).note(in: directory.path)
            let result = try Program.run("ledger", "--config", path)
            #expect(result.code == 0)
            #expect(result.output == "{\"pipelines\": {}}\n")
            withExtendedLifetime((lock, mark)) {}
        }
    }

    @Test(arguments: [true, false])
    func `the token of a journal in memory goes to the process that noted its address, and to nobody else`(
        isHeld: Bool
    ) throws {
        let directory = try TemporaryDirectory()
        let server = try LoopbackServer { request in
            request.header("authorization") == "Bearer seeded-admin-token"
                ? .reply(status: 200, body: Array("{}".utf8)) : .reply(status: 401)
        }
        defer { server.close() }
        let text = file(admin: "127.0.0.1:\(server.port)", journal: directory.path)
            .replacing(#""journal": {"#, with: #""journal": {"storage": "memory", "#)
            .replacing(#""admin": {"#, with: #""admin": {"token": "seeded-admin-token", "#)
        try withFile(text) { path in
            var mark = AdminPlace(address: .tcp(host: "127.0.0.1", port: server.port)).note(in: directory.path)
            if !isHeld { mark = nil }
            let result = try Program.run("ledger", "--config", path)
            #expect(result.code == (isHeld ? 0 : 1))
            #expect(result.errors.contains("the admin token was not shown") == !isHeld)
            withExtendedLifetime(mark) {}
        }
        #expect(server.requests.count == 1)
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

    private func ask(_ address: ListenAddress) async throws(AdminFailure) -> String {
        try await AdminClient(place: AdminPlace(address: address), isSecured: false).send("GET", "/ledger")
    }

    @Test(arguments: [
        (LoopbackServer.Answer.reply(status: 503), "answers with status 503"),
        (.cut, "does not answer: "),
        (.raw(Array("SSH-2.0-OpenSSH\r\n".utf8)), "does not answer: "),
    ])
    func `another answer than 200 is a failure`(answer: LoopbackServer.Answer, reason: String) async throws {
        let server = try LoopbackServer { _ in answer }
        defer { server.close() }
        let failure = await #expect(throws: AdminFailure.self) {
            try await ask(.tcp(host: "127.0.0.1", port: server.port))
        }
        #expect(failure?.reason.hasPrefix("127.0.0.1:\(server.port) \(reason)") == true)
    }

    @Test func `an answer without a length ends with the connection`() async throws {
        let server = try LoopbackServer { _ in .raw(Array("HTTP/1.0 200 OK\r\n\r\n{}".utf8)) }
        defer { server.close() }
        #expect(try await ask(.tcp(host: "127.0.0.1", port: server.port)) == "{}")
    }

    @Test func `where nothing listens there is no answer`() async throws {
        let server = try LoopbackServer { _ in .cut }
        server.close()
        for address in [ListenAddress.tcp(host: "127.0.0.1", port: server.port), .unix(path: "/nowhere/admin.sock")] {
            let failure = await #expect(throws: AdminFailure.self) { try await ask(address) }
            #expect(failure?.isUnreachable == true)
        }
    }

    @Test func `where an endpoint speaks TLS and its key is not known, nothing is sent`() async throws {
        let server = try LoopbackServer { _ in .reply(status: 200) }
        defer { server.close() }
        let place = AdminPlace(address: .tcp(host: "127.0.0.1", port: server.port))
        let failure = await #expect(throws: AdminFailure.self) {
            try await AdminClient(place: place, isSecured: true).send("GET", "/ledger")
        }
        #expect(failure?.reason.contains("speaks TLS") == true)
        #expect(server.requests.isEmpty)
    }
}
