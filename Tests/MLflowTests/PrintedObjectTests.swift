import TestKit
import Testing

@testable import MLflow

/// What a language prints of its objects, which nobody said.
struct PrintedObjectTests {
    private static let call = TestSpan(
        "chat",
        id: 2,
        parent: 1,
        [
            "openinference.span.kind": "LLM", "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": "Weather?", "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "Sunny.",
        ]
    )

    private func root(_ inputs: String, _ outputs: String, _ others: TestSpan...) throws -> ReadSpan {
        let root = TestSpan(
            "run",
            ["openinference.span.kind": "CHAIN", "input.value": .string(inputs), "output.value": .string(outputs)]
        )
        return try map(tracesRequest([root] + others, resource: []))[0]
    }

    @Test(
        arguments: [
            ("HumanMessage(content='Hi')", true), ("acme.Message(_role=<Role.USER: 'user'>)", true),
            ("role='user' content='Hi'", true), ("<acme.Message object at 0x7f01>", true),
            ("{'role': 'user', 'content': 'Hi'}", true), ("print(x)", false), ("f(x=1) is what?", false),
            ("a=b", false), ("x='a' or y", false), ("<b>Hi</b>", false), ("What is x='a' y='b'?", false),
        ]
    )
    func `messages that are printed give way to what was said below`(text: String, isPrint: Bool) throws {
        let lists = (#"{"data":{"messages":["\#(text)"],"stream":null}}"#, #"{"llm":{"replies":["\#(text)"],"n":1}}"#)
        let span = try root(lists.0, lists.1, Self.call)
        #expect(preview(span["mlflow.spanInputs"], role: "user") == (isPrint ? "Weather?" : lists.0))
        #expect(preview(span["mlflow.spanOutputs"], role: "assistant") == (isPrint ? "Sunny." : lists.1))
        #expect(span["input.value"] != nil && span["output.value"] != nil)
    }

    @Test func `a printed stream gives way too, and with nothing below there is no output`() throws {
        let stream = "<acme.Stream object at 0x7fe08b23b5d0>"
        #expect(preview(try root("Hi", stream, Self.call)["mlflow.spanOutputs"], role: "assistant") == "Sunny.")
        for shown in [stream, #""\#(stream)""#] {
            #expect(try root("Hi", shown)["mlflow.spanOutputs"] == "null")
        }
        var call = Self.call
        call.attributes.removeLast(2)
        call.attributes.append(("output.value", .string(stream)))
        let spans = try map(TestSpan("GET /"), call)
        #expect(spans[0]["mlflow.spanOutputs"] == nil)
        #expect(spans[1]["mlflow.spanOutputs"] == "null")
    }

    @Test func `a source of a printed side stays where others go`() throws {
        var settings = SpanMapper.Settings()
        settings.keepsSource = false
        let root = TestSpan(
            "run",
            ["openinference.span.kind": "CHAIN", "input.value": "{'role': 'user'}", "output.value": "Sunny."]
        )
        let span = try map(root, settings: settings)[0]
        #expect(span["input.value"] == "\"{'role': 'user'}\"")
        #expect(span["mlflow.spanInputs"] == nil)
        #expect(span["output.value"] == nil && span["mlflow.spanOutputs"] == "\"Sunny.\"")
    }

    @Test func `what was said below a step that failed is no answer, nor is a try of a trace that failed`() throws {
        var (step, call) = (TestSpan("step", id: 3, parent: 1, ["openinference.span.kind": "CHAIN"]), Self.call)
        call.parent = 3
        step.status = 2
        #expect(try map(TestSpan("GET /"), step, call)[0]["mlflow.spanOutputs"] == nil)
        step.status = 0
        #expect(preview(try map(TestSpan("GET /"), step, call)[0]["mlflow.spanOutputs"], role: "assistant") == "Sunny.")
        call.attributes.removeLast()
        call.attributes += [
            ("llm.output_messages.0.message.tool_calls.0.tool_call.id", "c"),
            ("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "answer"),
            ("llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments", #"{"sky":"sunny"}"#),
        ]
        var root = TestSpan("GET /")
        #expect(preview(try map(root, step, call)[0]["mlflow.spanOutputs"], role: "assistant") == #"{"sky":"sunny"}"#)
        root.status = 2
        var earlier = Self.call
        (earlier.id, earlier.end) = (4, 1500)
        #expect(try map(root, step, call)[0]["mlflow.spanOutputs"] == nil)
        #expect(try map(root, step, earlier, call)[0]["mlflow.spanOutputs"] == nil)
    }
}
