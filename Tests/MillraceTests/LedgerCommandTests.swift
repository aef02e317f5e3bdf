import Basics
import Foundation
import TestKit
import Testing

@testable import Millrace

@Suite struct LedgerCommandTests {
    private func file(admin: String) -> String {
        """
        {"receivers": {"in": {"type": "otlp_http", "listen": "127.0.0.1:0"}}, "exporters": {"out": {"type": "console"}},
         "pipelines": {"t": {"receivers": ["in"], "exporters": ["out"]}}, "admin": {"listen": "\(admin)"}}
        """
    }

    @Test func `the ledger is asked of the running process`() throws {
        let server = try LoopbackServer { request in
            request.method == "GET" && request.path == "/ledger"
                ? .reply(status: 200, body: Array(#"{"pipelines": {}}"#.utf8)) : .reply(status: 404)
        }
        defer { server.close() }
        try withFile(file(admin: "127.0.0.1:\(server.port)")) { path in
            let result = try Program.run("ledger", "--config", path)
            #expect(result.code == 0)
            #expect(result.output == "{\"pipelines\": {}}\n")
        }
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
        let failure = #expect(throws: AdminFailure.self) { try client.get("/ledger") }
        #expect(failure?.reason == "127.0.0.1:\(server.port) \(reason)")
    }

    @Test func `an answer without a length ends with the connection`() throws {
        let server = try LoopbackServer { _ in .raw(Array("HTTP/1.0 200 OK\r\n\r\n{}".utf8)) }
        defer { server.close() }
        #expect(try AdminClient(address: .tcp(host: "127.0.0.1", port: server.port)).get("/ledger") == "{}")
    }

    @Test func `where nothing listens there is no answer`() throws {
        let server = try LoopbackServer { _ in .cut }
        server.close()
        #expect(try AdminClient(address: .tcp(host: "127.0.0.1", port: server.port)).get("/ledger") == nil)
        #expect(try AdminClient(address: .unix(path: "/nowhere/admin.sock")).get("/ledger") == nil)
    }
}
