import Conditions
import TestKit
import Testing

@testable import MLflow

/// Which of several conventions gives a span's content.
struct ContentChoiceTests {
    private static let chat = #"[{"role":"user","content":"chat"}]"#

    @Test func `on a model call messages win over values`() throws {
        let span = try mapChild([
            "openinference.span.kind": "LLM", "input.value": "value", "output.value": "answer",
            "gen_ai.input.messages": .string(Self.chat),
        ])
        #expect(span["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"chat"}]}"#)
        #expect(span["mlflow.spanOutputs"] == nil)
    }

    @Test func `on other spans a framework's own values win over messages`() throws {
        let span = try mapChild([
            "openinference.span.kind": "CHAIN", "gen_ai.input.messages": .string(Self.chat),
            "input.value": #"{"q":"value"}"#, "input.mime_type": "application/json",
        ])
        #expect(span["mlflow.spanInputs"] == #"{"q":"value"}"#)
        #expect(span["mlflow.message.format"] == nil)
        let entity = try mapChild([
            "traceloop.span.kind": "task", "gen_ai.input.messages": .string(Self.chat),
            "traceloop.entity.input": "in", "traceloop.entity.output": #"["out"]"#,
        ])
        #expect(entity["mlflow.spanInputs"] == "\"in\"")
        #expect(entity["mlflow.spanOutputs"] == #"["out"]"#)
    }

    @Test func `a side that the winning rule lacks comes from the same convention`() throws {
        let span = try mapChild([
            "openinference.span.kind": "LLM", "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": "Hi", "output.value": "Hello",
        ])
        #expect(span["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"Hi"}]}"#)
        #expect(
            span["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"}}]}"#
        )
        #expect(span["mlflow.message.format"] == "\"openai\"")
    }

    @Test func `an answer in OpenAI's own form beside messages is recognised`() throws {
        let span = try mapChild([
            "openinference.span.kind": "LLM", "llm.input_messages.0.message.content": "Hi",
            "output.value":
                #"{"id":"x","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Yo"}}]}"#,
        ])
        #expect(
            span["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Yo"},"finish_reason":"stop"}]}"#
        )
    }

    @Test func `flattened messages come in the order of their indices`() throws {
        let span = try mapChild([
            "openinference.span.kind": "LLM",
            "llm.input_messages.10.message.role": "user", "llm.input_messages.10.message.content": "third",
            "llm.input_messages.2.message.role": "assistant", "llm.input_messages.2.message.content": "second",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "first",
            "llm.input_messages.0.message.contents.1.message_content.type": "image",
            "llm.input_messages.0.message.contents.1.message_content.image.image.url": "http://i/1",
            "llm.input_messages.0.message.role": "user",
        ])
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"user","content":[{"type":"text","text":"first"},"#
                + #"{"type":"image_url","image_url":{"url":"http://i/1"}}]},"#
                + #"{"role":"assistant","content":"second"},{"role":"user","content":"third"}]}"#
        )
    }

    @Test func `Traceloop's prompts and completions are messages with their tool calls and tools`() throws {
        let span = try mapChild([
            "llm.request.type": "chat", "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "Be brief.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": #"[{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"u"}}]"#,
            "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.finish_reason": "tool_calls",
            "gen_ai.completion.0.tool_calls.0.id": "c", "gen_ai.completion.0.tool_calls.0.name": "f",
            "gen_ai.completion.0.tool_calls.0.arguments": #"{"x":1}"#,
            "llm.request.functions.0.name": "f", "llm.request.functions.0.description": "d",
            "llm.request.functions.0.parameters": #"{"type":"object"}"#,
        ])
        #expect(span["mlflow.spanType"] == "\"CHAT_MODEL\"")
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":["#
                + #"{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"u"}}]}]}"#
        )
        #expect(
            span["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":["#
                + #"{"id":"c","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"#
                + #""finish_reason":"tool_calls"}]}"#
        )
        #expect(
            span["mlflow.chat.tools"]
                == #"[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}]"#
        )
    }

    @Test(
        arguments: [
            #"[{"type":"function","name":"f","parameters":{"a":[1]}}]"#,
            #"[{"type":"function","function":{"name":"f","parameters":{"a":[1]}}}]"#,
            #"[{"name":"f","input_schema":{"a":[1]}},{"nameless":true}]"#,
        ]
    )
    func `tool definitions are nested as OpenAI has them`(tools: String) throws {
        let span = try mapChild(["gen_ai.operation.name": "chat", "gen_ai.tool.definitions": .string(tools)])
        #expect(
            span["mlflow.chat.tools"] == #"[{"type":"function","function":{"name":"f","parameters":{"a":[1]}}}]"#
        )
    }

    @Test func `the content of a tool's span is its arguments and its result`() throws {
        let span = try mapChild([
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": #"{"city":"Paris"}"#,
            "gen_ai.tool.call.result": "sunny",
        ])
        #expect(span["mlflow.spanInputs"] == #"{"city":"Paris"}"#)
        #expect(span["mlflow.spanOutputs"] == "\"sunny\"")
    }

    @Test func `documents become cards`() throws {
        let flattened = try mapChild([
            "openinference.span.kind": "RETRIEVER", "input.value": "q",
            "output.value": "[]", "retrieval.documents.0.document.id": "d1",
            "retrieval.documents.0.document.content": "Paris is sunny.",
            "retrieval.documents.0.document.score": 0.5,
            "retrieval.documents.0.document.metadata": #"{"doc_uri":"http://d"}"#,
        ])
        #expect(
            flattened["mlflow.spanOutputs"]
                == #"[{"page_content":"Paris is sunny.","metadata":{"doc_uri":"http://d","score":0.5},"id":"d1"}]"#
        )
        let listed = try mapChild([
            "gen_ai.operation.name": "retrieval", "gen_ai.retrieval.query.text": "q",
            "gen_ai.retrieval.documents": #"[{"id":"d1","score":1,"content":"x"}]"#,
        ])
        #expect(listed["mlflow.spanInputs"] == "\"q\"")
        #expect(listed["mlflow.spanOutputs"] == #"[{"page_content":"x","metadata":{"score":1},"id":"d1"}]"#)
    }

    @Test func `a media type of plain text keeps what looks like JSON`() throws {
        let span = try mapChild([
            "openinference.span.kind": "TOOL", "input.value": "[1]", "input.mime_type": "text/plain",
        ])
        #expect(span["mlflow.spanInputs"] == "\"[1]\"")
    }

    @Test func `what the app set itself decides both sides`() throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "mlflow.spanInputs": ["q": "own"],
            "gen_ai.output.messages": .string(Self.chat),
        ])
        #expect(span["mlflow.spanInputs"] == #"{"q":"own"}"#)
        #expect(span["mlflow.spanOutputs"] == nil)
        #expect(span["mlflow.message.format"] == nil)
    }

    @Test func `sources go only where their target was set, when they are not kept`() throws {
        var settings = SpanMapper.Settings()
        settings.keepsSource = false
        let span = try map(
            TestSpan(
                id: 2,
                parent: 1,
                [
                    "gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(Self.chat),
                    "gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 2, "gen_ai.request.model": "m",
                    "gen_ai.output.messages": "", "gen_ai.request.temperature": 0.5,
                ]
            ),
            settings: settings
        )[0]
        #expect(
            Set(span.keys) == [
                "gen_ai.output.messages", "gen_ai.request.temperature", "mlflow.spanType", "mlflow.spanInputs",
                "mlflow.message.format", "mlflow.chat.tokenUsage", "mlflow.llm.model",
            ]
        )
    }

    @Test func `sources of flattened lists go whole`() throws {
        var settings = SpanMapper.Settings()
        settings.keepsSource = false
        let span = try map(
            TestSpan(
                id: 2,
                parent: 1,
                [
                    "openinference.span.kind": "LLM", "llm.input_messages.0.message.role": "user",
                    "llm.input_messages.0.message.content": "Hi",
                ]
            ),
            settings: settings
        )[0]
        #expect(Set(span.keys) == ["mlflow.spanType", "mlflow.spanInputs", "mlflow.message.format"])
    }
}
