import Basics
import Conditions
import OTLP
import TestKit
import Testing

@testable import MLflow

/// What rules may say beside types and content.
struct UserRuleTests {
    /// Maps spans with one user's document, and says what was decided.
    private func map(_ rules: String, _ spans: TestSpan...) throws -> (spans: [ReadSpan], outcome: MappingOutcome) {
        let document = try RuleDocument(userRules: try JSONNode(parsing: Array(rules.utf8)))
        var batch = try SpanBatch(tracesRequest(spans))
        var mapper = SpanMapper(rules: try MappingRules(user: [document]))
        let outcome = mapper.map(&batch, explaining: true)
        return (try readSpans(batch.encoded()?.payload ?? []), outcome)
    }

    @Test func `a condition of the document holds for all its rules, and each rule may have its own`() throws {
        let rules = #"""
            {"when": {"attribute": "a", "exists": true}, "type": "TOOL", "session": "s",
             "content": [{"when": {"name": "first"}, "inputs": "in"}, {"inputs": "other"}]}
            """#
        let first = TestSpan("first", ["a": 1, "s": "x", "in": "1", "other": "2"])
        var second = TestSpan("second", id: 2, trace: 8, ["a": 1, "in": "1", "other": "2"])
        second.trace = 8
        let third = TestSpan("third", id: 3, trace: 9, ["s": "x", "in": "1"])
        let (spans, _) = try map(rules, first, second, third)
        #expect(spans.map { $0["mlflow.spanType"] } == ["\"TOOL\"", "\"TOOL\"", nil])
        #expect(spans.map { $0["mlflow.spanInputs"] } == ["\"1\"", "\"2\"", nil])
        #expect(spans.map { $0["session.id"] } == ["\"x\"", nil, nil])
    }

    @Test func `what rules ask of a resource is asked again for each resource and each request`() throws {
        let rules = Array(#"{"when": {"service": "billing"}, "type": "TOOL"}"#.utf8)
        let document = try RuleDocument(userRules: try JSONNode(parsing: rules))
        var mapper = SpanMapper(rules: try MappingRules(user: [document]))
        func types(_ services: String...) throws -> [String?] {
            let requests = services.map { tracesRequest([TestSpan()], resource: [("service.name", .string($0))]) }
            var batch = try SpanBatch(Array(requests.joined()))
            return mapper.map(&batch).spans.map(\.type)
        }
        #expect(try types("billing", "shop", "billing") == ["TOOL", nil, "TOOL"])
        #expect(try types("shop", "billing") == [nil, "TOOL"])
    }

    /// Tokens are known when the usage is.
    @Test(arguments: [(0, "\"acme-1\""), (100, "\"gpt-4o\"")])
    func `a rule for models may ask for tokens`(over: Int, model: String) throws {
        let rules = #"{"model": {"when": {"tokens": {"over": \#(over)}}, "model": "acme.model"}}"#
        let chat = TestSpan(
            "chat",
            [
                "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 11, "gen_ai.usage.output_tokens": 7,
                "acme.model": "acme-1", "gen_ai.response.model": "gpt-4o",
            ]
        )
        let (spans, _) = try map(rules, chat)
        #expect(spans[0]["mlflow.llm.model"] == model)
    }

    @Test func `spans that a rule drops are gone and counted, and nothing else of them is noted`() throws {
        let rules = #"{"drop": {"when": {"attribute": "url.path", "equals": "/healthz"}}}"#
        let probe = TestSpan("GET /healthz", id: 2, parent: 1, ["url.path": "/healthz", "session.id": "s"])
        let (spans, outcome) = try map(rules, TestSpan("root"), probe)
        #expect(spans.map(\.name) == ["root"])
        #expect(spans[0]["session.id"] == nil)
        #expect(outcome.droppedSpans == 1)
        #expect(outcome.decisions?.first { $0.action == .dropped }?.rule == "user.drop")
    }

    @Test func `an attribute gets another key, the other rules see the old one`() throws {
        let rules = #"{"rename": {"usr": "app.user"}, "user": "usr"}"#
        let (spans, outcome) = try map(rules, TestSpan("span", ["usr": "ada", "other": 1]))
        #expect(spans[0]["usr"] == nil)
        #expect(spans[0]["app.user"] == "\"ada\"")
        #expect(spans[0]["user.id"] == "\"ada\"")
        let renamed = outcome.decisions?.first { $0.action == .renamed }
        #expect(renamed?.target == "app.user")
        #expect(renamed?.sources == ["usr"])
    }

    @Test(arguments: [(1, "10"), (9, "20"), (13, "30"), (17, "40"), (24, "50"), (0, nil), (-3, nil)])
    func `a severity number becomes a level`(severity: Int64, level: String?) throws {
        let (spans, _) = try map(
            #"{"level": {"attribute": "severity"}}"#,
            TestSpan("span", ["severity": .int(severity)])
        )
        #expect(spans[0]["mlflow.spanLogLevel"] == level)
    }

    @Test func `levels by name, and the app's own wins`() throws {
        let rules = #"{"level": {"attribute": "grade", "values": {"bad": 40}}}"#
        let own = TestSpan(id: 2, trace: 8, ["grade": "bad", "mlflow.spanLogLevel": 10])
        let other = TestSpan(id: 3, trace: 9, ["grade": "good"])
        let (spans, _) = try map(rules, TestSpan("span", ["grade": "bad"]), own, other)
        #expect(spans.map { $0["mlflow.spanLogLevel"] } == ["40", "10", nil])
    }

    @Test func `tags of children reach the root, lists and objects become several, reserved ones none`() throws {
        let rules =
            #"{"tags": [{"attribute": "labels"}, {"attribute": "facts"}, {"prefix": "tag."}, {"attribute": "x", "tag": "y"}]}"#
        let child = TestSpan(
            id: 2,
            parent: 1,
            [
                "labels": ["blue", "big"], "facts": #"{"plan":"pro","n":1}"#, "tag.color": "red", "x": 5,
                "tag.mlflow.artifactLocation": "/etc",
            ]
        )
        let root = TestSpan("root", ["mlflow.traceTag.plan": "free"])
        let (spans, _) = try map(rules, root, child)
        let tags = spans[0].keys.filter { $0.hasPrefix("mlflow.traceTag.") && !$0.hasSuffix("traceName") }
        #expect(
            Set(tags)
                == Set(["plan", "blue", "big", "n", "color", "y"].map { "mlflow.traceTag.\($0)" })
        )
        #expect(spans[0]["mlflow.traceTag.plan"] == "\"free\"")
        #expect(spans[0]["mlflow.traceTag.y"] == "\"5\"")
        #expect(spans[1].keys.allSatisfy { !$0.hasPrefix("mlflow.") })
    }

    @Test func `types by the ending of a value, the first that fits`() throws {
        let rules =
            #"{"type": {"attribute": "class", "endings": {"ChatModel": "CHAT_MODEL", "Model": "LLM", "": "CHAIN"}}}"#
        let names = ["app.ChatModel", "app.Model", "else"]
        let spans = names.enumerated().map { index, name in
            TestSpan(name, id: UInt64(index + 1), trace: UInt64(index + 1), ["class": .string(name)])
        }
        let document = try RuleDocument(userRules: try JSONNode(parsing: Array(rules.utf8)))
        var batch = try SpanBatch(tracesRequest(spans))
        var mapper = SpanMapper(rules: try MappingRules(user: [document]))
        let outcome = mapper.map(&batch)
        #expect(outcome.spans.map(\.type) == ["CHAT_MODEL", "LLM", "CHAIN"])
    }

    @Test func `tokens and a model inside of one attribute, at the end of a path`() throws {
        let rules = #"""
            {"type": "LLM", "when": {"attribute": "answer", "exists": true},
             "usage": {"in": "answer", "input": ["meta.0.tokens.in"], "output": ["meta.0.tokens.out"]},
             "model": {"model_in": {"answer": ["name", "meta.0.model"]}},
             "outputs": {"attribute": "answer", "path": "text"}}
            """#
        let answer = #"{"text":"Sunny.","meta":[{"model":"m","tokens":{"in":11,"out":7}}]}"#
        let (spans, _) = try map(rules, TestSpan("span", ["answer": .string(answer)]))
        #expect(
            spans[0]["mlflow.chat.tokenUsage"] == #"{"input_tokens":11,"output_tokens":7,"total_tokens":18}"#
        )
        #expect(spans[0]["mlflow.llm.model"] == "\"m\"")
        #expect(spans[0]["mlflow.spanOutputs"] == "\"Sunny.\"")
    }

    @Test func `why a rule did nothing is told: its condition, the winner, the app`() throws {
        let rules = #"""
            {"convention": "acme", "type": [{"rule": "first", "when": {"name": "other"}, "type": "TOOL"},
             {"rule": "second", "attribute": "kind", "values": {"x": "CHAIN"}}]}
            """#
        let span = TestSpan(
            "span",
            [
                "kind": "x", "gen_ai.operation.name": "chat", "mlflow.llm.model": "m", "gen_ai.request.model": "n",
            ]
        )
        let (_, outcome) = try map(rules, span)
        let ignored = (outcome.decisions ?? []).compactMap { decision -> String? in
            guard case .ignored(let reason) = decision.action else { return nil }
            return "\(decision.rule): \(reason)"
        }
        #expect(
            ignored == [
                "acme.first: its condition does not hold", "otel_genai.operation: acme.second comes first",
                "otel_genai.model: the app itself set mlflow.llm.model",
            ]
        )
    }

    @Test func `what a rule looks at of the app's own is mended all the same`() throws {
        let key = "mlflow.traceTag.mlflow.artifactLocation"
        let rules = #"{"type": [{"when": {"attribute": "\#(key)", "exists": true}, "type": "TOOL"}]}"#
        let (spans, _) = try map(rules, TestSpan("span", ["mlflow.traceTag.mlflow.artifactLocation": "/etc"]))
        #expect(spans[0][key] == nil)
        #expect(spans[0]["mlflow.spanType"] == "\"TOOL\"")
    }

    @Test func `a rule that needs no attribute counts for the first span of a request too`() throws {
        let (spans, _) = try map(
            #"{"when": {"name": "step"}, "type": "TASK"}"#,
            TestSpan("step"),
            TestSpan(id: 2, trace: 8)
        )
        #expect(spans.map { $0["mlflow.spanType"] } == ["\"TASK\"", nil])
    }
}
