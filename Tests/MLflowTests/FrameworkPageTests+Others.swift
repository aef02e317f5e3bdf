import TestKit
import Testing

@testable import MLflow

extension FrameworkPageTests {
    /// Spans of programs that are not JavaScript.
    static let others = [
        Row(
            body: "go-genkit-3",
            span: "agentFlow",
            type: "WORKFLOW",
            question: "What is the weather in Paris?",
            answer: paris
        ),
        Row(
            body: "go-genkit-3",
            span: "get_weather",
            type: "TOOL",
            question: #"{"city":"Paris"}"#,
            answer: #"{"sky":"sunny","c":21}"#
        ),
        Row(
            body: "go-genkit-1",
            span: "openai/gpt-4o-mini",
            type: "CHAT_MODEL",
            answer: paris,
            usage: chat + "}",
            model: "gpt-4o-mini",
            provider: "openai"
        ),
        Row(
            body: "java-openinference-langchain4j-1",
            span: "AiService.chat",
            type: "AGENT",
            question: "Weather in Paris? Use the tool.",
            answer: paris
        ),
        Row(
            body: "java-springai-micrometer-8",
            span: "tool_call get-weather",
            type: "TOOL",
            question: #"{"city":"Paris"}"#,
            answer: "sunny in Paris"
        ),
        Row(body: "java-springai-micrometer-8", span: "http get /memory", session: "conv-42"),
        Row(body: "java-springai-micrometer-10", span: "simple add", type: "TASK"),
        Row(body: "java-springai-micrometer-10", span: "simple query", type: "RETRIEVER", question: "Is Paris sunny?"),
        Row(
            body: "java-springai-micrometer-content-1",
            span: "chat gpt-4o-mini",
            type: "CHAT_MODEL",
            question: "You are a helpful assistant.\nWhat is the weather in Paris?",
            answer: paris
        ),
        Row(
            body: "rust-rig-1",
            span: "invoke_agent",
            type: "AGENT",
            question: "Weather in Paris?",
            answer: paris,
            usage: "null"
        ),
        Row(
            body: "rust-genai-1",
            span: "chat gpt-4o-mini",
            type: "CHAT_MODEL",
            question: "Weather in Paris?",
            answer: paris,
            usage: chat + "}",
            model: "gpt-4o-mini",
            provider: "openai"
        ),
        Row(
            body: "rust-openai-ergonomic-1",
            span: "chat",
            type: "CHAT_MODEL",
            question: "Weather in Paris?",
            answer: paris,
            usage: chat + "}"
        ),
        Row(
            body: "langchain_chain-langsmith-0",
            span: "travel",
            type: "CHAIN",
            question: "Weather in Paris? Ünï 🌤",
            answer: paris,
            session: "session-1",
            user: "ada"
        ),
        Row(
            body: "langchain_chain-traceloop-0",
            span: "travel chain.workflow",
            type: "AGENT",
            question: "Weather in Paris? Ünï 🌤",
            answer: paris,
            session: "session-1",
            user: "ada"
        ),
        Row(
            body: "crewai_crew-0",
            span: "travel.kickoff",
            type: "CHAIN",
            question: #"{"city":"Paris"}"#,
            answer: paris
        ),
        Row(
            body: "haystack_pipeline-0",
            span: "haystack.agent.run",
            type: "AGENT",
            question: "Weather in Paris? Ünï 🌤",
            answer: paris
        ),
    ]
}
