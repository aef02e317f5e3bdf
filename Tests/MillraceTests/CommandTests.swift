import Basics
import Foundation
import Testing

/// What the commands print where, and how they end.
@Suite struct CommandTests {
    private static let broken = #"{"receivers": {}, "exporters": {}, "pipeline": {}, "memory_limit": 5}"#

    @Test func `version names program and version`() throws {
        let result = try Program.run("version")
        #expect(result.code == 0)
        #expect(result.output == "\(Product.name) \(Product.version)\n")
        #expect(result.errors.isEmpty)
    }

    @Test func `validate says that a file is valid`() throws {
        let path = repository.appending(path: "pipelines/default.json").path
        let result = try Program.run("validate", path)
        #expect(result.code == 0)
        #expect(result.output == "\(path): valid\n")
        #expect(result.errors.isEmpty)
    }

    @Test func `validate prints every error of a file on standard output and ends with 78`() throws {
        try withFile(Self.broken) { path in
            let result = try Program.run("validate", path)
            #expect(result.code == 78)
            #expect(result.output.split(separator: "\n").count == 3)
            #expect(result.output.hasPrefix("\(path):1:1: /: \"pipelines\" is missing"))
            #expect(result.errors.isEmpty)
        }
    }

    @Test func `validate with print gives the whole file, secrets masked`() throws {
        let path = repository.appending(path: "pipelines/fan-out.json").path
        let result = try Program.run("validate", path, "--print", environment: ["PHOENIX_API_KEY": "hunter2"])
        #expect(result.code == 0)
        let node = try JSONNode(parsing: Array(result.output.utf8))
        #expect(node["exporters"]?["phoenix"]?["headers"]?["authorization"]?.string == "***")
        #expect(node["memory_limit"]?.string == "256MiB")
        #expect(!result.output.contains("hunter2"))
    }

    @Test func `a warning goes to standard error and the file is valid`() throws {
        let text = #"""
            {"receivers": {"in": {"type": "otlp_http"}}, "processors": {"map": {"type": "mlflow_map"}},
             "exporters": {"out": {"type": "console"}}, "pipelines": {"t": {"receivers": ["in"], "exporters": ["out"]}}}
            """#
        try withFile(text) { path in
            let result = try Program.run("validate", path)
            #expect(result.code == 0)
            #expect(result.errors == "\(path):1:61: /processors/map: warning: no pipeline uses it\n")
        }
    }

    @Test func `run refuses a broken file on standard error and ends with 78`() throws {
        try withFile(Self.broken) { path in
            let result = try Program.run("run", "--config", path)
            #expect(result.code == 78)
            #expect(result.output.isEmpty)
            #expect(result.errors.split(separator: "\n").count == 3)
        }
    }

    @Test(arguments: ["run", "ledger"])
    func `a file that is not there is wrong configuration`(command: String) throws {
        let result = try Program.run(command, "--config", "/nowhere/pipeline.json")
        #expect(result.code == 78)
        #expect(result.errors == "/nowhere/pipeline.json: cannot be read: No such file or directory\n")
    }

    @Test(arguments: [["frobnicate"], ["run", "--frobnicate"], ["validate"], ["reload"], ["run", "extra"]])
    func `wrong usage ends with 64 and says how it is used`(arguments: [String]) throws {
        let result = try arguments.count > 1 ? Program.run(arguments[0], arguments[1]) : Program.run(arguments[0])
        #expect(result.code == 64)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("Usage: millrace"))
    }

    @Test func `schema is one JSON document and reference is Markdown`() throws {
        let schema = try Program.run("schema")
        #expect(schema.code == 0)
        let node = try JSONNode(parsing: Array(schema.output.utf8))
        #expect(node["$schema"]?.string == "https://json-schema.org/draft/2020-12/schema")
        #expect(try Program.run("reference").output.hasPrefix("# The pipeline file\n"))
    }
}
