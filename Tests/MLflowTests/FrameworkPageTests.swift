import TestKit
import Testing

@testable import MLflow

/// What a person sees of one span of each framework, written down from what the program sent.
struct FrameworkPageTests {
    /// A span of a body, and what is expected of it; nil for what is not looked at.
    struct Row: Sendable, CustomTestStringConvertible {
        let body: String
        let span: String
        /// Which of the spans of that name, in the order of the body.
        var number = 0
        var type: String?
        var question: String?
        var answer: String?
        var tools: String?
        var usage: String?
        var model: String?
        var provider: String?
        var session: String?
        var user: String?

        var testDescription: String { "\(body): \(span)" }
    }

    static let paris = "It is sunny in Paris."
    static let chat = #"{"input_tokens":11,"output_tokens":7,"total_tokens":18"#

    private static let javaScript = [
        Row(
            body: "node-mastra-1.71-otel-2",
            span: "invoke_agent chat-agent",
            type: "AGENT",
            question: "What is the weather in Paris?",
            answer: paris,
            session: "sess-1",
            user: "user-1"
        ),
        Row(
            body: "node-mastra-1.71-otel-2",
            span: "model_generation gpt-4o-mini",
            type: "LLM",
            question: "What is the weather in Paris?",
            answer: paris
        ),
        Row(body: "node-mastra-1.71-otel-2", span: "model_chunk chat-agent", type: "TASK", answer: paris),
        Row(
            body: "node-mastra-1.71-otel-2",
            span: "chat gpt-4o-mini",
            type: "CHAT_MODEL",
            answer: paris,
            usage: chat + #","cache_read_input_tokens":2}"#,
            model: "gpt-4o-mini",
            provider: "fake"
        ),
        Row(
            body: "node-mastra-1.71-otel-2",
            span: "execute_tool get_weather",
            type: "TOOL",
            question: #"{"city":"Paris"}"#,
            answer: #"{"text":"sunny in Paris"}"#
        ),
        Row(body: "node-mastra-1.71-otel-2", span: "workflow_step ask", type: "TASK"),
        Row(
            body: "node-mastra-0.24-otel-2",
            span: "agent.tool-agent",
            type: "AGENT",
            question: "Use a tool: weather in Paris?",
            answer: paris,
            session: "sess-1",
            user: "user-1"
        ),
        Row(
            body: "node-mastra-0.24-otel-2",
            span: "chat gpt-4o-mini",
            type: "CHAT_MODEL",
            question: "What is the weather in Paris?",
            answer: paris,
            usage: chat + #","cache_read_input_tokens":2}"#
        ),
        Row(
            body: "node-vercel-ai7-tools-1",
            span: "invoke_agent gpt-4o-mini",
            type: "AGENT",
            question: "Weather in Paris?",
            answer: paris,
            usage: "null",
            session: "sess-ai",
            user: "user-ai"
        ),
        Row(body: "node-vercel-ai7-tools-1", span: "step 1", type: "TASK"),
        Row(
            body: "node-vercel-ai7-multi-1",
            span: "execute_tool weather",
            number: 1,
            type: "TOOL",
            question: #"{"city":"Paris"}"#,
            answer: "sunny in Paris"
        ),
        Row(
            body: "node-vercel-ai6-tools-1",
            span: "ai.generateText",
            type: "LLM",
            question: "Weather in Paris?",
            answer: paris,
            session: "sess-ai",
            user: "user-ai"
        ),
        Row(body: "node-vercel-ai5-error-1", span: "ai.generateText", type: "LLM", question: "fail"),
        Row(
            body: "node-vercel-ai5-embed-1",
            span: "ai.embedMany",
            type: "EMBEDDING",
            question: #"["one","two","three"]"#,
            answer: "[[0,0.5,-0.25,0.125],[0.01,0.5,-0.25,0.125],[0.02,0.5,-0.25,0.125]]"
        ),
        Row(
            body: "node-langfuse-1",
            span: "my-gen",
            type: "LLM",
            question: "What is the weather in Paris?",
            answer: paris,
            usage: chat + #","cache_read_input_tokens":2}"#,
            session: "sess-1",
            user: "user-1"
        ),
        Row(body: "node-langfuse-1", span: "OpenAI.chat", number: 1, type: "LLM", tools: "get_weather"),
        Row(
            body: "node-traceloop-agent-1",
            span: "trip_planner.workflow",
            type: "WORKFLOW",
            question: "Weather in Paris?",
            answer: paris,
            session: "sess-tl",
            user: "user-tl"
        ),
        Row(
            body: "node-traceloop-agent-1",
            span: "get_weather.tool",
            type: "TOOL",
            question: #"{"city":"Paris"}"#,
            answer: #"{"temp":21,"city":"Paris"}"#
        ),
        Row(
            body: "node-traceloop-langchain-1",
            span: "workflow RunnableSequence",
            type: "WORKFLOW",
            question: #"{"city":"Paris"}"#,
            answer: paris
        ),
        Row(
            body: "node-openai-agents-1",
            span: "Weather wf",
            number: 1,
            type: "AGENT",
            question: "What is the weather in Paris?",
            answer: paris
        ),
        Row(
            body: "node-openinference-lcagent-1",
            span: "LangGraph",
            type: "CHAIN",
            question: "Weather in Paris?",
            answer: paris,
            session: "thread-2",
            user: "user-oi"
        ),
        Row(
            body: "node-openinference-lcagent-1",
            span: "ChatOpenAI",
            type: "LLM",
            question: "Weather in Paris?",
            tools: "get_weather",
            usage: chat + "}",
            model: "gpt-4o-mini",
            provider: "openai"
        ),
        Row(
            body: "node-openinference-lggraph-1",
            span: "LangGraph",
            type: "CHAIN",
            question: "hi graph",
            answer: paris,
            session: "sess-oi",
            user: "user-oi"
        ),
        Row(
            body: "node-genkit-1",
            span: "generate",
            type: "CHAIN",
            question: "What is the weather in Paris?",
            answer: paris
        ),
        Row(
            body: "node-strands-1",
            span: "chat",
            number: 1,
            type: "CHAT_MODEL",
            question: "Use a tool: weather in Paris?"
        ),
        Row(body: "node-strands-1", span: "execute_agent_loop_cycle", type: "TASK"),
        Row(
            body: "node-strands-1",
            span: "execute_tool get_weather",
            type: "TOOL",
            question: #"{"city":"Paris"}"#,
            answer: "sunny in Paris"
        ),
        Row(
            body: "node-gemini-cli-1",
            span: "llm_call",
            type: "LLM",
            question: "What is the weather in Paris?",
            answer: "It is sunny in Paris. ",
            model: "gemini-2.5-flash",
            session: "f2ee2a02-1d3e-44cb-bc8d-685044f110ac"
        ),
        Row(
            body: "node-gemini-cli-4",
            span: "list_directory",
            type: "TOOL",
            question: #"{"dir_path":"/srv/demo/node2/proj"}"#,
            answer: #"{"output":"Directory listing for /srv/demo/node2/proj:\na.txt (17 bytes)\n\n(1 ignored)"}"#
        ),
        Row(
            body: "node-codex-3",
            span: "session_task.turn",
            type: "AGENT",
            usage: #"{"input_tokens":22,"output_tokens":14,"total_tokens":36,"cache_read_input_tokens":4}"#,
            model: "gpt-5-codex"
        ),
    ]

    @Test(arguments: javaScript + others + python + readers)
    func `a span shows what its program said`(row: Row) throws {
        let spans = try ClientBodies.mapped(row.body).filter { $0.name == row.span }
        let span = try #require(spans.indices.contains(row.number) ? spans[row.number] : nil)
        func isText(_ key: String, _ text: String?) {
            if let text { #expect(span[key] == "\"\(text)\"", "\(key)") }
        }
        isText("mlflow.spanType", row.type)
        isText("mlflow.llm.model", row.model)
        isText("mlflow.llm.provider", row.provider)
        isText("session.id", row.session)
        isText("user.id", row.user)
        if let question = row.question { #expect(preview(span["mlflow.spanInputs"], role: "user") == question) }
        if let answer = row.answer { #expect(preview(span["mlflow.spanOutputs"], role: "assistant") == answer) }
        if let usage = row.usage { #expect(span["mlflow.chat.tokenUsage"] == usage) }
        if let tools = row.tools {
            let start = #"[{"type":"function","function":{"name":"\#(tools)","#
            #expect(span["mlflow.chat.tools"]?.hasPrefix(start) == true)
            #expect(span["mlflow.chat.tools"]?.contains(#""parameters":{"#) == true)
        }
    }

    /// A call of a tool goes by the id that the model gave it, wherever that stands.
    @Test(
        arguments: [
            ("node-strands-1", "chat", "call_179"), ("node-openinference-lcagent-1", "ChatOpenAI", "call_276"),
            ("node-mastra-1.71-otel-2", "agent_step tool-agent", "call_96"),
            ("go-genkit-3", "openai/gpt-4o-mini", "call_189"),
        ]
    )
    func `calls of tools keep their ids`(body: String, span: String, id: String) throws {
        let outputs = try ClientBodies.mapped(body).filter { $0.name == span }.compactMap { $0["mlflow.spanOutputs"] }
        let calls = outputs.filter { $0.contains("tool_calls") }
        #expect(!calls.isEmpty)
        #expect(calls.contains { $0.contains(#""tool_calls":[{"id":"\#(id)","#) })
        #expect(calls.allSatisfy { !$0.contains(#""id":"call_0""#) })
    }

    @Test func `a system's instructions are found where only the whole request has them`() throws {
        let span = try ClientBodies.mapped("node-openinference-lcagent-1").first { $0.name == "ChatOpenAI" }
        #expect(span?["mlflow.spanInputs"]?.hasPrefix(#"{"messages":[{"role":"system","content":"be terse"},"#) == true)
    }

    @Test(arguments: ["node-vercel-ai5-multi-1", "node-vercel-ai7-multi-1"])
    func `an image is shown once, a PDF is one line`(body: String) throws {
        let inputs = try ClientBodies.mapped(body).compactMap { $0["mlflow.spanInputs"] }
        let image = try #require(inputs.first { $0.contains("What is in it?") })
        #expect(image.contains(#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo"#))
        #expect(!image.contains("base64,data:"))
        #expect(image.contains("[application/pdf, ") && image.contains("10 bytes]"))
        #expect(!image.contains("JVBERi0xLjQgeA=="))
    }

    @Test func `what a tool answered is a message of its own, not a part of the answer`() throws {
        let agent = try ClientBodies.mapped("node-vercel-ai7-tools-1").first { $0.name == "invoke_agent gpt-4o-mini" }
        let outputs = try #require(agent?["mlflow.spanOutputs"])
        #expect(
            outputs.hasPrefix(
                #"{"choices":[{"index":0,"message":{"role":"assistant","content":"It is sunny in Paris."}"#
            )
        )
        #expect(
            outputs.contains(#"{"role":"tool","tool_call_id":"call_183","content":"{\"city\":\"Paris\",\"temp\":21}"}"#)
        )
    }
}
