import TestKit
import Testing

/// One message in, one message of OpenAI Chat Completions out.
struct ChatContentTests {
    private func inputs(_ messages: String) throws -> String? {
        try mapChild(["gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(messages)])["mlflow.spanInputs"]
    }

    private func outputs(_ messages: String) throws -> String? {
        try mapChild(["gen_ai.operation.name": "chat", "gen_ai.output.messages": .string(messages)])[
            "mlflow.spanOutputs"
        ]
    }

    @Test(
        arguments: [
            // Who speaks.
            (#"{"role":"developer","content":"a"}"#, #"{"role":"system","content":"a"}"#),
            (#"{"role":"model","content":"a"}"#, #"{"role":"assistant","content":"a"}"#),
            (#"{"role":"ai","content":"a"}"#, #"{"role":"assistant","content":"a"}"#),
            (#"{"role":"human","content":"a"}"#, #"{"role":"user","content":"a"}"#),
            (#"{"role":"martian","content":"a"}"#, #"{"role":"user","content":"a"}"#),
            (#"{"content":"a"}"#, #"{"role":"user","content":"a"}"#),
            (#"{"type":"human","data":{"content":"a"}}"#, #"{"role":"user","content":"a"}"#),
            (
                #"{"lc":1,"type":"constructor","kwargs":{"content":"a","type":"system"}}"#,
                #"{"role":"system","content":"a"}"#
            ),
            (#""only text""#, #"{"role":"user","content":"only text"}"#),
            // What `truncate` says of a list is no message.
            (#"{"role":"user","content":"a"},"… [27 elements cut]""#, #"{"role":"user","content":"a"}"#),
            // Text.
            (#"{"role":"user","parts":[{"type":"text","content":"a"}]}"#, #"{"role":"user","content":"a"}"#),
            (#"{"role":"user","parts":["a"]}"#, #"{"role":"user","content":"a"}"#),
            (#"{"role":"user","content":[{"type":"input_text","text":"a"}]}"#, #"{"role":"user","content":"a"}"#),
            (#"{"role":"user","content":"a\n\"b\" \u00fc"}"#, #"{"role":"user","content":"a\n\"b\" ü"}"#),
            (
                #"{"role":"user","parts":[{"type":"text","content":"a"},{"type":"text","content":"b"}]}"#,
                #"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#
            ),
            (
                #"{"role":"user","parts":[{"type":"weird","x":1}]}"#,
                #"{"role":"user","content":"{\"type\":\"weird\",\"x\":1}"}"#
            ),
            // Reasoning.
            (
                #"{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},{"type":"text","content":"a"}]}"#,
                #"{"role":"assistant","content":"a","reasoning":"hm"}"#
            ),
            (
                #"{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}]}"#,
                #"{"role":"assistant","content":"a","reasoning":"hm"}"#
            ),
        ]
    )
    func `a message becomes one of OpenAI's`(message: String, expected: String) throws {
        #expect(try inputs("[\(message)]") == #"{"messages":[\#(expected)]}"#)
    }

    @Test(
        arguments: [
            #"{"type":"image_url","image_url":{"url":"http://i/1"}}"#,
            #"{"type":"image_url","image_url":"http://i/1"}"#,
            #"{"type":"input_image","image_url":"http://i/1"}"#,
            #"{"type":"uri","modality":"image","uri":"http://i/1"}"#,
            #"{"type":"file","mime_type":"image/png","url":"http://i/1"}"#,
            #"{"type":"image","source":{"type":"url","url":"http://i/1"}}"#,
        ]
    )
    func `an image by its address is found in every form`(part: String) throws {
        let text = #"{"type":"text","text":"look"}"#
        let expected = #"{"type":"image_url","image_url":{"url":"http://i/1"}}"#
        #expect(
            try inputs(#"[{"role":"user","content":[\#(text),\#(part)]}]"#)
                == #"{"messages":[{"role":"user","content":[\#(text),\#(expected)]}]}"#
        )
    }

    @Test(
        arguments: [
            #"{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"AAAA"}}"#,
            #"{"type":"blob","modality":"image","mime_type":"image/gif","content":"AAAA"}"#,
        ]
    )
    func `an image by its data becomes a data address`(part: String) throws {
        let expected = #"{"type":"image_url","image_url":{"url":"data:image/gif;base64,AAAA"}}"#
        #expect(
            try inputs(#"[{"role":"user","content":[\#(part)]}]"#)
                == #"{"messages":[{"role":"user","content":[\#(expected)]}]}"#
        )
    }

    @Test(
        arguments: [
            #"{"parts":[{"type":"tool_call","id":"c1","name":"f","arguments":{"x": 1}}]}"#,
            #"{"content":[{"type":"tool_use","id":"c1","name":"f","input":{"x": 1}}]}"#,
            #"{"content":[{"type":"tool-call","toolCallId":"c1","toolName":"f","args":{"x": 1}}]}"#,
            #"{"content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}}]}"#,
            #"{"tool_calls":[{"id":"c1","name":"f","args":{"x": 1}}]}"#,
            #"{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"x\": 1}"}"#,
        ]
    )
    func `a tool call is found in every form, and its arguments are text`(message: String) throws {
        let withRole = #"[{"role":"assistant",\#(message.dropFirst())]"#
        let call = #"{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}}"#
        #expect(
            try outputs(message.contains("function_call") ? "[\(message)]" : withRole)
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[\#(call)]}}]}"#
        )
    }

    @Test func `ids that a tool call lacks are invented, and its answer gets the same`() throws {
        let messages =
            #"[{"role":"assistant","parts":[{"type":"tool_call","name":"f"},{"type":"tool_call","name":"g"}]},"#
            + #"{"role":"tool","parts":[{"type":"tool_call_response","result":"one"}]},"#
            + #"{"role":"tool","parts":[{"type":"tool_call_response","response":{"n":2}}]}]"#
        let calls = ["f", "g"].enumerated().map {
            #"{"id":"call_\#($0)","type":"function","function":{"name":"\#($1)","arguments":"{}"}}"#
        }
        #expect(
            try inputs(messages)
                == #"{"messages":[{"role":"assistant","content":null,"tool_calls":[\#(calls.joined(separator: ","))]},"#
                + #"{"role":"tool","tool_call_id":"call_0","content":"one"},"#
                + #"{"role":"tool","tool_call_id":"call_1","content":"{\"n\":2}"}]}"#
        )
    }

    @Test func `results of tools inside a user's message come before it, each as a message`() throws {
        let message =
            #"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"sunny"},"#
            + #"{"type":"text","text":"go on"}]}]"#
        #expect(
            try inputs(message)
                == #"{"messages":[{"role":"tool","tool_call_id":"c1","content":"sunny"},"#
                + #"{"role":"user","content":"go on"}]}"#
        )
    }

    @Test func `a list of content in an answer becomes one text, which 3.6.0 takes`() throws {
        let message = #"[{"role":"assistant","parts":[{"type":"text","content":"a"},{"type":"text","content":"b"}]}]"#
        #expect(
            try outputs(message) == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"a\nb"}}]}"#
        )
    }

    @Test func `each message of an answer is a choice with its reason to end`() throws {
        let messages =
            #"[{"role":"assistant","content":"a","finish_reason":"stop"},"#
            + #"{"role":"assistant","content":"b","finish_reason":"tool_call"}]"#
        #expect(
            try outputs(messages)
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"},"#
                + #"{"index":1,"message":{"role":"assistant","content":"b"},"finish_reason":"tool_calls"}]}"#
        )
    }

    @Test(arguments: [TestValue.array(["stop"]), "stop", #"["stop"]"#])
    func `a reason to end beside the messages counts too`(reasons: TestValue) throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": reasons,
            "gen_ai.output.messages": #"[{"role":"assistant","content":"a"}]"#,
        ])
        #expect(
            span["mlflow.spanOutputs"]
                == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}"#
        )
    }

    @Test func `structured messages give the same as their JSON text`() throws {
        let messages: TestValue = [
            [
                "role": "assistant",
                "parts": [
                    ["type": "text", "content": "a"],
                    ["type": "tool_call", "id": "c", "name": "f", "arguments": ["x": 1, "y": [true, 0.5]]],
                ],
            ]
        ]
        let span = try mapChild(["gen_ai.operation.name": "chat", "gen_ai.input.messages": messages])
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"assistant","content":"a","tool_calls":[{"id":"c","type":"function","#
                + #""function":{"name":"f","arguments":"{\"x\":1,\"y\":[true,0.5]}"}}]}]}"#
        )
        #expect(span["mlflow.message.format"] == "\"openai\"")
    }

    @Test(
        arguments: [
            TestValue.string(#"[{"type":"text","content":"Be brief."}]"#), "Be brief.",
            [["type": "text", "content": "Be brief."]],
        ]
    )
    func `the system's instructions come before the messages`(instructions: TestValue) throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.system_instructions": instructions,
            "gen_ai.input.messages": #"[{"role":"user","content":"a"}]"#,
        ])
        #expect(
            span["mlflow.spanInputs"]
                == #"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"a"}]}"#
        )
    }

    @Test func `messages that begin with the system's keep it alone`() throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.system_instructions": "Be brief.",
            "gen_ai.input.messages": #"[{"role":"system","content":"Be kind."}]"#,
        ])
        #expect(span["mlflow.spanInputs"] == #"{"messages":[{"role":"system","content":"Be kind."}]}"#)
    }

    @Test func `text that is no JSON is one message`() throws {
        #expect(try inputs("[broken") == #"{"messages":[{"role":"user","content":"[broken"}]}"#)
    }

    @Test(arguments: ["", "[]", "null"])
    func `nothing said is no content`(text: String) throws {
        let span = try mapChild(["gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(text)])
        #expect(span["mlflow.spanInputs"] == nil)
        #expect(span["mlflow.message.format"] == nil)
    }

    @Test func `content over 64 KiB stays the string it is, without a format`() throws {
        let long = #"[{"role":"user","content":"\#(String(repeating: "x", count: 70_000))"}]"#
        let span = try mapChild(["gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(long)])
        #expect(span["mlflow.spanInputs"]?.first == "\"")
        #expect(span["mlflow.spanInputs"]?.utf8.count ?? 0 > 70_000)
        #expect(span["mlflow.message.format"] == nil)
    }

    @Test func `content nested too deep for other readers stays text`() throws {
        let deep = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        let span = try mapChild(["openinference.span.kind": "TOOL", "input.value": .string(deep)])
        #expect(span["mlflow.spanInputs"] == "\"\(deep)\"")
    }
}
