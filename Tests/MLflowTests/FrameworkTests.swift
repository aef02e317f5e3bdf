import Conditions
import TestKit
import Testing

/// Conventions of frameworks of which there are no recordings, by what their documentation and sources say they send.
struct FrameworkTests {
    private let chat = (
        inputs: #"{"messages":[{"role":"user","content":"Weather?"}]}"#,
        outputs: #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Sunny."}}]}"#
    )

    @Test func `Vercel's model call is a conversation with tools and tokens`() throws {
        let span = try mapChild([
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.prompt.messages": #"[{"role":"user","content":[{"type":"text","text":"Weather?"}]}]"#,
            "ai.prompt.tools": [#"{"type":"function","name":"f","inputSchema":{"type":"object"}}"#],
            "ai.response.toolCalls":
                #"[{"toolCallType":"function","toolCallId":"c","toolName":"f","args":"{\"x\":1}"}]"#,
            "ai.response.finishReason": "tool-calls", "ai.response.model": "gpt-4o-2026", "ai.model.id": "gpt-4o",
            "ai.model.provider": "openai.chat", "ai.usage.inputTokens": 11, "ai.usage.outputTokens": 7,
            "ai.usage.cachedInputTokens": 3,
        ])
        #expect(span["mlflow.spanType"] == "\"LLM\"")
        #expect(span["mlflow.spanInputs"] == chat.inputs)
        #expect(
            span["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":["#
                + #"{"id":"c","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}]}"#
        )
        #expect(
            span["mlflow.chat.tools"]
                == #"[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#
        )
        #expect(
            span["mlflow.chat.tokenUsage"]
                == #"{"input_tokens":11,"output_tokens":7,"total_tokens":18,"cache_read_input_tokens":3}"#
        )
        #expect(span["mlflow.llm.model"] == "\"gpt-4o-2026\"")
        #expect(span["mlflow.llm.provider"] == "\"openai\"")
    }

    @Test func `Vercel's outer span repeats the last step's tokens, so it has none`() throws {
        let outer = TestSpan(
            "ai.generateText",
            [
                "ai.operationId": "ai.generateText", "ai.prompt": #"{"system":"Be brief.","prompt":"Weather?"}"#,
                "ai.response.text": "Sunny.", "ai.usage.promptTokens": 11, "ai.usage.completionTokens": 7,
                "ai.telemetry.functionId": "weather", "ai.telemetry.metadata.sessionId": "s",
                "ai.telemetry.metadata.userId": "u", "ai.telemetry.metadata.tags": ["blue"],
            ]
        )
        let span = try map(outer)[0]
        #expect(span["mlflow.chat.tokenUsage"] == nil)
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Weather?"}]}"#
        )
        #expect(span["mlflow.spanOutputs"] == chat.outputs)
        #expect(span["mlflow.traceTag.mlflow.traceName"] == "\"weather\"")
        #expect(span["session.id"] == "\"s\"")
        #expect(span["user.id"] == "\"u\"")
        #expect(span["mlflow.traceTag.blue"] == "\"true\"")
    }

    @Test(
        arguments: [
            ("ai.toolCall.args", #"{"x":1}"#, "ai.toolCall.result", #"{"y":2}"#, "ai.toolCall", "TOOL"),
            ("ai.value", "one", "ai.embedding", "[0.5]", "ai.embed.doEmbed", "EMBEDDING"),
            ("ai.values", #"["one"]"#, "ai.embeddings", "[[0.5]]", "ai.embedMany.doEmbed", "EMBEDDING"),
        ]
    )
    func `Vercel's other operations`(
        input: String,
        value: String,
        output: String,
        result: String,
        id: String,
        type: String
    )
        throws
    {
        let span = TestSpan(id: 2, parent: 1, ["ai.operationId": .string(id)])
        var whole = span
        whole.attributes += [(input, .string(value)), (output, .string(result))]
        let mapped = try map(whole)[0]
        #expect(mapped["mlflow.spanType"] == "\"\(type)\"")
        #expect(mapped["mlflow.spanInputs"] == (value.first == "o" ? "\"\(value)\"" : value))
        #expect(mapped["mlflow.spanOutputs"] == result)
    }

    @Test func `Genkit's model action is a conversation, its flow has plain text`() throws {
        let model = try mapChild([
            "genkit:type": "action", "genkit:metadata:subtype": "model", "genkit:name": "googleai/gemini-2.5-flash",
            "genkit:input":
                #"{"messages":[{"role":"user","content":[{"text":"Weather?"}]}],"config":{"temperature":0}}"#,
            "genkit:output":
                #"{"message":{"role":"model","content":[{"toolRequest":{"name":"f","ref":"c","input":{"x":1}}}]},"finishReason":"stop","usage":{"inputTokens":11,"outputTokens":7,"totalTokens":18}}"#,
        ])
        #expect(model["mlflow.spanType"] == "\"CHAT_MODEL\"")
        #expect(
            model["mlflow.spanInputs"]
                == #"{"messages":[{"role":"user","content":"Weather?"}],"config":{"temperature":0}}"#
        )
        #expect(
            model["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":["#
                + #"{"id":"c","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"stop"}]}"#
        )
        #expect(
            model["mlflow.chat.tokenUsage"] == #"{"input_tokens":11,"output_tokens":7,"total_tokens":18}"#
        )
        #expect(model["mlflow.llm.model"] == "\"gemini-2.5-flash\"")
        #expect(model["mlflow.llm.provider"] == "\"googleai\"")
        let flow = try mapChild([
            "genkit:type": "flow", "genkit:input": "\"Weather?\"", "genkit:output": "\"Sunny.\"",
        ])
        #expect(flow["mlflow.spanType"] == "\"WORKFLOW\"")
        #expect(flow["mlflow.spanInputs"] == "\"Weather?\"")
        #expect(flow["mlflow.spanOutputs"] == "\"Sunny.\"")
    }

    @Test func `Claude Code's request counts cached tokens into the input, and redacted content is none`() throws {
        let request = try mapChild([
            "span.type": "llm_request", "model": "claude-4", "input_tokens": "10", "output_tokens": "7",
            "cache_read_tokens": "100", "cache_creation_tokens": "5", "new_context": "<REDACTED>",
            "response.model_output": "Sunny.",
        ])
        #expect(request["mlflow.spanType"] == "\"LLM\"")
        #expect(request["mlflow.spanInputs"] == nil)
        #expect(request["mlflow.spanOutputs"] == "\"Sunny.\"")
        #expect(
            request["mlflow.chat.tokenUsage"]
                == #"{"input_tokens":115,"output_tokens":7,"total_tokens":122,"cache_read_input_tokens":100,"#
                + #""cache_creation_input_tokens":5}"#
        )
        #expect(request["mlflow.llm.model"] == "\"claude-4\"")
    }

    @Test func `Claude Code's tool gives what it was told and, by its event, what came out`() throws {
        var tool = TestSpan("claude_code.tool", id: 2, parent: 1, ["span.type": "tool", "file_path": "a.txt"])
        tool.events = [("tool.output", [("content", "text of a")])]
        let span = try map(tool)[0]
        #expect(span["mlflow.spanType"] == "\"TOOL\"")
        #expect(span["mlflow.spanInputs"] == #"{"file_path":"a.txt"}"#)
        #expect(span["mlflow.spanOutputs"] == "\"text of a\"")
    }

    @Test func `bare keys of Claude Code and VoltAgent mean nothing on other spans`() throws {
        let span = try mapChild(["input": "x", "output": "y", "input_tokens": 5, "model": "m", "user_prompt": "p"])
        #expect(span.keys.allSatisfy { !$0.hasPrefix("mlflow.") })
    }

    @Test func `Gemini CLI's chunks are one answer`() throws {
        let span = try mapChild([
            "gen_ai.agent.name": "gemini-cli", "gen_ai.operation.name": "llm_call",
            "gen_ai.input.messages": #"[{"role":"user","parts":[{"text":"Weather?"}]}]"#,
            "gen_ai.output.messages":
                #"[{"role":"model","parts":[{"text":"Sun"}]},{"role":"model","parts":[{"text":"ny."}]}]"#,
        ])
        #expect(span["mlflow.spanType"] == "\"LLM\"")
        #expect(span["mlflow.spanInputs"] == chat.inputs)
        #expect(
            span["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Sunny."}}]}"#
        )
    }

    @Test func `VoltAgent's child has its own type, its root that of the agent`() throws {
        let model = try mapChild([
            "entity.type": "agent", "span.type": "llm", "llm.messages": #"[{"role":"user","content":"Weather?"}]"#,
            "output": "Sunny.", "usage.prompt_tokens": 11, "usage.completion_tokens": 7, "llm.model": "gpt-4o",
        ])
        #expect(model["mlflow.spanType"] == "\"LLM\"")
        #expect(model["mlflow.spanInputs"] == chat.inputs)
        #expect(model["mlflow.spanOutputs"] == chat.outputs)
        #expect(
            model["mlflow.chat.tokenUsage"] == #"{"input_tokens":11,"output_tokens":7,"total_tokens":18}"#
        )
        let root = try map(
            TestSpan("run", ["entity.type": "agent", "entity.name": "travel", "voltagent.conversation_id": "c"])
        )[0]
        #expect(root["mlflow.spanType"] == "\"AGENT\"")
        #expect(root["mlflow.traceTag.mlflow.traceName"] == "\"travel\"")
        #expect(root["session.id"] == "\"c\"")
    }

    @Test func `Spring AI's client, tool and vector store`() throws {
        let client = try mapChild([
            "spring.ai.kind": "chat_client", "gen_ai.operation.name": "framework",
            "spring.ai.chat.client.system.text": "Be brief.", "spring.ai.chat.client.user.text": "Weather?",
        ])
        #expect(client["mlflow.spanType"] == "\"CHAIN\"")
        #expect(
            client["mlflow.spanInputs"]
                == #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Weather?"}]}"#
        )
        let tool = try mapChild([
            "spring.ai.kind": "tool_call", "spring.ai.tool.call.arguments": #"{"x":1}"#,
            "spring.ai.tool.call.result": "18 degrees",
        ])
        #expect(tool["mlflow.spanType"] == "\"TOOL\"")
        #expect(tool["mlflow.spanInputs"] == #"{"x":1}"#)
        #expect(tool["mlflow.spanOutputs"] == "\"18 degrees\"")
        let store = try mapChild([
            "spring.ai.kind": "vector_store", "db.vector.query.content": "Paris",
            "db.vector.query.response.documents": #"[{"id":"1","content":"mild","score":0.5}]"#,
        ])
        #expect(store["mlflow.spanType"] == "\"RETRIEVER\"")
        #expect(store["mlflow.spanOutputs"] == #"[{"page_content":"mild","metadata":{"score":0.5},"id":"1"}]"#)
    }

    @Test func `older Pydantic AI has its messages as events in one attribute`() throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "logfire.json_schema": "{}",
            "events":
                #"[{"event.name":"gen_ai.user.message","content":"Weather?","role":"user"},{"event.name":"gen_ai.choice","index":0,"message":{"role":"assistant","content":"Sunny."}}]"#,
        ])
        #expect(span["mlflow.spanInputs"] == chat.inputs)
        #expect(span["mlflow.spanOutputs"] == chat.outputs)
        let tool = try mapChild([
            "gen_ai.tool.name": "f", "tool_arguments": #"{"x":1}"#, "tool_response": "18", "logfire.json_schema": "{}",
        ])
        #expect(tool["mlflow.spanType"] == "\"TOOL\"")
        #expect(tool["mlflow.spanInputs"] == #"{"x":1}"#)
        #expect(tool["mlflow.spanOutputs"] == "\"18\"")
    }

    @Test func `Logfire's instrumentation of OpenAI`() throws {
        let span = try mapChild([
            "logfire.json_schema": "{}", "logfire.level_num": 13,
            "request_data": #"{"messages":[{"role":"user","content":"Weather?"}],"model":"gpt-4o"}"#,
            "response_data":
                #"{"message":{"role":"assistant","content":"Sunny."},"usage":{"prompt_tokens":11,"completion_tokens":7}}"#,
        ])
        #expect(span["mlflow.spanType"] == "\"LLM\"")
        #expect(
            span["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"Weather?"}],"model":"gpt-4o"}"#
        )
        #expect(span["mlflow.spanOutputs"] == chat.outputs)
        #expect(
            span["mlflow.chat.tokenUsage"] == #"{"input_tokens":11,"output_tokens":7,"total_tokens":18}"#
        )
        #expect(span["mlflow.llm.model"] == "\"gpt-4o\"")
        #expect(span["mlflow.spanLogLevel"] == "30")
    }

    @Test func `Langfuse's compatible names of session, user, prompt, level and tags reach the root`() throws {
        let root = TestSpan("root")
        let child = TestSpan(
            id: 2,
            parent: 1,
            [
                "langfuse.observation.type": "generation", "langfuse.session.id": "s", "langfuse.user.id": "u",
                "langfuse.observation.level": "WARNING", "langfuse.observation.prompt.name": "greeting",
                "langfuse.observation.prompt.version": 3, "langfuse.trace.metadata.plan": "pro",
                "langfuse.trace.metadata": #"{"team":"blue"}"#,
                "langfuse.observation.usage_details": #"{"input":11,"output":7,"input_cached_tokens":2}"#,
                "langfuse.observation.cost_details": #"{"input":0.1,"output":0.2,"total":0.3}"#,
            ]
        )
        let spans = try map(root, child)
        #expect(spans[0]["session.id"] == "\"s\"")
        #expect(spans[0]["user.id"] == "\"u\"")
        #expect(spans[0]["mlflow.traceTag.plan"] == "\"pro\"")
        #expect(spans[0]["mlflow.traceTag.team"] == "\"blue\"")
        #expect(
            spans[0]["mlflow.traceTag.mlflow.linkedPrompts"] == #""[{\"name\":\"greeting\",\"version\":\"3\"}]""#
        )
        #expect(spans[1]["mlflow.spanLogLevel"] == "30")
        #expect(
            spans[1]["mlflow.chat.tokenUsage"]
                == #"{"input_tokens":11,"output_tokens":7,"total_tokens":18,"cache_read_input_tokens":2}"#
        )
        #expect(spans[1]["mlflow.llm.cost"] == #"{"input_cost":0.1,"output_cost":0.2,"total_cost":0.3}"#)
    }

    @Test func `older LiveKit names`() throws {
        let node = try mapChild([
            "lk.chat_ctx": #"{"items":[{"type":"message","role":"user","content":["Weather?"]}]}"#,
            "lk.response.text": "Sunny.", "lk.response.function_calls": "[]",
        ])
        #expect(node["mlflow.spanType"] == "\"LLM\"")
        #expect(node["mlflow.spanInputs"] == chat.inputs)
        #expect(node["mlflow.spanOutputs"] == chat.outputs)
        let turn = try mapChild(["lk.generation_id": "g", "lk.user_input": "Weather?", "lk.response.text": "Sunny."])
        #expect(turn["mlflow.spanInputs"] == chat.inputs)
        #expect(turn["mlflow.spanOutputs"] == chat.outputs)
    }

    @Test func `Semantic Kernel's agent, an evaluation and a guardrail`() throws {
        let agent = try mapChild([
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.invocation_input": #"[{"role":"user","content":"Weather?"}]"#,
            "gen_ai.agent.invocation_output": #"[{"role":"assistant","content":"Sunny."}]"#,
        ])
        #expect(agent["mlflow.spanInputs"] == chat.inputs)
        #expect(agent["mlflow.spanOutputs"] == chat.outputs)
        let evaluation = try mapChild([
            "gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.5,
            "gen_ai.evaluation.score.label": "fair",
        ])
        #expect(evaluation["mlflow.spanType"] == "\"EVALUATOR\"")
        #expect(evaluation["mlflow.spanOutputs"] == #"{"name":"relevance","score":0.5,"label":"fair"}"#)
        let guardrail = try mapChild(["guardrail_name": "pii", "guardrail_response": #"{"action":"mask"}"#])
        #expect(guardrail["mlflow.spanType"] == "\"GUARDRAIL\"")
        #expect(guardrail["mlflow.spanOutputs"] == #"{"action":"mask"}"#)
    }

    @Test func `OpenInference's parameters, texts and query are inputs where there is no value`() throws {
        let tool = try mapChild(["openinference.span.kind": "TOOL", "tool.parameters": #"{"x":1}"#])
        #expect(tool["mlflow.spanInputs"] == #"{"x":1}"#)
        let embedding = try mapChild([
            "openinference.span.kind": "EMBEDDING", "embedding.embeddings.0.embedding.text": "one",
            "embedding.embeddings.1.embedding.text": "two",
        ])
        #expect(embedding["mlflow.spanInputs"] == #"[{"text":"one"},{"text":"two"}]"#)
        let reranker = try mapChild([
            "openinference.span.kind": "RERANKER", "reranker.query": "Paris",
            "reranker.output_documents.0.document.content": "mild",
        ])
        #expect(reranker["mlflow.spanInputs"] == "\"Paris\"")
        #expect(reranker["mlflow.spanOutputs"] == #"[{"page_content":"mild","metadata":{}}]"#)
    }

    @Test func `a list of role and text is a message, other pairs of texts are none`() throws {
        let chain = try mapChild([
            "langsmith.span.kind": "chain", "gen_ai.prompt": #"{"messages":[["human","Weather?"]]}"#,
            "gen_ai.completion": #"{"output":["one","two"]}"#,
        ])
        #expect(chain["mlflow.spanInputs"] == #"{"messages":[["human","Weather?"]]}"#)
        #expect(chain["mlflow.spanOutputs"] == #"["one","two"]"#)
        let model = try mapChild([
            "langsmith.span.kind": "llm", "gen_ai.prompt": #"{"messages":[["human","Weather?"]]}"#,
            "gen_ai.completion": "Sunny.",
        ])
        #expect(model["mlflow.spanInputs"] == chat.inputs)
        #expect(model["mlflow.spanOutputs"] == chat.outputs)
    }

    @Test func `a conversation given as output shows its answer first, and all of it`() throws {
        let agent = try mapChild([
            "haystack.agent.max_steps": 3,
            "haystack.agent.input": #"{"messages":[{"role":"user","content":"Weather?"}]}"#,
            "haystack.agent.output":
                #"{"messages":[{"role":"user","content":"Weather?"},{"role":"assistant","content":"Sunny."}]}"#,
        ])
        #expect(
            agent["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Sunny."}}],"#
                + #""messages":[{"role":"user","content":"Weather?"},{"role":"assistant","content":"Sunny."}]}"#
        )
    }

    @Test func `an item of a kind that nobody knows is text, LiveKit's notes about itself are no messages`() throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages":
                #"[{"role":"user","content":"Weather?"},{"type":"web_search_call","query":"Paris"},{"type":"agent_handoff"}]"#,
        ])
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"user","content":"Weather?"},"#
                + #"{"role":"user","content":"{\"type\":\"web_search_call\",\"query\":\"Paris\"}"}]}"#
        )
    }
}
