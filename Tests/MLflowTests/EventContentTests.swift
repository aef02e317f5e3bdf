import TestKit
import Testing

/// Content that older instrumentations put on span events.
struct EventContentTests {
    private func span(_ events: [(String, [(String, TestValue)])]) throws -> ReadSpan {
        var span = TestSpan(id: 2, parent: 1, ["gen_ai.operation.name": "chat"])
        span.events = events
        return try map(span)[0]
    }

    @Test func `message events become the messages, in their order`() throws {
        let span = try span([
            ("gen_ai.system.message", [("content", "Be brief.")]),
            ("gen_ai.user.message", [("content", "Weather?"), ("gen_ai.system", "openai")]),
            (
                "gen_ai.assistant.message",
                [("tool_calls", #"[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]"#)]
            ),
            ("gen_ai.tool.message", [("content", "sunny"), ("id", "c")]),
            ("gen_ai.choice", [("index", 0), ("finish_reason", "stop"), ("message", #"{"content":"Sunny."}"#)]),
        ])
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Weather?"},"#
                + #"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","#
                + #""function":{"name":"f","arguments":"{}"}}]},"#
                + #"{"role":"tool","content":"sunny","tool_call_id":"c"}]}"#
        )
        #expect(
            span["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Sunny."},"finish_reason":"stop"}]}"#
        )
    }

    @Test(
        arguments: [
            ("content", TestValue.string("Sunny.")),
            ("message", .members([("content", "Sunny."), ("role", "assistant")])),
            ("message", .string("Sunny.")),
        ]
    )
    func `a choice is read in every form`(key: String, value: TestValue) throws {
        let span = try span([("gen_ai.choice", [(key, value)])])
        #expect(
            span["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Sunny."}}]}"#
        )
    }

    @Test func `an event without content says nothing`() throws {
        #expect(try span([("gen_ai.choice", [("index", 0)])])["mlflow.spanOutputs"] == nil)
    }

    @Test func `prompt and completion events hold text or messages`() throws {
        let span = try span([
            ("gen_ai.content.prompt", [("gen_ai.prompt", #"[{"role":"user","content":"Hi"}]"#)]),
            ("gen_ai.content.completion", [("gen_ai.completion", "Hello")]),
        ])
        #expect(span["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"Hi"}]}"#)
        #expect(
            span["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"}}]}"#
        )
    }

    @Test func `the details of an inference hold messages and instructions`() throws {
        let span = try span([
            (
                "gen_ai.client.inference.operation.details",
                [
                    ("gen_ai.input.messages", [["role": "user", "parts": [["type": "text", "content": "Hi"]]]]),
                    ("gen_ai.output.messages", #"[{"role":"assistant","parts":[{"type":"text","content":"Yo"}]}]"#),
                    ("gen_ai.system_instructions", "Be brief."),
                ]
            )
        ])
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#
        )
        #expect(
            span["mlflow.spanOutputs"] == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Yo"}}]}"#
        )
    }

    @Test func `attributes win over events`() throws {
        var span = TestSpan(
            id: 2,
            parent: 1,
            ["gen_ai.operation.name": "chat", "gen_ai.input.messages": #"[{"role":"user","content":"new"}]"#]
        )
        span.events = [("gen_ai.user.message", [("content", "old")])]
        #expect(try map(span)[0]["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"new"}]}"#)
    }
}
