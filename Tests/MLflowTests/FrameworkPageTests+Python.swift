import TestKit
import Testing

@testable import MLflow

extension FrameworkPageTests {
    private static let cached = chat + #","cache_read_input_tokens":4,"cache_creation_input_tokens":0}"#

    /// Spans of Python programs that nobody had seen when the rules for others were written.
    static let python = [
        Row(
            body: "python-mirascope-1",
            span: "travel_agent",
            type: "CHAIN",
            question: "Weather in Paris? Ünï 🌤",
            answer: paris,
            session: "session-2",
            user: "grace"
        ),
        Row(
            body: "python-mirascope-1",
            span: "chat openai/gpt-4o-mini",
            type: "CHAT_MODEL",
            answer: paris,
            usage: cached,
            model: "gpt-4o-mini",
            provider: "openai"
        ),
        Row(
            body: "python-mirascope-1",
            span: "recommend.call",
            type: "LLM",
            question: "What is the weather in Paris?",
            answer: paris,
            usage: "null",
            session: "session-1",
            user: "ada"
        ),
        Row(
            body: "python-mirascope-trace-1",
            span: "recommend.call",
            type: "LLM",
            question: "What is the weather in Paris?",
            answer: paris,
            usage: cached,
            model: "gpt-4o-mini",
            provider: "openai"
        ),
        Row(
            body: "python-agentscope-1",
            span: "invoke_agent Careful",
            number: 1,
            type: "AGENT",
            question: "Weather in Paris, if I may?",
            answer: paris
        ),
        Row(
            body: "python-agentscope-1",
            span: "execute_tool get_weather",
            type: "TOOL",
            question: #"{"city":"Paris"}"#,
            answer: "18 degrees in Paris"
        ),
        Row(
            body: "python-agentscope-1",
            span: "chat gpt-4o-mini",
            type: "CHAT_MODEL",
            question: "Weather in Paris? Ünï 🌤",
            answer: paris,
            usage: chat + #","cache_read_input_tokens":4}"#
        ),
        Row(
            body: "python-beeai-1",
            span: "Traveller",
            type: "AGENT",
            question: "Weather in Paris?",
            answer: paris,
            session: "session-1",
            user: "ada"
        ),
        Row(
            body: "python-beeai-1",
            span: "get_weather",
            type: "TOOL",
            question: #"{"city":"Paris"}"#,
            answer: "18 degrees in Paris"
        ),
        Row(body: "python-beeai-1", span: "OpenAIChatModel", type: "LLM", usage: cached),
        Row(body: "python-griptape-2", span: "Weather.try_run()", type: "TOOL"),
        Row(body: "python-griptape-2", span: "OpenAiChatPromptDriver.run()", type: "LLM"),
        Row(
            body: "python-ag2-1",
            span: "await_human_input asking",
            type: "TASK",
            question: "Celsius or Fahrenheit?",
            answer: "Celsius"
        ),
        Row(body: "python-ag2-1", span: "record_usage model_call", type: "TASK", usage: "null"),
        Row(
            body: "python-agentops-2",
            span: "agent.session",
            type: "WORKFLOW",
            question: "Weather in Paris? Ünï 🌤",
            answer: paris,
            session: "session-1",
            user: "ada"
        ),
        Row(
            body: "python-agentops-2",
            span: "openai.chat.completion",
            type: "CHAT_MODEL",
            tools: "get_weather",
            usage: chat + "}"
        ),
        Row(
            body: "python-agentops-2",
            span: "get_weather.tool",
            type: "TOOL",
            question: #"{"city":"Paris"}"#,
            answer: "18 degrees in Paris"
        ),
        Row(body: "python-agentops-2", span: "tool_call.get_weather", type: "TOOL", question: #"{"city":"Paris"}"#),
        Row(
            body: "python-langwatch-1",
            span: "chat",
            question: "Tell me a joke",
            answer: paris,
            session: "session-1",
            user: "ada"
        ),
        Row(
            body: "python-langwatch-1",
            span: "llm",
            number: 1,
            type: "LLM",
            question: "Weather in Paris? Ünï 🌤",
            tools: "get_weather",
            usage: chat + "}",
            model: "gpt-4o-mini",
            provider: "openai"
        ),
    ]

    @Test func `what AgentScope thinks, sees and does not know stands where it belongs`() throws {
        let spans = try ClientBodies.mapped("python-agentscope-1")
        let thinking = spans.first { $0.name == "chat reasoner" }?["mlflow.spanOutputs"]
        #expect(
            thinking?.contains(#""content":"It is sunny in Paris.","reasoning":"It is often sunny there.""#) == true
        )
        let image = spans.first { $0.name == "invoke_agent Looker" }?["mlflow.spanInputs"]
        #expect(image?.contains(#"{"url":"data:image/png;base64,iVBORw0KGgo"#) == true)
        #expect(spans.allSatisfy { !($0["session.id"] ?? "").contains("[no_") })
        #expect(spans.allSatisfy { !($0["mlflow.spanInputs"] ?? "").contains(#""content":null}]"#) })
        #expect(spans.contains { $0["mlflow.spanInputs"]?.contains(#""content":"18 degrees in Paris"}"#) == true })
    }

    @Test func `results keep the ids of their calls in BeeAI and Mirascope`() throws {
        for body in ["python-beeai-1", "python-mirascope-1", "python-agentscope-1"] {
            let inputs = try ClientBodies.mapped(body).compactMap { $0["mlflow.spanInputs"] }
            #expect(inputs.contains { $0.contains(#""tool_call_id":"call_1""#) }, "\(body)")
            #expect(inputs.allSatisfy { !$0.contains(#""tool_call_id":"call_0""#) }, "\(body)")
        }
    }

    @Test func `a failure says why, and its text is no answer`() throws {
        let beeai = try ClientBodies.mapped("python-beeai-1").first { $0.name == "Broken" }
        #expect(beeai?.statusMessage == "Chat Model error" && beeai?["mlflow.spanOutputs"] == nil)
        let model = try ClientBodies.mapped("python-langwatch-1").last { $0.name == "llm" }
        #expect(model?.statusMessage == "Error code: 400 - you broke it")
    }

    @Test func `names, tags and documents are a team's own`() throws {
        let name = "mlflow.traceTag.mlflow.traceName"
        let agentOps = try ClientBodies.mapped("python-agentops-1").first { $0.isRoot }
        #expect(agentOps?[name] == "\"chat\"" && agentOps?["mlflow.traceTag.joke"] == "\"true\"")
        let griptape = try ClientBodies.mapped("python-griptape-5").first { $0.isRoot }
        #expect(griptape?[name] == "\"OpenAiChatPromptDriver.run()\"")
        let mirascope = try ClientBodies.mapped("python-mirascope-1").first { $0.name == "recommend.call" }
        #expect(mirascope?["mlflow.traceTag.team"] == "\"blue\"" && mirascope?["mlflow.traceTag.beta"] == "\"true\"")
        let langWatch = try ClientBodies.mapped("python-langwatch-1")
        #expect(langWatch.first { $0.name == "chat" }?["mlflow.traceTag.production"] == "\"true\"")
        let documents = langWatch.first { $0.name == "search" }?["mlflow.spanOutputs"]
        #expect(documents?.hasPrefix(#"[{"page_content":"Paris is in France.","metadata":{},"id":"doc-1"},"#) == true)
    }
}
