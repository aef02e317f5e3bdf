import Basics
import Foundation
import Testing

/// `explain` and `test`, as people and CI run them.
@Suite struct ExplainCommandTests {
    private static let sidecar = repository.appending(path: "pipelines/sidecar.json").path
    private static let body = #"""
        {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
         "scopeSpans": [{"spans": [{"traceId": "00000000000000000000000000000001", "spanId": "000000000000000a",
          "name": "chat", "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]}]}]}]}
        """#

    /// A folder with the body in a file of that name.
    private func withBody<Result>(
        _ bytes: [UInt8],
        named name: String,
        _ body: (String) throws -> Result
    ) throws -> Result {
        try withFile("") { path in
            let file = URL(filePath: path).deletingLastPathComponent().appending(path: name)
            try Data(bytes).write(to: file)
            return try body(file.path)
        }
    }

    @Test(arguments: ["body.json", "body.txt", "body"])
    func `explain prints what became of each span`(name: String) throws {
        try withBody(Array(Self.body.utf8), named: name) { path in
            let result = try Program.run("explain", "--config", Self.sidecar, path)
            #expect(result.code == 0)
            #expect(result.errors.isEmpty)
            #expect(result.output.hasPrefix("chat  span 000000000000000a  trace 00000000…  service shop\n"))
            #expect(result.output.contains("mlflow.spanType = \"CHAT_MODEL\""))
            #expect(result.output.contains("    experiment \"shop\"   from resource.service.name\n"))
            #expect(result.output.hasSuffix("\n\npipeline traces: 1 span, 1 to mlflow\n"))
        }
    }

    @Test func `explain takes headers and prints JSON`() throws {
        try withBody(Array(Self.body.utf8), named: "body.json") { path in
            let header = "X-MLflow-Experiment-ID: 7"
            let result = try Program.run("explain", "--config", Self.sidecar, "--header", header, "--json", path)
            #expect(result.code == 0)
            let node = try JSONNode(parsing: Array(result.output.utf8))
            let span = node["pipelines"]?.elements?.first?["spans"]?.elements?.first
            #expect(span?["experiment"]?.string == "7")
        }
    }

    @Test(arguments: [true, false])
    func `nothing in a body drives the terminal that explain prints to`(asJSON: Bool) throws {
        let hostile = "\\u001b[2J\\n\\u009b31m\\u202e"
        let text = Self.body.replacing("shop", with: "shop\(hostile)").replacing(
            "\"chat\"}",
            with: "\"chat\"}}, {\"key\": \"k\(hostile)\", \"value\": {\"stringValue\": \"v\(hostile)\"}"
        )
        try withBody(Array(text.utf8), named: "body.json") { path in
            let result =
                try asJSON
                ? Program.run("explain", "--config", Self.sidecar, "--json", path)
                : Program.run("explain", "--config", Self.sidecar, path)
            #expect(result.code == 0)
            let scalars = result.output.unicodeScalars.map(\.value)
            #expect(scalars.allSatisfy { $0 == 0x0A || $0 >= 0x20 && !(0x7F..<0xA0).contains($0) && $0 != 0x202E })
            if asJSON { #expect(throws: Never.self) { try JSONNode(parsing: Array(result.output.utf8)) } }
        }
    }

    @Test func `a body that cannot be read ends with 1 and says where`() throws {
        try withBody(Array("{\"resourceSpans\":\n [}".utf8), named: "body.json") { path in
            let result = try Program.run("explain", "--config", Self.sidecar, path)
            #expect(result.code == 1)
            #expect(result.output.isEmpty)
            #expect(result.errors.hasPrefix("\(path):2:3: "))
        }
        try withBody([0x0A, 0x7F], named: "body.pb") { path in
            let result = try Program.run("explain", "--config", Self.sidecar, path)
            #expect(result.code == 1)
            #expect(result.errors.hasPrefix("\(path): byte "))
        }
        try withBody([0x1F, 0x8B, 8, 0], named: "body.pb.gz") { path in
            let result = try Program.run("explain", "--config", Self.sidecar, path)
            #expect(result.code == 1)
            #expect(result.errors == "\(path): the body is not valid gzip: it ends early\n")
        }
        let missing = try Program.run("explain", "--config", Self.sidecar, "/nowhere/body.pb")
        #expect(missing.code == 1)
        #expect(missing.errors == "/nowhere/body.pb: cannot be read: No such file or directory\n")
    }

    @Test func `a wrong pipeline file ends with 78, a wrong pipeline or header with 64`() throws {
        try withFile("{}") { path in
            let explained = try Program.run("explain", "--config", path, path)
            #expect(explained.code == 78)
            let tested = try Program.run("test", path)
            #expect(tested.code == 78)
        }
        let pipeline = try Program.run("explain", "--config", Self.sidecar, "--pipeline", "metrics", "body.pb")
        #expect(pipeline.code == 64)
        #expect(pipeline.errors.contains("has no pipeline \"metrics\", only traces."))
        #expect(try Program.run("explain", "--config", Self.sidecar, "--header", "seven", "body.pb").code == 64)
    }

    @Test func `explain writes no journal and no file`() throws {
        let text = try String(contentsOfFile: Self.sidecar, encoding: .utf8)
        try withFile(text) { path in
            let folder = URL(filePath: path).deletingLastPathComponent()
            let body = folder.appending(path: "body.json")
            try Data(Self.body.utf8).write(to: body)
            let data = folder.appending(path: "journal").path
            let result = try Program.run("explain", "--config", path, body.path, environment: ["MILLRACE_DATA": data])
            #expect(result.code == 0)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(Set(names) == ["pipeline.json", "body.json"])
        }
    }

    @Test func `test says for each test how it ended, and reads bodies beside the file`() throws {
        let pipeline = #"""
            {"receivers": {"in": {"type": "otlp_http"}}, "exporters": {"out": {"type": "console"}},
             "processors": {"map": {"type": "mlflow_map"}},
             "pipelines": {"t": {"receivers": ["in"], "processors": ["map"], "exporters": ["out"]}},
             "tests": [
               {"name": "typed", "input_file": "body.json",
                "expect": {"spans": [{"name": "chat", "attributes": {"mlflow.spanType": "CHAT_MODEL"}}], "kept": 1}},
               {"name": "wrong", "input_file": "body.json",
                "expect": {"spans": [{"name": "chat", "attributes": {"mlflow.spanType": "LLM"}}]}}]}
            """#
        try withFile(pipeline) { path in
            let body = URL(filePath: path).deletingLastPathComponent().appending(path: "body.json")
            try Data(Self.body.utf8).write(to: body)
            let result = try Program.run("test", path)
            #expect(result.code == 1)
            let lines = [
                "ok typed", "FAILED wrong", "  span \"chat\"",
                "    mlflow.spanType: expected \"LLM\", found \"CHAT_MODEL\"", "2 tests, 1 failed", "",
            ]
            #expect(result.output == lines.joined(separator: "\n"))
        }
    }

    @Test(arguments: ["gateway.json", "in-house.json", "cost-control.json", "cli-sessions.json"])
    func `the tests of an example pass`(example: String) throws {
        let result = try Program.run("test", repository.appending(path: "pipelines/\(example)").path)
        #expect(result.code == 0)
        #expect(result.output.hasSuffix(" tests, 0 failed\n"))
    }

    @Test func `a file without tests says so`() throws {
        let sidecar = try Program.run("test", Self.sidecar)
        #expect(sidecar.code == 0)
        #expect(sidecar.output == "no tests in \(Self.sidecar)\n")
    }
}
