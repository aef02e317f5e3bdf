import Basics
import OTLP
import Settings
import TestKit
import Testing

@testable import MLflow

/// What holds for every framework, also for one that nobody has seen.
struct GeneralLawTests {
    // Wrappers.

    @Test(
        arguments: [
            (#"{"args":["one"],"kwargs":{}}"#, "\"one\""),
            (#"{"args":[],"kwargs":{"city":"Paris"}}"#, #"{"city":"Paris"}"#),
            (#"{"args":["one","two"],"kwargs":{}}"#, #"{"args":["one","two"],"kwargs":{}}"#),
            (#"{"args":["one"],"kwargs":{"city":"Paris"}}"#, #"{"args":["one"],"kwargs":{"city":"Paris"}}"#),
            (#"{"args":["one"],"kwargs":{},"more":1}"#, #"{"args":["one"],"kwargs":{},"more":1}"#),
            (#"{"args":["one"]}"#, #"{"args":["one"]}"#),
            (#"{"args":[{"args":["deep"],"kwargs":{}}],"kwargs":{}}"#, "\"deep\""),
            (#"{"args":[null],"kwargs":{}}"#, #"{"args":[null],"kwargs":{}}"#),
        ]
    )
    func `a wrapper is opened only with exactly its members`(value: String, shown: String) throws {
        let span = try mapChild(["traceloop.span.kind": "task", "traceloop.entity.input": .string(value)])
        #expect(span["mlflow.spanInputs"] == shown)
        #expect(span["traceloop.entity.input"] != nil)
    }

    @Test func `a tool's own arguments are no wrapper`() throws {
        for value in [#"{"input":"x"}"#, #"{"args":"x"}"#] {
            let tool = try mapChild(["openinference.span.kind": "TOOL", "input.value": .string(value)])
            #expect(tool["mlflow.spanInputs"] == value)
        }
        let chain = try mapChild(["openinference.span.kind": "CHAIN", "input.value": #"{"input":"x"}"#])
        #expect(chain["mlflow.spanInputs"] == "\"x\"")
    }

    @Test func `a crew's raw answer is shown unless there is a typed one`() throws {
        func outputs(_ value: String) throws -> String? {
            try mapChild(["openinference.span.kind": "CHAIN", "output.value": .string(value)])["mlflow.spanOutputs"]
        }
        let typed = #"{"raw":"Sunny.","pydantic":{"sky":"sunny"},"json_dict":null}"#
        #expect(try outputs(#"{"raw":"Sunny.","pydantic":null,"json_dict":null}"#) == "\"Sunny.\"")
        #expect(try outputs(typed) == typed)
    }

    @Test func `a user's rules open wrappers and name identities of a new framework`() throws {
        let rules = try rules(
            #"""
            {"convention": "acme", "type": {"attribute": "acme.kind", "values": {"run": "AGENT"}},
             "inputs": {"attribute": "acme.in", "as": "auto", "open": [
                {"member": "payload", "with": ["version"], "optional": ["trace"], "empty": ["error"]}, "traceloop_arguments"]},
             "outputs": {"attribute": "acme.out", "open": {"member": "list", "only": true}},
             "session": {"attribute": "acme.context", "path": "chat"}}
            """#
        )
        let root = TestSpan(
            "run",
            [
                "acme.kind": "run",
                "acme.in": #"{"payload":[{"role":"user","content":"Hi"}],"version":2,"error":null}"#,
                "acme.out": #"{"list":["Hello"]}"#, "acme.context": #"{"chat":"c-1"}"#,
            ]
        )
        let span = try readSpans(try mapCounting(tracesRequest([root]), rules: rules).payload)[0]
        #expect(preview(span["mlflow.spanInputs"], role: "user") == "Hi")
        #expect(preview(span["mlflow.spanOutputs"], role: "assistant") == "Hello")
        #expect(span["session.id"] == "\"c-1\"")
    }

    @Test func `an unknown wrapper is a problem that says what is allowed`() throws {
        #expect(throws: DocumentProblems.self) {
            try RuleDocument(
                userRules: try JSONNode(parsing: Array(#"{"inputs": {"attribute": "a", "open": "nothing"}}"#.utf8))
            )
        }
    }

    // Messages.

    @Test func `what LangChain serialised has roles, calls and ids`() throws {
        func message(_ kind: String, _ members: String) -> String {
            #"{"lc":1,"type":"constructor","id":["langchain_core","messages","\#(kind)"],"kwargs":{\#(members)}}"#
        }
        let list = [
            message("SystemMessage", #""content":"Be brief.""#), message("HumanMessage", #""content":"Weather?""#),
            message(
                "AIMessage",
                #""content":"","tool_calls":[{"id":"c","name":"f","args":{"x":1},"type":"tool_call"}]"#
            ),
            message("ToolMessage", #""content":"18","tool_call_id":"c""#),
        ]
        let span = try mapChild([
            "openinference.span.kind": "CHAIN",
            "input.value": .string("{\"messages\":[\(list.joined(separator: ","))]}"),
            "output.value": "Sunny.",
        ])
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Weather?"},"#
                + #"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":"#
                + #"{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","content":"18","tool_call_id":"c"}]}"#
        )
    }

    @Test(
        arguments: [
            (#"{"type":"json","value":{"t":1}}"#, #"{\"t\":1}"#), (#"{"type":"text","value":"mild"}"#, "mild"),
            (#"{"type":"error-text","value":"down"}"#, "down"),
            (#"{"type":"content","value":[{"type":"text","text":"a"}]}"#, "a"),
            (#"{"type":"json","value":1,"more":2}"#, #"{\"type\":\"json\",\"value\":1,\"more\":2}"#),
        ]
    )
    func `a tool's result is taken out of its typed wrapper`(output: String, text: String) throws {
        let span = try mapChild([
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.prompt.messages": .string(
                #"[{"role":"tool","content":[{"type":"tool-result","toolCallId":"c","toolName":"f","output":\#(output)}]}]"#
            ),
        ])
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"tool","tool_call_id":"c","content":"\#(text)"}]}"#
        )
    }

    @Test(
        arguments: [
            (#"{"type":"blob","mime_type":"application/pdf","content":"JVBERi0="}"#, "[application/pdf, 5 bytes]"),
            (
                #"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}"#,
                "[application/pdf, a.pdf, 5 bytes]"
            ),
            (#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}"#, "[wav, 3 bytes]"),
            (#"{"type":"uri","mime_type":"video/mp4","uri":"https://v/1"}"#, "[video/mp4, https://v/1]"),
            (#"{"inlineData":{"mimeType":"audio/mp3","data":"AAAA"}}"#, "[audio/mp3, 3 bytes]"),
        ]
    )
    func `media that the page cannot show are one line`(part: String, line: String) throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(#"[{"role":"user","parts":[\#(part)]}]"#),
        ])
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"user","content":[{"type":"text","text":"\#(line)"}]}]}"#
        )
    }

    @Test(
        arguments: [
            #"{"type":"image","image":"data:image/png;base64,AAAA"}"#,
            #"{"type":"blob","modality":"image","content":"AAAA"}"#,
            #"{"media":{"url":"data:image/png;base64,AAAA","contentType":"image/png"}}"#,
            #"{"type":"file","mediaType":"image/png","data":"AAAA"}"#,
            #"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}"#,
        ]
    )
    func `an image has one address of its data`(part: String) throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(#"[{"role":"user","parts":[\#(part)]}]"#),
        ])
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":"#
                + #"{"url":"data:image/png;base64,AAAA"}}]}]}"#
        )
    }

    @Test func `a document that is plain text is text`() throws {
        let part = #"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"Hello."}}"#
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(#"[{"role":"user","parts":[\#(part)]}]"#),
        ])
        #expect(span["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"Hello."}]}"#)
    }

    @Test func `an image's address stays as it is, whatever its scheme`() throws {
        let part = #"{"type":"image","image":"s3://bucket/a.png"}"#
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(#"[{"role":"user","parts":[\#(part)]}]"#),
        ])
        #expect(span["mlflow.spanInputs"]?.contains(#""url":"s3://bucket/a.png""#) == true)
    }

    @Test func `what is thought is no part of the text`() throws {
        for part in [#"{"reasoning":"Hm."}"#, #"{"type":"thinking","thinking":"Hm."}"#] {
            let span = try mapChild([
                "gen_ai.operation.name": "chat",
                "gen_ai.output.messages": .string(#"[{"role":"assistant","parts":[\#(part),{"text":"Sunny."}]}]"#),
            ])
            #expect(
                span["mlflow.spanOutputs"]
                    == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Sunny.","reasoning":"Hm."}}]}"#
            )
        }
    }

    @Test func `context that an agent puts before the question is a message of its own`() throws {
        func inputs(_ parts: String) throws -> String? {
            try mapChild([
                "gen_ai.operation.name": "chat",
                "gen_ai.input.messages": .string(#"[{"role":"user","parts":[\#(parts)]}]"#),
            ])["mlflow.spanInputs"]
        }
        let context = #"{"text":"<ctx>\nlinux</ctx>"}"#
        #expect(
            try inputs("\(context),{\"text\":\"Weather?\"}")
                == #"{"messages":[{"role":"user","content":"<ctx>\nlinux</ctx>"},{"role":"user","content":"Weather?"}]}"#
        )
        #expect(try inputs(context) == #"{"messages":[{"role":"user","content":"<ctx>\nlinux</ctx>"}]}"#)
        let text = #"{"text":"<b>no</i>"},{"text":"Weather?"}"#
        #expect(try preview(inputs(text), role: "user") == "<b>no</i>")
    }

    @Test func `an empty answer gives way to what else is there`() throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat",
            "gen_ai.output.messages": #"[{"role":"assistant","parts":[{"type":"text","content":""}]}]"#,
        ])
        #expect(span["mlflow.spanOutputs"] == nil)
    }

    @Test func `a prompt that a step only passes on is no answer`() throws {
        let prompt = #"{"messages":[{"role":"user","content":"Weather?"}]}"#
        let span = try mapChild([
            "openinference.span.kind": "CHAIN", "input.value": "Paris", "output.value": .string(prompt),
        ])
        #expect(span["mlflow.spanOutputs"] == prompt)
        #expect(span["mlflow.message.format"] == nil)
    }

    // Identities.

    @Test(
        arguments: [
            ("app.chatSessionId", true), ("acme.thread_id", true), ("conversation-identifier", true),
            ("roomGroupID", true),
            ("sessionIdentifier", true), ("thread.id", false), ("jvm.thread.id", false),
            ("acme.consumer.group.id", false), ("messaging.consumer.group.id", false),
            ("validation_session_id", false), ("azure.resource_group_id", false),
            ("session.name", false), ("obsession", false), ("id", false), ("sessionids", false),
        ]
    )
    func `a key whose last words are those of a session names one`(key: String, isSession: Bool) throws {
        let root = try map(TestSpan("root", [key: "s1"]))[0]
        #expect(root["session.id"] == (isSession ? "\"s1\"" : nil))
        #expect(try map(TestSpan("root", [key: 17]))[0]["session.id"] == nil)
    }

    @Test func `such a key counts on a typed span, not on any other, and behind every key that rules name`() throws {
        func session(_ child: KeyValuePairs<String, TestValue>) throws -> String? {
            try map(TestSpan("child", id: 2, parent: 1, child), TestSpan("root", id: 1))[1]["session.id"]
        }
        #expect(try session(["acme.chat.id": "c"]) == nil)
        #expect(try session(["acme.chat.id": "c", "gen_ai.operation.name": "chat"]) == "\"c\"")
        #expect(try session(["acme.chat.id": "140573205417008", "gen_ai.operation.name": "chat"]) == nil)
        #expect(try map(TestSpan("root", ["acme.chat.id": "17"]))[0]["session.id"] == "\"17\"")
        let named: KeyValuePairs<String, TestValue> = ["acme.chat.id": "c", "langfuse.session.id": "l"]
        #expect(try map(TestSpan("root", named))[0]["session.id"] == "\"l\"")
        #expect(try map(TestSpan("root", ["shop.customerId": "u"]))[0]["user.id"] == "\"u\"")
    }

    @Test func `of several spans the outermost names the session`() throws {
        var inner = TestSpan("inner", id: 3, parent: 2, ["gen_ai.conversation.id": "inner"])
        var outer = TestSpan("outer", id: 2, parent: 1, ["traceloop.association.properties.session_id": "outer"])
        inner.start = 20
        outer.start = 10
        let spans = try map(inner, outer, TestSpan("root", id: 1))
        #expect(spans[2]["session.id"] == "\"outer\"")
    }

    @Test func `metadata names session and user`() throws {
        let root = try map(
            TestSpan(
                "root",
                ["openinference.span.kind": "CHAIN", "metadata": #"{"thread_id":"t","user_id":"u","plan":"pro"}"#]
            )
        )[0]
        #expect(root["session.id"] == "\"t\"")
        #expect(root["user.id"] == "\"u\"")
        #expect(root["mlflow.traceTag.plan"] == "\"pro\"")
        #expect(root["mlflow.traceTag.thread_id"] == nil)
    }

    // Models, usage, tags.

    @Test(
        arguments: [
            ("openai/gpt-4o", "spring_ai", "gpt-4o", "openai"), ("openai/gpt-4o", "openai", "gpt-4o", "openai"),
            ("openai/gpt-4o", "openrouter", "openai/gpt-4o", "openrouter"),
            ("Qwen/Qwen3-8B", "vllm", "Qwen/Qwen3-8B", "vllm"), ("meta-llama/Llama-3", nil, "meta-llama/Llama-3", nil),
            ("anthropic/claude", nil, "claude", "anthropic"), ("gpt-4o", "langchain", "gpt-4o", "langchain"),
        ]
    )
    func `a provider stands apart from its model`(
        model: String,
        provider: String?,
        name: String,
        shown: String?
    ) throws {
        var span = TestSpan(
            id: 2,
            parent: 1,
            ["gen_ai.operation.name": "chat", "gen_ai.request.model": .string(model)]
        )
        if let provider { span.attributes.append(("gen_ai.provider.name", .string(provider))) }
        let read = try map(span)[0]
        #expect(read["mlflow.llm.model"] == "\"\(name)\"")
        #expect(read["mlflow.llm.provider"] == shown.map { "\"\($0)\"" })
    }

    @Test func `a model that is none gives way to the one that was asked for, span by span`() throws {
        let spans = (2...5).map { id in
            TestSpan(
                id: UInt64(id),
                parent: 1,
                [
                    "gen_ai.operation.name": "chat", "gen_ai.response.model": "none",
                    "gen_ai.request.model": .string("model-\(id)"), "gen_ai.provider.name": "openai",
                ]
            )
        }
        #expect(try map(tracesRequest(spans)).map { $0["mlflow.llm.model"] } == (2...5).map { "\"model-\($0)\"" })
    }

    @Test(
        arguments: [
            (9, 4, 18, 2, 3, 11, 7), (11, 7, 21, 2, 3, 11, 10), (11, 7, 18, 2, 3, 11, 7), (9, 7, 18, 2, 0, 11, 7),
            (11, 7, 40, 2, 3, 11, 7),
        ]
    )
    func `tokens that only the total holds are added where they belong`(
        input: Int64,
        output: Int64,
        total: Int64,
        cached: Int64,
        reasoning: Int64,
        shownInput: Int64,
        shownOutput: Int64
    ) throws {
        let span = try mapChild([
            "langfuse.observation.type": "generation",
            "langfuse.observation.usage_details": .string(
                #"{"input":\#(input),"output":\#(output),"total":\#(total),"input_cached_tokens":\#(cached),"#
                    + #""output_reasoning_tokens":\#(reasoning)}"#
            ),
        ])
        #expect(
            span["mlflow.chat.tokenUsage"]
                == #"{"input_tokens":\#(shownInput),"output_tokens":\#(shownOutput),"total_tokens":\#(total),"#
                + #""cache_read_input_tokens":\#(cached)}"#
        )
    }

    @Test func `counts that are all 0 are unknown`() throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": "0", "gen_ai.usage.output_tokens": "0",
            "gen_ai.usage.total_tokens": "0",
        ])
        #expect(span["mlflow.chat.tokenUsage"] == nil)
    }

    @Test func `tags may be a list with commas, and metadata leaves out identities`() throws {
        let root = try map(
            TestSpan(
                "root",
                [
                    "ai.operationId": "ai.generateText", "ai.telemetry.metadata.tags": "a, b",
                    "ai.telemetry.metadata.plan": "pro", "ai.telemetry.metadata.sessionId": "s",
                ]
            )
        )[0]
        #expect(root["mlflow.traceTag.a"] == "\"true\"" && root["mlflow.traceTag.b"] == "\"true\"")
        #expect(root["mlflow.traceTag.plan"] == "\"pro\"")
        #expect(root["mlflow.traceTag.sessionId"] == nil)
    }

    @Test func `tools keep their parameters in every spelling`() throws {
        let tools = #"[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}]"#
        let span = try mapChild(["gen_ai.operation.name": "chat", "gen_ai.tool.definitions": .string(tools)])
        #expect(
            span["mlflow.chat.tools"]
                == #"[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#
        )
    }

    @Test func `explain names who read a session and from which key`() throws {
        var batch = try SpanBatch.of(TestSpan("root", ["acme.chat.id": "c"]))
        var mapper = SpanMapper(rules: try TestRules.all.get())
        let decision = mapper.map(&batch, explaining: true).decisions?.first { $0.target == "session.id" }
        #expect(decision?.rule == "last words of the key")
        #expect(decision?.sources == ["acme.chat.id"])
    }
}
