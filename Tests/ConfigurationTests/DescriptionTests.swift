import Basics
import Foundation
import Settings
import Testing

@testable import Configuration

/// Schema, reference and reader come from one description; these tests look at them from outside.
@Suite struct DescriptionTests {
    private func schema() throws -> JSONNode { try JSONNode(parsing: Array(Catalogue.schema().utf8)) }

    /// The schema of a component's settings.
    private func component(_ section: String, _ type: String) throws -> JSONNode {
        let components = try schema()["properties"]?[section]?["additionalProperties"]
        let cases = components?["allOf"]?.elements ?? []
        let found = cases.first { $0["if"]?["properties"]?["type"]?["const"]?.string == type }
        return try #require(found?["then"])
    }

    static let components: [(section: String, type: String)] =
        Catalogue.receivers.map { ("receivers", $0.type) }
        + Catalogue.processors.map { ("processors", $0.type) }
        + Catalogue.exporters.map { ("exporters", $0.type) }

    @Test(arguments: components)
    func `every default of the schema is accepted by the reader`(section: String, type: String) throws {
        let properties = try #require(component(section, type)["properties"]?.members)
        let defaults = properties.compactMap { property in
            property.node["default"].map { "\"\(property.name)\": \(JSON($0).lineText)" }
        }
        let settings = (["\"type\": \"\(type)\""] + defaults).joined(separator: ", ")
        let name = section == "receivers" ? "in" : "out"
        let lines = problems(of: file([section: "{\"\(name)\": {\(settings)}}"]))
        // What is required has no default.
        #expect(lines.filter { !$0.contains(": warning: ") && !$0.contains(" is missing; ") } == [])
    }

    @Test(arguments: components)
    func `every setting has a description, and no other name is allowed`(section: String, type: String) throws {
        let schema = try component(section, type)
        let properties = try #require(schema["properties"]?.members)
        for property in properties where property.name != "type" {
            #expect(property.node["description"]?.string?.hasSuffix(".") == true, "\(property.name)")
        }
        #expect(schema["additionalProperties"]?.bool == false)
        #expect(schema["description"]?.string?.hasSuffix(".") == true)
    }

    @Test func `a type stands once in the table`() {
        #expect(Set(Catalogue.receivers.map(\.type)).count == Catalogue.receivers.count)
        #expect(Set(Catalogue.processors.map(\.type)).count == Catalogue.processors.count)
        #expect(Set(Catalogue.exporters.map(\.type)).count == Catalogue.exporters.count)
    }

    @Test func `the reference is what the descriptions say`() throws {
        let file = repository.appending(path: "pipelines/REFERENCE.md")
        let reference = try String(contentsOf: file, encoding: .utf8)
        #expect(reference == Catalogue.reference() + "\n", "run `make reference`")
    }

    @Test func `the rules that the documentation shows are those of the example`() throws {
        let text = try String(contentsOf: repository.appending(path: "pipelines/docs/rules.md"), encoding: .utf8)
        let example = try Data(contentsOf: repository.appending(path: "pipelines/in-house.json"))
        let map = try JSONNode(parsing: Array(example))["processors"]?["map"]
        let rules = try #require(map?["rules"]?.elements)
        let shown = text.components(separatedBy: "```json\n{ \"convention\"").dropFirst().compactMap { block in
            block.components(separatedBy: "```").first.map { "{ \"convention\"" + $0 }
        }
        #expect(shown.count == 3)
        for (document, rule) in zip(shown, rules) {
            #expect(try JSON(JSONNode(parsing: Array(document.utf8))) == JSON(rule))
        }
    }
}
