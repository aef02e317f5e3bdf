import TestKit
import Testing

@testable import MLflow

/// What recorders do with conversations that the mapping was not made for.
struct ReaderTests {
    private func inputs(_ message: String) throws -> String? {
        try mapChild(["gen_ai.operation.name": "chat", "gen_ai.input.messages": .string("[\(message)]")])[
            "mlflow.spanInputs"
        ]
    }

    @Test func `a user who brings what a tool answered is that tool`() throws {
        #expect(
            try inputs(#"{"role":"user","content":"18 degrees","tool_call_id":"c"}"#)
                == #"{"messages":[{"role":"tool","content":"18 degrees","tool_call_id":"c"}]}"#
        )
        #expect(
            try inputs(#"{"role":"user","content":"Weather?","tool_call_id":""}"#)
                == #"{"messages":[{"role":"user","content":"Weather?"}]}"#
        )
    }

    @Test func `a call that stands in the parts of a message and beside them is one`() throws {
        let call = #"{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}"#
        let shown =
            #"{"messages":[{"role":"assistant","content":"Hm.","tool_calls":[{"id":"c","type":"function","function":"#
            + #"{"name":"f","arguments":"{}"}}]}]}"#
        for part in [
            #"{"type":"tool_use","id":"c","name":"f","input":{}}"#,
            #"{"type":"text","text":"{\"type\": \"tool_use\", \"id\": \"c\"}"}"#,
        ] {
            let content = #"[{"type":"text","text":"Hm."},\#(part)]"#
            #expect(try inputs(#"{"role":"assistant","content":\#(content),"tool_calls":[\#(call)]}"#) == shown)
        }
    }

    @Test func `inputs that are only a role say nothing`() throws {
        #expect(try inputs(#"{"role":"user"}"#) == nil)
        for role in ["user", "assistant"] {
            let empty = role == "user" ? "\"\"" : "null"
            #expect(
                try inputs(#"{"role":"\#(role)","content":null},{"role":"user","content":"Hi"}"#)
                    == #"{"messages":[{"role":"\#(role)","content":\#(empty)},{"role":"user","content":"Hi"}]}"#
            )
        }
    }

    @Test func `a tool of Bedrock's has its name and its parameters`() throws {
        let tool = #"{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object"}}}}"#
        let span = try mapChild([
            "openinference.span.kind": "LLM", "llm.tools.0.tool.json_schema": .string(tool),
            "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "Hi",
        ])
        #expect(
            span["mlflow.chat.tools"]
                == #"[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}]"#
        )
    }

    @Test func `a request names its tools where no list of them does`() throws {
        let request = #"{"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}"#
        func tools(_ kind: TestValue, _ value: String) throws -> String? {
            try mapChild([
                "openinference.span.kind": kind, "input.value": .string(value),
                "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "Hi",
            ])["mlflow.chat.tools"]
        }
        #expect(try tools("LLM", request) == #"[{"type":"function","function":{"name":"f"}}]"#)
        #expect(try tools("CHAIN", request) == nil)
        #expect(try tools("LLM", #"{"tools":""}"#) == nil)
    }

    @Test func `a document whose data is plain text is text`() throws {
        let part = #"{"type":"document","document":{"data":"{\"w\": \"18 degrees\"}"}}"#
        #expect(
            try inputs(#"{"role":"tool","tool_call_id":"c","content":[\#(part)]}"#)
                == #"{"messages":[{"role":"tool","content":"{\"w\": \"18 degrees\"}","tool_call_id":"c"}]}"#
        )
    }

    @Test(
        arguments: [
            (#"{"outputs":[{"graph":null,"update":MESSAGES,"resume":null,"goto":[]}],"kwargs":{}}"#, "Sunny."),
            (#"{"outputs":{"graph":null,"update":null,"resume":"tomorrow","goto":[]},"kwargs":{}}"#, "tomorrow"),
        ]
    )
    func `a command of LangGraph is what it brings`(command: String, shown: String) throws {
        let messages = #"{"messages":[{"type":"ai","content":"Sunny."}]}"#
        let span = try mapChild([
            "traceloop.span.kind": "task",
            "traceloop.entity.output": .string(command.replacing("MESSAGES", with: messages)),
        ])
        #expect(preview(span["mlflow.spanOutputs"], role: "assistant") == shown)
    }

    @Test(arguments: [("langgraph.errors.GraphInterrupt", 0), ("acme.Broken", 2)])
    func `a program that turns to a person has not failed`(exception: String, status: Int) throws {
        var call = TestSpan("ask", id: 2, parent: 1, ["traceloop.span.kind": "task", "traceloop.entity.input": "Hi"])
        call.status = 2
        call.events = [("exception", [("exception.type", .string(exception)), ("exception.message", "stop")])]
        #expect(try map(TestSpan("run"), call)[0].status == status)
    }

    private func call(_ id: UInt64, _ start: UInt64, _ end: UInt64, output: Int64 = 7, answer: String?) -> TestSpan {
        var span = TestSpan("chat", id: id, parent: 1, ["gen_ai.operation.name": "chat"])
        span.attributes += [("gen_ai.usage.prompt_tokens", 11), ("gen_ai.usage.output_tokens", .int(output))]
        if let answer { span.attributes.append(("gen_ai.response.id", .string(answer))) }
        (span.start, span.end) = (start, end)
        return span
    }

    @Test func `counts of the older and of the newer names are those of one call`() throws {
        let span = try map(call(2, 10, 20, answer: nil))[0]
        #expect(span["mlflow.chat.tokenUsage"] == #"{"input_tokens":11,"output_tokens":7,"total_tokens":18}"#)
    }

    @Test(
        arguments: [(nil, 7, true), ("a", 7, true), ("a", 8, false), ("b", 7, false)] as [(String?, Int64, Bool)]
    )
    func `a call around another one is that one where one of them has no id and both used the same`(
        id: String?,
        output: Int64,
        isOne: Bool
    ) throws {
        let inner = call(3, 20, 30, output: output, answer: id == "b" ? "c" : nil)
        let body = tracesRequest([call(2, 10, 40, answer: id)], scope: "one") + tracesRequest([inner], scope: "two")
        let spans = try map(body)
        #expect((spans[0]["mlflow.chat.tokenUsage"] == "null") == isOne)
        #expect(spans[1]["mlflow.chat.tokenUsage"] != "null")
    }

    @Test func `an agent that names no model has that of the one call below, with which its tokens are priced`() throws
    {
        let agent = TestSpan(
            "agent",
            id: 2,
            parent: 1,
            ["gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 2]
        )
        func chat(_ id: UInt64) -> TestSpan {
            TestSpan("chat", id: id, parent: 2, ["gen_ai.operation.name": "chat", "gen_ai.response.model": "m"])
        }
        #expect(try map(agent, chat(3))[0]["mlflow.llm.model"] == "\"m\"")
        #expect(try map(agent, chat(3), chat(4))[0]["mlflow.llm.model"] == nil)
    }

    @Test func `why an answer ended stands in a list too`() throws {
        let span = try mapChild([
            "llm.request.type": "chat", "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "Hi",
            "gen_ai.response.finish_reasons": .array(["COMPLETE"]),
        ])
        #expect(span["mlflow.spanOutputs"]?.contains(#""finish_reason":"stop""#) == true)
    }

    @Test func `arguments that nobody gave do not stand beside the messages`() throws {
        let span = try mapChild([
            "openinference.span.kind": "LLM",
            "llm.invocation_parameters": #"{"model":"m","top_p":"","n":"<acme.Omit object at 0x7f01>"}"#,
            "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "Hi",
        ])
        #expect(span["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"Hi"}],"model":"m"}"#)
    }

    @Test func `a prompt among the parameters is the input where there is no other`() throws {
        let span = try mapChild([
            "openinference.span.kind": "LLM", "llm.invocation_parameters": #"{"inputText":"Weather?"}"#,
            "output.value": "Sunny.",
        ])
        #expect(span["mlflow.spanInputs"] == "\"Weather?\"")
    }
}
