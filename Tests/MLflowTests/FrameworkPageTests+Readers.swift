import TestKit
import Testing

@testable import MLflow

extension FrameworkPageTests {
    private static let france = "What is the capital of France?"
    private static let capital = "The capital of France is Paris."
    private static let first = #"{"input_tokens":12,"output_tokens":7,"total_tokens":19}"#

    /// Spans of programs that the mapping was not made for.
    static let readers = [
        Row(
            body: "python-autogen-1",
            span: "assistant.on_messages_stream",
            type: "AGENT",
            question: france,
            answer: capital
        ),
        Row(
            body: "python-autogen-2",
            span: "OpenAIChatCompletionClient.create",
            number: 1,
            type: "LLM",
            question: "What is the weather in Paris?",
            answer: "According to the tool: 18 degrees in Paris."
        ),
        Row(
            body: "python-autogen-3",
            span: "RoundRobinGroupChat.run_stream",
            type: "CHAIN",
            question: france,
            answer: "18 degrees in Paris"
        ),
        Row(body: "python-autogen-4", span: "assistant.on_messages_stream", type: "AGENT", question: france),
        Row(body: "python-haystack-1", span: "Pipeline.run", type: "CHAIN", question: france, answer: capital),
        Row(body: "python-haystack-2", span: "Pipeline.run", type: "CHAIN", question: france, answer: capital),
        Row(
            body: "python-haystack-3",
            span: "CreateEmbeddings",
            type: "EMBEDDING",
            usage: #"{"input_tokens":5,"output_tokens":0,"total_tokens":5}"#,
            model: "text-embedding-3-small"
        ),
        Row(
            body: "python-instructor-1",
            span: "instructor.create",
            number: 1,
            type: "CHAIN",
            question: "And of Italy?",
            answer: #"{"city":"Paris","country":"France"}"#,
            session: "ins-3",
            user: "joan"
        ),
        Row(
            body: "python-mistralai-1",
            span: "MistralClient.chat",
            type: "LLM",
            question: "What is the weather in Paris?",
            tools: "get_weather",
            usage: first,
            model: "mistral-large-latest-2407",
            provider: "mistralai"
        ),
        Row(body: "python-mistralai-2", span: "MistralClient.chat", number: 1, type: "LLM", tools: "get_weather"),
        Row(
            body: "python-guardrails-1",
            span: "guard",
            type: "CHAIN",
            question: "And of Italy?",
            answer: "(removed)"
        ),
        Row(body: "python-guardrails-1", span: "step", type: "TASK"),
        Row(
            body: "python-guardrails-1",
            span: "call",
            type: "CHAT_MODEL",
            question: "And of Italy?",
            answer: "And that one is Rome.",
            usage: first
        ),
        Row(
            body: "python-bedrock-1",
            span: "bedrock.invoke_model",
            number: 1,
            type: "LLM",
            question: weather,
            answer: sunny,
            tools: "get_weather"
        ),
        Row(body: "python-bedrock-2", span: "bedrock.converse", type: "LLM", tools: "get_weather"),
        Row(
            body: "python-mistralai-3",
            span: "chat_completion_v1_chat_completions_post",
            type: "LLM",
            usage: #"{"input_tokens":11,"output_tokens":7,"total_tokens":18}"#
        ),
        Row(body: "python-mistralai-3", span: "mistralai.chat", type: "CHAT_MODEL", question: weather, usage: "null"),
        Row(
            body: "python-langgraph-1",
            span: "LangGraph.workflow",
            number: 1,
            question: "tomorrow",
            answer: sunny
        ),
    ]

    private static let weather = "What is the weather in Paris?"
    private static let sunny = "It is sunny in Paris, 18 degrees."

    /// What a tool answered stands in the conversation, by the id of its call, wherever the recorder put either.
    @Test(
        arguments: [
            (
                "python-autogen-2", "OpenAIChatCompletionClient.create", "mlflow.spanInputs",
                #"{"role":"tool","tool_call_id":"call_abc1","content":"18 degrees in Paris"}"#
            ),
            (
                "python-mistralai-1", "MistralClient.chat", "mlflow.spanInputs",
                #"{"role":"tool","content":"18 degrees in Paris","tool_call_id":"call_abc1"}"#
            ),
            (
                "python-bedrock-1", "bedrock.invoke_model", "mlflow.spanInputs",
                #"{"role":"tool","content":"18 degrees in Paris","tool_call_id":"toolu_1"}"#
            ),
            ("python-mistralai-2", "MistralClient.chat", "mlflow.spanOutputs", #""tool_calls":[{"id":"call_abc1""#),
        ]
    )
    func `a conversation with a tool keeps its parts`(body: String, span: String, side: String, part: String) throws {
        let last = try #require(try ClientBodies.mapped(body).last { $0.name == span })
        #expect(last[side]?.contains(part) == true)
        #expect(last[side]?.contains("call_0") == false)
    }

    @Test func `a stream that an emitter prints is no answer`() throws {
        let root = try ClientBodies.mapped("python-groq-1")[0]
        #expect(root["mlflow.spanOutputs"] == "null")
        #expect(root["output.value"]?.contains("groq.Stream object at 0x") == true)
        #expect(preview(root["mlflow.spanInputs"], role: "user") == Self.france)
    }

    @Test func `a document of plain text is the text that a tool answered`() throws {
        let last = try #require(try ClientBodies.mapped("python-cohere-1").last { $0.name == "cohere.chat" })
        #expect(last["mlflow.spanInputs"]?.contains(#""content":"{\"w\": \"18 degrees in Paris\"}""#) == true)
        #expect(last["mlflow.spanOutputs"]?.contains(#""finish_reason":"stop""#) == true)
    }

    @Test func `a graph that waits for a person has not failed, and what that says is the question`() throws {
        let roots = try ClientBodies.mapped("python-langgraph-1").filter(\.isRoot)
        #expect(roots.map(\.status) == [0, 0])
        #expect(preview(roots[1]["mlflow.spanInputs"], role: "user") == "tomorrow")
    }

    @Test func `a number inside of a program is no session`() throws {
        for span in try ClientBodies.mapped("python-guardrails-1") { #expect(span["session.id"] == nil) }
    }

    @Test func `a run that says it went well failed where its last call did and it says so too`() throws {
        let root = try #require(try ClientBodies.mapped("python-autogen-4").first(where: \.isRoot))
        #expect(root.status == 2)
        #expect(root.statusMessage.contains("you broke it"))
        #expect(root["mlflow.spanOutputs"] == nil)
        let good = try #require(try ClientBodies.mapped("python-autogen-1").first(where: \.isRoot))
        #expect(good.status == 1 && good.events.contains { $0.name == "exception" })
    }
}
