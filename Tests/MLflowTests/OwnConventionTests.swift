import Basics
import Foundation
import OTLP
import Settings
import TestKit
import Testing

@testable import MLflow

/// A new framework needs a pipeline file and no release: what is built in for one reads the same from a user's rules.
struct OwnConventionTests {
    /// Without the built-in entry, and with its rules as a user writes them.
    private func rules(without convention: String) throws -> (none: MappingRules, own: MappingRules) {
        let entry = try #require(EmbeddedRules.conventions.first { $0.name == convention })
        var document = try #require(try JSONSerialization.jsonObject(with: Data(entry.text)) as? [String: Any])
        document["convention"] = "own_\(convention)"
        for member in ["reference", "token_counts", "plain_calls"] { document[member] = nil }
        let text = try JSONSerialization.data(withJSONObject: document)
        let others = MappingRules.conventionNames.filter { $0 != convention }
        let user = try RuleDocument(userRules: try JSONNode(parsing: Array(text)))
        return (try MappingRules(conventions: others), try MappingRules(conventions: others, user: [user]))
    }

    private func pages(_ body: [UInt8], _ rules: MappingRules) throws -> [SpanID: [String: String]] {
        let payload = try mapCounting(body, rules: rules).payload
        return Dictionary(uniqueKeysWithValues: try readSpans(payload).map { ($0.id, $0.attributes) })
    }

    @Test(
        arguments: [
            ("mastra", "node-mastra-1.71-otel-2"), ("genkit", "go-genkit-1"), ("genkit", "node-genkit-1"),
            ("spring_ai", "java-springai-micrometer-10"), ("spring_ai", "java-springai-micrometer-8"),
        ]
    )
    func `a framework whose entry is off reads the same from a pipeline file`(convention: String, body: String) throws {
        let bytes = try Page.body("Data/clients/\(body).pb")
        let (none, own) = try rules(without: convention)
        let builtIn = try pages(bytes, try TestRules.all.get())
        #expect(try pages(bytes, own) == builtIn)
        #expect(try pages(bytes, none) != builtIn)
    }
}
