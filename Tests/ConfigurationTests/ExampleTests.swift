import Configuration
import Foundation
import Settings
import Testing

@Suite struct ExampleTests {
    /// Every file in `pipelines`.
    static let names: [String] = {
        let folder = repository.appending(path: "pipelines").path
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }()

    @Test func `there are examples`() {
        #expect(Self.names.count >= 6 && Self.names.contains("default"))
    }

    @Test(arguments: names)
    func `an example loads without a warning`(name: String) throws {
        let file = try PipelineFile.load(
            repository.appending(path: "pipelines/\(name).json").path,
            environment: .process
        )
        #expect(file.warnings.isEmpty)
        #expect(file.pipelines.map(\.name) == (name == "all-signals" ? ["genai", "all"] : ["traces"]))
    }

    @Test(arguments: names)
    func `what is printed of an example loads again and prints the same`(name: String) throws {
        let file = try PipelineFile.load(
            repository.appending(path: "pipelines/\(name).json").path,
            environment: .process
        )
        let again = try PipelineFile(text: Array(file.printed.utf8), name: name, environment: .empty)
        #expect(again.printed == file.printed)
        #expect(again.warnings.isEmpty)
    }

    @Test(arguments: ["default", "sidecar", "container", "gateway"])
    func `an SDK is served at the one address whatever it speaks`(name: String) throws {
        let data = try Data(contentsOf: repository.appending(path: "pipelines/\(name).json"))
        let file = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let receivers = try #require(file["receivers"] as? [String: [String: Any]])
        func addresses(_ type: String) -> Set<String> {
            Set(receivers.values.filter { $0["type"] as? String == type }.compactMap { $0["listen"] as? String })
        }
        #expect(!addresses("otlp_http").isEmpty && addresses("otlp_http").isSubset(of: addresses("otlp_grpc")))
        let pipeline = (file["pipelines"] as? [String: [String: Any]])?["traces"]
        #expect(Set(pipeline?["receivers"] as? [String] ?? []) == Set(receivers.keys))
    }

    @Test func `the built-in file is the default example`() throws {
        let text = try Data(contentsOf: repository.appending(path: "pipelines/default.json"))
        #expect(PipelineFile.defaultText == Array(text))
    }

    @Test func `the built-in file needs nothing but a place to write`() throws {
        let file = try PipelineFile(text: PipelineFile.defaultText, name: PipelineFile.defaultName, environment: .empty)
        #expect(file.receivers.map(\.type) == ["otlp_http", "otlp_grpc", "otlp_grpc"])
        #expect(Set(file.exporters.map(\.type)) == ["file", "console"])
        #expect("\(file.admin.listen)" == "127.0.0.1:13133")
    }
}
