import TestKit
import Testing

/// Parts of a message that recorders put elsewhere, and calls and answers that they describe twice: bodies of Amazon's Bedrock and of
/// LangGraph.
struct ScatteredPartTests {
    private func outputs(_ messages: String) throws -> String? {
        try mapChild(["gen_ai.operation.name": "chat", "gen_ai.output.messages": .string(messages)])[
            "mlflow.spanOutputs"
        ]
    }

    @Test func `a text and the calls behind it are one answer`() throws {
        let spans = try ClientBodies.mapped("python-bedrock-1")
        #expect(
            spans[0]["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Let me look.","tool_calls":["#
                + #"{"id":"toolu_1","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Paris\"}"}}]},"#
                + #""finish_reason":"tool_calls"}]}"#
        )
    }

    @Test func `choices of their own stay apart`() throws {
        let call = #""tool_calls":[{"id":"c","name":"f","args":{}}]"#
        let text = #"{"role":"assistant","content":"a"}"#
        for rest in [
            #"{"role":"assistant",\#(call),"finish_reason":"tool_calls"}"#,
            #"{"role":"assistant","content":"b",\#(call)}"#,
            #"{"message":{"role":"assistant",\#(call)}}"#,
        ] {
            #expect(try outputs("[\(text),\(rest)]")?.contains(#"{"index":1,"message":{"role":"assistant""#) == true)
        }
        let ended = #"{"role":"assistant","content":"a","finish_reason":"stop"}"#
        #expect(try outputs(#"[\#(ended),{"role":"assistant",\#(call)}]"#)?.contains(#"{"index":1,"#) == true)
    }

    @Test func `what a model thought is no text, where a recorder wrote the JSON of it`() throws {
        let inputs = try #require(
            try ClientBodies.mapped("python-langgraph-thoughts-1").filter { $0.name == "GenericFakeChatModel.chat" }
                .last?[
                    "mlflow.spanInputs"
                ]
        )
        #expect(inputs.contains(#""reasoning":"I need the weather.""#))
        #expect(!inputs.contains("signature"))
    }

    @Test(
        arguments: [
            (
                #"{\"type\": \"thinking\", \"thinking\": \"a\\nb\"}"#,
                #"{"role":"assistant","content":"x","reasoning":"a\nb"}"#
            ),
            (
                #"{\"id\":\"rs_1\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"c\"}],\"type\":\"reasoning\"}"#,
                #"{"role":"assistant","content":"x","reasoning":"c"}"#
            ),
            (#"{\"id\":\"rs_1\",\"summary\":[],\"type\":\"reasoning\"}"#, #"{"role":"assistant","content":"x"}"#),
            (
                #"{\"type\": \"reasoning\", \"tokens\": 7}"#,
                #"{"role":"assistant","content":"{\"type\": \"reasoning\", \"tokens\": 7}\nx"}"#
            ),
            (
                #"{\"type\": \"answer\", \"text\": \"y\"}"#,
                #"{"role":"assistant","content":"{\"type\": \"answer\", \"text\": \"y\"}\nx"}"#
            ),
        ]
    )
    func `the JSON of a thought becomes one, other JSON stays`(text: String, message: String) throws {
        let parts = #"[{"type":"text","content":"\#(text)"},{"type":"text","content":"x"}]"#
        #expect(
            try outputs(#"[{"role":"assistant","parts":\#(parts)}]"#)
                == #"{"choices":[{"index":0,"message":\#(message)}]}"#
        )
    }

    /// The longest text decides nothing in a form that is copied from span to span, unless it is a part itself.
    @Test func `a thought is read where a text stood before`() throws {
        let texts = [
            String(repeating: "a", count: 80),
            #"{\"type\": \"thinking\", \"thinking\": \"\#(String(repeating: "b", count: 80))\"}"#,
        ]
        let spans = texts.enumerated().map { number, text in
            TestSpan(
                id: UInt64(number + 2),
                parent: 1,
                [
                    "gen_ai.operation.name": "chat",
                    "gen_ai.output.messages": .string(#"[{"role":"assistant","content":"\#(text)"}]"#),
                ]
            )
        }
        let read = try map(tracesRequest(spans, resource: []))
        #expect(read[0]["mlflow.spanOutputs"]?.contains(#""content":"aaa"#) == true)
        #expect(read[1]["mlflow.spanOutputs"]?.contains(#""content":null,"reasoning":"bbb"#) == true)
    }

    @Test func `a stream whose end is seen last by the instrumentation inside is one call`() throws {
        let spans = try ClientBodies.mapped("python-bedrock-both-1").filter {
            $0["mlflow.spanType"] == "\"CHAT_MODEL\""
        }
        #expect(spans.count == 4)
        let counts = #"{"input_tokens":11,"output_tokens":7,"total_tokens":18}"#
        #expect(spans.filter { $0["mlflow.chat.tokenUsage"] == counts }.count == 2)
        #expect(spans.filter { $0["repeat.chat.tokenUsage"] == counts }.allSatisfy { $0["mlflow.spanInputs"] != nil })
    }

    @Test func `an answer that a retriever had written shows that, its session and its model`() throws {
        let root = try ClientBodies.mapped("python-bedrock-agent-1")[0]
        #expect(root["mlflow.spanType"] == "\"RETRIEVER\"")
        #expect(preview(root["mlflow.spanInputs"], role: "user") == "What is the weather in Paris?")
        #expect(preview(root["mlflow.spanOutputs"], role: "assistant") == "It is sunny in Paris, 18 degrees.")
        #expect(root["session.id"] == "\"session-1\"")
        #expect(root["mlflow.llm.model"] == "\"anthropic.claude-3-5-sonnet-20240620-v1:0\"")
    }

    @Test(
        arguments: [
            ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
            (
                "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0",
                "eu.amazon.nova-lite-v1:0"
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2",
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2"
            ),
        ]
    )
    func `the name of a resource gives way to the model in it`(model: String, shown: String) throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock",
            "gen_ai.request.model": .string(model),
        ])
        #expect(span["mlflow.llm.model"] == "\"\(shown)\"")
    }

    @Test func `a step that only passes on what tools answered has a conversation on both sides`() throws {
        let step = try #require(
            try ClientBodies.mapped("python-langgraph-thoughts-1").first { $0.name == "execute_task tools" }
        )
        #expect(
            step["mlflow.spanInputs"]?.hasPrefix(
                #"{"messages":[{"role":"user","content":"What is the weather in Paris?"},{"role":"assistant","content":"Let me look."#
            ) == true
        )
        #expect(
            step["mlflow.spanOutputs"]
                == #"{"messages":[{"role":"tool","content":"18 degrees in Paris","tool_call_id":"call_1"}]}"#
        )
    }

    @Test func `what a root passes on is no answer of its trace`() throws {
        let output = #"{"messages":[{"role":"user","content":"a"}]}"#
        let root = TestSpan("run", ["traceloop.span.kind": "workflow", "traceloop.entity.output": .string(output)])
        #expect(try map(root)[0]["mlflow.message.format"] == nil)
    }

    @Test func `a message that is written as a text in quotes is one`() throws {
        func outputs(_ text: String) throws -> String? {
            try mapChild([
                "traceloop.span.kind": "task", "traceloop.entity.output": .string(text),
                "traceloop.entity.input": #"{"args":[[{"role":"user","content":"a"}]],"kwargs":{}}"#,
            ])["mlflow.spanOutputs"]
        }
        #expect(
            try outputs(#""{\n  \"content\": \"It is \\\"sunny\\\".\",\n  \"role\": \"assistant\"\n}""#)
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"It is \"sunny\"."}}]}"#
        )
        #expect(
            try outputs(#""{\"sky\": \"sunny\"}""#)
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"{\"sky\": \"sunny\"}"}}]}"#
        )
    }
}
