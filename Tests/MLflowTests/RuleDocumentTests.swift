import Basics
import Conditions
import OTLP
import Settings
import TestKit
import Testing

@testable import MLflow

struct RuleDocumentTests {
    @Test func `every rule inside the binary stands in the precedence, and no other`() throws {
        let precedence = try Precedence(parsing: EmbeddedRules.precedence)
        var rules: [String: Set<String>] = [:]
        for (_, text) in EmbeddedRules.conventions {
            let document = try RuleDocument(decoding: try JSONNode(parsing: text))
            func add(_ group: RuleGroup, _ names: [String]) {
                rules[group.name, default: []].formUnion(names.map { "\(document.convention).\($0)" })
            }
            add(.type, document.type.map(\.name))
            add(.content, document.content.map(\.name))
            add(.contentElsewhere, document.content.map(\.name))
            add(.usage, document.usage.map(\.name))
            add(.model, document.model.map(\.name))
            add(.session, document.session.map(\.name))
            add(.user, document.user.map(\.name))
            add(.name, document.name.map(\.name))
        }
        for group in RuleGroup.allCases where group.isRanked {
            let listed = precedence.order[group.name] ?? []
            #expect(Set(listed) == rules[group.name], "\(group.name)")
            #expect(Set(listed).count == listed.count, "\(group.name)")
        }
    }

    @Test func `the names of conventions are those of their documents`() throws {
        for (name, text) in EmbeddedRules.conventions {
            #expect(try RuleDocument(decoding: try JSONNode(parsing: text)).convention == name)
        }
    }

    @Test func `a convention that is left out maps nothing`() throws {
        let rules = try MappingRules(conventions: ["openinference"])
        var batch = try SpanBatch.of(TestSpan(id: 2, parent: 1, ["gen_ai.operation.name": "chat"]))
        var mapper = SpanMapper(rules: rules)
        #expect(mapper.map(&batch).mappedSpans == 0)
    }

    @Test func `a user's rules win over all conventions`() throws {
        let text = """
            {"type": [{"rule": "kind", "attribute": "acme.kind", "values": {"step": "CHAIN"}}],
             "content": [{"rule": "io", "inputs": {"attribute": "acme.in"}, "outputs": {"attribute": "acme.out"}}],
             "model": [{"rule": "model", "model": ["acme.model"]}],
             "session": [{"rule": "session", "attribute": "acme.session"}]}
            """
        let user = try RuleDocument(userRules: try JSONNode(parsing: Array(text.utf8)))
        var batch = try SpanBatch.of(
            TestSpan(
                "root",
                [
                    "acme.kind": "step", "acme.in": #"{"a":1}"#, "acme.out": "done", "acme.model": "m",
                    "acme.session": "s", "session.id": "other", "gen_ai.operation.name": "chat",
                    "gen_ai.input.messages": "[]",
                ]
            )
        )
        var mapper = SpanMapper(rules: try MappingRules(user: [user]))
        let outcome = mapper.map(&batch, explaining: true)
        let span = try readSpans(batch.encoded()?.payload ?? [])[0]
        #expect(span["mlflow.spanType"] == "\"CHAIN\"")
        #expect(span["mlflow.spanInputs"] == #"{"a":1}"#)
        #expect(span["mlflow.spanOutputs"] == "\"done\"")
        #expect(span["mlflow.llm.model"] == "\"m\"")
        #expect(outcome.decisions?.first { $0.target == "mlflow.spanType" }?.rule == "user.kind")
    }

    @Test(
        arguments: [
            (#"{"typ": []}"#, "\"typ\" is not known here", ""),
            (#"{"type": {}}"#, "\"attribute\" is missing", "/type"),
            (#"{"type": ""}"#, "an object", "/type"),
            (#"{"convention": "langfuse"}"#, "\"langfuse\" is a built-in convention", "/convention"),
            (#"{"drop": true}"#, "{\"when\": CONDITION} is expected", "/drop"),
            (#"{"level": {"attribute": "a", "values": {"x": 5}}}"#, "a level from 10 to 50", "/level/values/x"),
            (#"{"model": {"model_in": ["a"]}}"#, "an object of attribute and path", "/model/model_in"),
            (#"{"prompt": {"name": "a"}}"#, "\"version\" is missing", "/prompt"),
            (#"{"inputs": {"attribute": "a", "only": "some"}}"#, "no portion of messages", "/inputs/only"),
            (#"{"when": {"colour": "red"}, "type": "TOOL"}"#, "a condition has one of", "/when"),
            (#"{"type": [{"rule": "r"}]}"#, "\"attribute\" is missing", "/type/0"),
            (#"{"type": [{"rule": "r", "attribute": "a"}]}"#, "\"values\" is an object", "/type/0"),
            (
                #"{"type": [{"rule": "r", "attribute": 5, "values": {}}]}"#, "a string that is not empty",
                "/type/0/attribute"
            ),
            (#"{"content": [{"rule": "r", "inputs": {}}]}"#, "one of \"attribute\"", "/content/0/inputs"),
            (
                #"{"content": [{"rule": "r", "inputs": {"attribute": "a", "as": "poem"}}]}"#,
                "\"poem\" is no shape of content; allowed: value, chat, auto, documents", "/content/0/inputs/as"
            ),
            (
                #"{"usage": [{"rule": "r", "input_excludes_cache": 1}]}"#, "true or false",
                "/usage/0/input_excludes_cache"
            ),
            (#"{"session": [{"rule": "r", "rule": "r", "attribute": "a"}]}"#, "given twice", "/session/0"),
        ]
    )
    func `a wrong rule is named with its place`(text: String, message: String, pointer: String) throws {
        let node = try JSONNode(parsing: Array(text.utf8))
        let error = #expect(throws: DocumentProblems.self) { try RuleDocument(userRules: node) }
        let problem = try #require(error?.list.first)
        #expect(problem.message.contains(message))
        #expect(problem.pointer == pointer)
    }

    @Test func `all problems of a document are told at once`() throws {
        let text = #"{"typ": [], "content": [{"inputs": {}}], "user": 3}"#
        let error = #expect(throws: DocumentProblems.self) {
            try RuleDocument(userRules: try JSONNode(parsing: Array(text.utf8)))
        }
        #expect(error?.list.count == 3)
    }

    @Test func `the fields of content fit their table`() {
        #expect(ContentField.allCases.count <= ContentFields.countMax)
    }
}
