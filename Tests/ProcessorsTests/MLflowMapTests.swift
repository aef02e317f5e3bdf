import Basics
import Conditions
import MLflow
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

struct MLflowMapTests {
    @Test func `what was found is there for later processors, and counted`() throws {
        var work = try work(
            TestSpan(id: 2, parent: 1, ["gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5]),
            TestSpan(id: 3, parent: 1, ["http.method": "GET"]),
            TestSpan(id: 4, parent: 1, ["session.id": ""])
        )
        try MLflowMap(name: "map", settings: MLflowMapSettings()).process(&work)
        #expect(Array(work.mapped) == [MappedSpan(type: "CHAT_MODEL", tokens: 5), MappedSpan(), MappedSpan()])
        #expect(work.tally.count(.mapped, by: "map") == 1)
        #expect(work.tally.count(.repaired, by: "map") == 1)
    }

    @Test func `a span that would grow many times stays as it came and is counted`() throws {
        let calls = repeatElement("{}", count: 20_000).joined(separator: ",")
        let messages = TestValue.string(#"[{"role":"assistant","tool_calls":[\#(calls)]}]"#)
        let span = TestSpan(id: 2, parent: 1, ["gen_ai.operation.name": "chat", "gen_ai.input.messages": messages])
        let map = try MLflowMap(name: "map", settings: MLflowMapSettings())
        var request = try work(span, TestSpan(id: 3, parent: 1, ["gen_ai.operation.name": "chat"]))
        map.process(&request)
        #expect(request.tally.count(.unmapped, by: "map") == 1)
        #expect(request.tally.count(.mapped, by: "map") == 1)
        var told = try work(span)
        let decisions = map.explain(&told)
        #expect(decisions.map(\.action) == [.ignored("the request's budget of added bytes does not suffice")])
    }

    @Test func `settings choose conventions, rules and whether sources stay`() throws {
        var settings = MLflowMapSettings()
        settings.conventions = ["traceloop"]
        settings.keepSource = false
        let rules = #"{"type": [{"rule": "kind", "attribute": "acme", "values": {"x": "PARSER"}}]}"#
        settings.rules = [try JSONNode(parsing: Array(rules.utf8))]
        let processor = try MLflowMap(name: "map", settings: settings)
        var work = try work(
            TestSpan(id: 2, parent: 1, ["gen_ai.operation.name": "chat"]),
            TestSpan(id: 3, parent: 1, ["acme": "x"]),
            resource: [:]
        )
        let decisions = processor.explain(&work)
        #expect(decisions.map(\.rule) == ["user.kind"])
        let out = try SpanBatch(try #require(work.batch.encoded()).payload)
        #expect(out.attributes.map { out.text($0.key) }.sorted().suffix(1) == ["mlflow.spanType"])
    }

    @Test func `a wrong rule is refused with its place`() throws {
        var settings = MLflowMapSettings()
        settings.rules = [try JSONNode(parsing: Array(#"{"type": 5}"#.utf8))]
        let error = #expect(throws: DocumentProblems.self) { try MLflowMap(name: "map", settings: settings) }
        #expect(error?.list.map(\.pointer) == ["/type"])
    }
}
