import Basics
import OTLP
import TestKit
import Testing

@testable import MLflow

/// What is written once for a trace, on its root.
struct TraceLevelTests {
    private static let nameKey = "mlflow.traceTag.mlflow.traceName"

    @Test(
        arguments: [
            ([], "root"),
            ([("gen_ai.agent.name", "planner"), ("traceloop.workflow.name", "flow")], "planner"),
            ([("traceloop.workflow.name", "flow"), ("gen_ai.workflow.name", "other")], "flow"),
            ([("gen_ai.workflow.name", "other")], "other"),
            ([("gen_ai.agent.name", "planner"), ("mlflow.traceTag.mlflow.traceName", "mine")], "mine"),
            ([("gen_ai.agent.name", "")], "root"),
        ] as [([(String, String)], String)]
    )
    func `a trace is named as the app says, after agent or workflow, else after its root`(
        attributes: [(String, String)],
        name: String
    ) throws {
        var root = TestSpan("root")
        root.attributes = attributes.map { ($0, .string($1)) }
        #expect(try map(root)[0][Self.nameKey] == "\"\(name)\"")
    }

    @Test func `only a root is named`() throws {
        #expect(try map(TestSpan("child", id: 2, parent: 1, ["gen_ai.agent.name": "a"]))[0][Self.nameKey] == nil)
        #expect(try map(TestSpan(""))[0][Self.nameKey] == nil)
    }

    @Test func `a long root's name is cut`() throws {
        let name = try map(TestSpan(String(repeating: "n", count: 5000)))[0][Self.nameKey]
        #expect(name?.count == 4096 + 2)
    }

    @Test(
        arguments: [
            "gen_ai.conversation.id", "traceloop.association.properties.session_id",
            "traceloop.association.properties.thread_id", "traceloop.association.properties.conversation_id",
            "thread_id", "mcp.session.id",
        ]
    )
    func `a session under any name becomes the root's session`(key: String) throws {
        #expect(try map(TestSpan("root", [key: "s1"]))[0]["session.id"] == "\"s1\"")
    }

    @Test(arguments: ["enduser.id", "traceloop.association.properties.user_id", "gen_ai.user", "llm.user"])
    func `a user under any name becomes the root's user`(key: String) throws {
        #expect(try map(TestSpan("root", [key: "u1"]))[0]["user.id"] == "\"u1\"")
        #expect(try map(TestSpan("root", [key: 17]))[0]["user.id"] == "\"17\"")
    }

    @Test func `the app's own session wins and is not written twice`() throws {
        let root = try map(TestSpan("root", ["gen_ai.conversation.id": "c", "session.id": "s"]))[0]
        #expect(root["session.id"] == "\"s\"")
        #expect(root.keys.filter { $0 == "session.id" }.count == 1)
    }

    @Test func `an empty session gives way to the conversation`() throws {
        let root = try map(TestSpan("root", ["session.id": "", "gen_ai.conversation.id": "c"]))[0]
        #expect(root["session.id"] == "\"c\"")
        #expect(root.keys.filter { $0 == "session.id" }.count == 1)
    }

    @Test func `a session that only a child names stands on the root too`() throws {
        let spans = try map(
            TestSpan("child", id: 2, parent: 1, ["gen_ai.conversation.id": "c", "enduser.id": "u"]),
            TestSpan("root", id: 1)
        )
        #expect(spans[1]["session.id"] == "\"c\"")
        #expect(spans[1]["user.id"] == "\"u\"")
        #expect(spans[0]["session.id"] == nil)
    }

    @Test func `a thread counts as a session on a root only`() throws {
        let spans = try map(
            TestSpan("child", id: 2, parent: 1, ["thread_id": "t", "mcp.session.id": "m"]),
            TestSpan("root", id: 1)
        )
        #expect(spans[1]["session.id"] == nil)
    }

    @Test func `a conversation on an earlier span must not beat the root's session`() throws {
        let spans = try map(
            TestSpan("child", id: 2, parent: 1, ["gen_ai.conversation.id": "other"]),
            TestSpan("root", id: 1, ["session.id": "s"])
        )
        #expect(spans[0]["session.id"] == "\"s\"")
        #expect(spans[1].keys.filter { $0 == "session.id" }.count == 1)
    }

    @Test func `traces of one request are kept apart`() throws {
        let spans = try map(
            TestSpan("a-child", id: 2, parent: 1, trace: 1, ["gen_ai.conversation.id": "a"]),
            TestSpan("b", id: 3, trace: 2),
            TestSpan("a", id: 1, trace: 1)
        )
        #expect(spans[1]["session.id"] == nil)
        #expect(spans[2]["session.id"] == "\"a\"")
    }

    @Test func `what is removed is not mapped`() throws {
        var batch = try SpanBatch.of(TestSpan("a", id: 1), TestSpan("b", id: 2, trace: 8))
        batch.remove(0, as: .filtered)
        var mapper = SpanMapper(rules: try TestRules.all.get())
        #expect(mapper.map(&batch).mappedSpans == 1)
        #expect(try readSpans(batch.encoded()?.payload ?? []).map(\.name) == ["b"])
    }
}
