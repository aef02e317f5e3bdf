import Conditions
import OTLP
import TestKit
import Testing

@testable import MLflow

struct SpanTypeTests {
    @Test func `processors behind are told the types of apps and of rules`() throws {
        let types = ["MINE", "chat", "YOURS", "MINE", "MINE", "execute_tool", "TOOL"]
        let spans = types.enumerated().map { index, type in
            let key = type.contains { $0.isLowercase } ? "gen_ai.operation.name" : "mlflow.spanType"
            return TestSpan("span", id: UInt64(index + 2), parent: 1, [key: .string(type)])
        }
        var batch = try SpanBatch(tracesRequest(spans))
        var mapper = SpanMapper(rules: try TestRules.all.get())
        let found = mapper.map(&batch).spans.map(\.type)
        #expect(found == ["MINE", "CHAT_MODEL", "YOURS", "MINE", "MINE", "TOOL", "TOOL"])
    }

    @Test(
        arguments: [
            ("chat", "CHAT_MODEL"), ("text_completion", "LLM"), ("generate_content", "LLM"), ("response", "LLM"),
            ("embeddings", "EMBEDDING"), ("rerank", "RERANKER"), ("execute_tool", "TOOL"), ("invoke_agent", "AGENT"),
            ("create_agent", "AGENT"), ("invoke_workflow", "WORKFLOW"), ("plan", "TASK"), ("goto", "TASK"),
            ("retrieval", "RETRIEVER"),
            ("create_memory", "MEMORY"), ("create_memory_store", "MEMORY"), ("search_memory", "MEMORY"),
            ("update_memory", "MEMORY"), ("upsert_memory", "MEMORY"), ("delete_memory", "MEMORY"),
            ("delete_memory_store", "MEMORY"), ("\"chat\"", "CHAT_MODEL"),
        ]
    )
    func `an operation of OpenTelemetry gives its type`(operation: String, type: String) throws {
        let span = try mapChild(["gen_ai.operation.name": .string(operation)])
        #expect(span["mlflow.spanType"] == "\"\(type)\"")
    }

    @Test(
        arguments: [
            ("LLM", "LLM"), ("CHAIN", "CHAIN"), ("AGENT", "AGENT"), ("TOOL", "TOOL"), ("RETRIEVER", "RETRIEVER"),
            ("EMBEDDING", "EMBEDDING"), ("RERANKER", "RERANKER"), ("GUARDRAIL", "GUARDRAIL"),
            ("EVALUATOR", "EVALUATOR"), ("PROMPT", "CHAIN"),
        ]
    )
    func `a kind of OpenInference gives its type`(kind: String, type: String) throws {
        #expect(try mapChild(["openinference.span.kind": .string(kind)])["mlflow.spanType"] == "\"\(type)\"")
    }

    @Test(
        arguments: [
            ("traceloop.span.kind", "workflow", "WORKFLOW"), ("traceloop.span.kind", "task", "TASK"),
            ("traceloop.span.kind", "agent", "AGENT"), ("traceloop.span.kind", "tool", "TOOL"),
            ("llm.request.type", "chat", "CHAT_MODEL"), ("llm.request.type", "completion", "LLM"),
            ("llm.request.type", "embedding", "EMBEDDING"), ("llm.request.type", "rerank", "RERANKER"),
        ]
    )
    func `a kind of Traceloop gives its type`(key: String, kind: String, type: String) throws {
        #expect(try map(TestSpan(id: 2, parent: 1, [key: .string(kind)]))[0]["mlflow.spanType"] == "\"\(type)\"")
    }

    @Test func `an unknown kind decides nothing, so that the next convention does`() throws {
        let span = try mapChild(["openinference.span.kind": "UNKNOWN", "gen_ai.operation.name": "chat"])
        #expect(span["mlflow.spanType"] == "\"CHAT_MODEL\"")
        #expect(try mapChild(["traceloop.span.kind": "unknown"])["mlflow.spanType"] == nil)
    }

    @Test func `a kind of OpenInference wins over an operation`() throws {
        let span = try mapChild(["gen_ai.operation.name": "chat", "openinference.span.kind": "AGENT"])
        #expect(span["mlflow.spanType"] == "\"AGENT\"")
    }

    @Test func `the app's own type wins, but UNKNOWN is none`() throws {
        let own = try mapChild(["mlflow.spanType": "PARSER", "gen_ai.operation.name": "chat"])
        #expect(own["mlflow.spanType"] == "\"PARSER\"")
        let unset = try mapChild(["mlflow.spanType": "UNKNOWN", "gen_ai.operation.name": "chat"])
        #expect(unset["mlflow.spanType"] == "\"CHAT_MODEL\"")
        #expect(unset.keys.filter { $0 == "mlflow.spanType" }.count == 1)
        #expect(try mapChild(["mlflow.spanType": "UNKNOWN"])["mlflow.spanType"] == "\"UNKNOWN\"")
    }

    @Test func `context that stands on every child never decides the type`() throws {
        let span = try mapChild([
            "gen_ai.agent.name": "planner", "traceloop.workflow.name": "w", "traceloop.entity.path": "a.b",
            "session.id": "s", "user.id": "u",
        ])
        #expect(span["mlflow.spanType"] == nil)
        #expect(span["mlflow.spanInputs"] == nil)
    }

    @Test func `a call without an operation is known by its model and content`() throws {
        let chat = try mapChild(["gen_ai.request.model": "m", "gen_ai.input.messages": "[]"])
        #expect(chat["mlflow.spanType"] == "\"CHAT_MODEL\"")
        let call = try mapChild(["gen_ai.request.model": "m", "gen_ai.usage.output_tokens": 3])
        #expect(call["mlflow.spanType"] == "\"LLM\"")
        #expect(try mapChild(["gen_ai.request.model": "m"])["mlflow.spanType"] == nil)
    }

    @Test func `a plain span stays byte for byte as it came`() throws {
        let plain = TestSpan("GET /", id: 2, parent: 1, ["http.request.method": "GET", "url.path": "/"])
        let bytes = tracesRequest([plain], resource: [])
        #expect(try mappedBytes(bytes) == bytes)
    }
}
