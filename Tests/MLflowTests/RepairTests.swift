import Basics
import Conditions
import OTLP
import TestKit
import Testing

@testable import MLflow

/// The app's own attributes: kept as they are, unless MLflow would refuse them or one version could not read them.
struct RepairTests {
    @Test func `what the app set right stays byte for byte`() throws {
        let own = TestSpan(
            "own",
            id: 2,
            parent: 1,
            [
                "mlflow.spanType": "TOOL", "mlflow.spanInputs": ["a": [1, 2.5, true, .empty]],
                "mlflow.spanOutputs": "text",
                "mlflow.chat.tokenUsage": ["input_tokens": 1, "output_tokens": 2, "total_tokens": 3],
                "mlflow.llm.cost": ["input_cost": 1, "output_cost": 0.5, "total_cost": 1.5],
                "mlflow.llm.model": "m", "mlflow.message.format": "langchain", "session.id": "s", "user.id": "u",
                "mlflow.traceTag.team": "\"quoted\"", "mlflow.traceTag.mlflow.linkedPrompts": "[{\"name\":\"p\"}]",
                "gen_ai.usage.input_tokens": 4, "mlflow.spanLogLevel": 20,
            ]
        )
        let bytes = tracesRequest([own], resource: [])
        #expect(try mappedBytes(bytes) == bytes)
    }

    @Test(
        arguments: [
            ("mlflow.spanType", "\"CHAT_MODEL\"", "\"CHAT_MODEL\""),
            ("mlflow.llm.model", "\"gpt\"", "\"gpt\""),
            ("mlflow.spanInputs", #"{"a":"b"}"#, #"{"a":"b"}"#),
            ("mlflow.spanOutputs", #""text""#, #""text""#),
            ("mlflow.spanOutputs", "[1,2.5]", "[1,2.5]"),
            ("mlflow.chat.tools", "[]", "[]"),
            ("mlflow.spanLogLevel", "20", "20"),
            ("mlflow.spanFunctionName", "\"f\"", "\"f\""),
        ]
    )
    func `text that is JSON is decoded by one layer`(key: String, text: String, expected: String) throws {
        let span = try map(TestSpan(id: 2, parent: 1, [key: .string(text)]))[0]
        #expect(span[key] == expected)
        #expect(span.keys.filter { $0 == key }.count == 1)
    }

    @Test(
        arguments: [
            ("mlflow.spanType", 500), ("session.id", 250), ("user.id", 250), ("gen_ai.conversation.id", 250),
            ("mlflow.traceTag.mlflow.traceName", 4096),
        ]
    )
    func `text over MLflow's limit is cut at whole characters`(key: String, limit: Int) throws {
        let long = String(repeating: "ü", count: limit + 1)
        let span = try map(TestSpan(id: 2, parent: 1, [key: .string(long)]))[0]
        #expect(span[key] == "\"\(String(repeating: "ü", count: limit))\"")
        let fits = String(repeating: "ü", count: limit)
        #expect(try map(TestSpan(id: 2, parent: 1, [key: .string(fits)]))[0][key] == "\"\(fits)\"")
    }

    @Test(arguments: ["session.id", "user.id", "gen_ai.conversation.id"])
    func `an empty session or user is absent`(key: String) throws {
        #expect(try map(TestSpan(id: 2, parent: 1, [key: ""]))[0].keys == [])
        #expect(try map(TestSpan(id: 2, parent: 1, [key: .empty]))[0].keys == [])
    }

    @Test(arguments: ["session.id", "user.id", "gen_ai.conversation.id"])
    func `a session or user that is a structure is absent`(key: String) throws {
        #expect(try map(TestSpan(id: 2, parent: 1, [key: ["a"]]))[0].keys == [])
        #expect(try map(TestSpan(id: 2, parent: 1, [key: .members([("a", 1)])]))[0].keys == [])
        #expect(try map(TestSpan(id: 2, parent: 1, [key: 5]))[0][key] == "5")
    }

    @Test(
        arguments: [
            (
                TestValue.string(#"{"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}"#),
                #"{"input_tokens":1,"output_tokens":2,"total_tokens":3}"#
            ),
            (["input_tokens": "1", "output_tokens": 2.0], #"{"input_tokens":1,"output_tokens":2,"total_tokens":3}"#),
            (
                ["input_tokens": 1, "output_tokens": .empty, "total_tokens": 3],
                #"{"input_tokens":1,"output_tokens":0,"total_tokens":3}"#
            ),
            (
                ["input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "cache_read_input_tokens": "1"],
                #"{"input_tokens":1,"output_tokens":2,"total_tokens":3,"cache_read_input_tokens":1}"#
            ),
            (.empty, "null"),
            (.members([]), "{}"),
        ] as [(TestValue, String)]
    )
    func `usage that the app set is mended`(value: TestValue, expected: String) throws {
        let span = try mapChild(["mlflow.spanType": "LLM", "mlflow.chat.tokenUsage": value])
        #expect(span["mlflow.chat.tokenUsage"] == expected)
    }

    @Test(arguments: [TestValue.string("lots"), ["total_tokens": .empty], [1, 2], 5])
    func `usage that says nothing is taken away`(value: TestValue) throws {
        #expect(try mapChild(["mlflow.chat.tokenUsage": value]).keys == [])
    }

    @Test(
        arguments: [
            (
                TestValue.string(#"{"input_cost":0.5,"output_cost":0.5}"#),
                #"{"input_cost":0.5,"output_cost":0.5,"total_cost":1.0}"#
            ),
            (
                ["input_cost": "0.5", "output_cost": 0.5, "total_cost": 1.0],
                #"{"input_cost":0.5,"output_cost":0.5,"total_cost":1.0}"#
            ),
            (["total_cost": 1.0], nil), (["input_cost": 0.5, "output_cost": .double(.nan)], nil), (1.0, nil),
        ] as [(TestValue, String?)]
    )
    func `cost that the app set is mended or taken away`(value: TestValue, expected: String?) throws {
        #expect(try mapChild(["mlflow.llm.cost": value])["mlflow.llm.cost"] == expected)
    }

    @Test func `counts that 3.6.0 refuses become whole numbers or go`() throws {
        let span = try mapChild([
            "gen_ai.usage.input_tokens": "5", "gen_ai.usage.output_tokens": 2.0, "gen_ai.usage.total_tokens": "x",
            "gen_ai.usage.cost": 0.5, "gen_ai.usage.raw": "{}",
        ])
        #expect(span["gen_ai.usage.input_tokens"] == "5")
        #expect(span["gen_ai.usage.output_tokens"] == "2")
        #expect(span["gen_ai.usage.total_tokens"] == nil)
        #expect(span["gen_ai.usage.cost"] == "0.5")
        #expect(span["gen_ai.usage.raw"] == "\"{}\"")
    }

    @Test(
        arguments: [
            "mlflow.traceRequestId", "mlflow.traceTag.mlflow.artifactLocation",
            "mlflow.traceTag.mlflow.trace.spansLocation", "mlflow.traceTag.mlflow.anything",
        ]
    )
    func `attributes that would misfile a trace are stripped`(key: String) throws {
        #expect(try map(TestSpan(id: 2, parent: 1, [key: "x", "a": "b"]))[0].keys == ["a"])
    }

    @Test(arguments: ["traceName", "linkedPrompts", "user"])
    func `harmless tags of MLflow pass`(tag: String) throws {
        let key = "mlflow.traceTag.mlflow.\(tag)"
        #expect(try map(TestSpan(id: 2, parent: 1, [key: "x"]))[0][key] == "\"x\"")
    }

    @Test func `a repeated request id is stripped whole`() throws {
        let span = TestSpan(id: 2, parent: 1, ["mlflow.traceRequestId": "a", "mlflow.traceRequestId": "b"])
        #expect(try map(span)[0].keys == [])
    }

    @Test func `a failed span gets an exception event, unless it has one`() throws {
        var failed = TestSpan(id: 2, parent: 1, ["error.type": "Timeout"])
        failed.status = 2
        failed.statusMessage = "too slow"
        let marked = try map(failed)[0]
        #expect(marked.events.map(\.name) == ["exception"])
        #expect(
            marked.events[0].attributes == [
                "exception.type": "\"Timeout\"", "exception.message": "\"too slow\"", "millrace.added": "true",
            ]
        )
        failed.events = [("exception", [("exception.type", "E")])]
        #expect(try map(failed)[0].events.map(\.attributes) == [["exception.type": "\"E\""]])
        #expect(try map(TestSpan(id: 2, parent: 1))[0].events.isEmpty)
    }

    @Test func `every repair is told, with what was done`() throws {
        var batch = try SpanBatch.of(
            TestSpan(
                id: 2,
                parent: 1,
                [
                    "session.id": .string(String(repeating: "s", count: 300)), "user.id": "", "mlflow.spanType": "TOOL",
                ]
            )
        )
        var mapper = SpanMapper(rules: try TestRules.all.get())
        let outcome = mapper.map(&batch, explaining: true)
        #expect(outcome.repairedSpans == 1)
        #expect(outcome.mappedSpans == 0)
        #expect(
            outcome.decisions == [
                AttributeDecision(span: 0, action: .repaired, target: "session.id", rule: "app"),
                AttributeDecision(span: 0, action: .removed, target: "user.id", rule: "app"),
            ]
        )
    }
}
