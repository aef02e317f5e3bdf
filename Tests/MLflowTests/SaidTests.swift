import TestKit
import Testing

@testable import MLflow

/// What of a span somebody said, and what only looks like it.
struct SaidTests {
    private func root(_ argument: String, kind: String? = nil) throws -> ReadSpan {
        var span = TestSpan("run", ["mirascope.trace.arg_values": .string(argument)])
        if let kind { span.attributes.append(("openinference.span.kind", .string(kind))) }
        return try map(span)[0]
    }

    @Test(
        arguments: [
            (#"{"question":"Is it sunny?"}"#, #""Is it sunny?""#), (#"{"query":"sunny"}"#, #""sunny""#),
            (#"{"place":"the south of France"}"#, #""the south of France""#),
            (#"{"city":"Paris"}"#, #"{"city":"Paris"}"#),
            (#"{"question":"a","style":"b"}"#, #"{"question":"a","style":"b"}"#),
            (#"{"data":{"a":{"query":"sunny"},"b":{"question":"sunny"}}}"#, #""sunny""#),
            (#"{"a":{"query":"sunny"},"b":{"query":"dry"}}"#, #"{"a":{"query":"sunny"},"b":{"query":"dry"}}"#),
            (#"{"task":"sunny","token":null,"all":true}"#, #""sunny""#),
            (#"{"topic":"the south of France","parts":[]}"#, #""the south of France""#),
            (#"{"place":"the south of France","all":true}"#, #"{"place":"the south of France","all":true}"#),
            (#"{"question":7}"#, #"{"question":7}"#), (#"{"input":"{\"a\": 1}"}"#, #"{"input":"{\"a\": 1}"}"#),
        ]
    )
    func `the one argument of a root is its question where it is what a user says`(
        argument: String,
        shown: String
    ) throws {
        #expect(try root(argument)["mlflow.spanInputs"] == shown)
        #expect(try root(argument, kind: "AGENT")["mlflow.spanInputs"] == shown)
    }

    @Test func `the one result of a root is its answer where its name says so`() throws {
        func outputs(_ value: String, kind: TestValue = "CHAIN") throws -> String? {
            try map(TestSpan("run", ["openinference.span.kind": kind, "output.value": .string(value)]))[0][
                "mlflow.spanOutputs"
            ]
        }
        #expect(try outputs(#"{"answer":"Sunny.","sources":[]}"#) == #""Sunny.""#)
        for value in [#"{"sky":"very sunny"}"#, #"{"answer":"Sunny.","score":1}"#] {
            #expect(try outputs(value) == value)
        }
        #expect(try outputs(#"{"answer":"Sunny."}"#, kind: "TOOL") == #"{"answer":"Sunny."}"#)
    }

    @Test func `the argument of a tool and of a span below the root stays as it came`() throws {
        let argument = #"{"question":"Is it sunny?"}"#
        #expect(try root(argument, kind: "TOOL")["mlflow.spanInputs"] == argument)
        #expect(try mapChild(["mirascope.trace.arg_values": .string(argument)])["mlflow.spanInputs"] == argument)
    }

    @Test func `an argument below a root without content is the question of the trace`() throws {
        let program = TestSpan(
            "ask",
            id: 2,
            parent: 1,
            ["mirascope.trace.arg_values": #"{"question":"Is it sunny?"}"#, "mirascope.trace.output": "Yes."]
        )
        let spans = try map(TestSpan("POST /ask"), program)
        #expect(spans[0]["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"Is it sunny?"}]}"#)
    }

    @Test(arguments: ["[no_session_id]", "none", "None", "null", "undefined", "unknown", "anonymous"])
    func `what stands for no session is none, and another one of the trace counts`(text: String) throws {
        let child = TestSpan("child", id: 2, parent: 1, ["gen_ai.operation.name": "chat", "session.id": "s"])
        let spans = try map(TestSpan("root", ["gen_ai.conversation.id": .string(text), "user.id": "u"]), child)
        #expect(spans[0]["session.id"] == "\"s\"")
        #expect(spans[0]["gen_ai.conversation.id"] == nil)
        #expect(spans[0]["user.id"] == "\"u\"")
        #expect(try map(TestSpan("root", ["session.id": .string(text)]))[0]["session.id"] == nil)
    }

    @Test func `somebody anonymous is a user, nobody is not`() throws {
        #expect(try map(TestSpan("root", ["user.id": "anonymous"]))[0]["user.id"] == "\"anonymous\"")
        #expect(try map(TestSpan("root", ["user.id": "None"]))[0]["user.id"] == nil)
        #expect(try map(TestSpan("root", ["acme.user.id": "[no_user]"]))[0]["user.id"] == nil)
        #expect(try map(TestSpan("root", ["session.id": "[north]"]))[0]["session.id"] == "\"[north]\"")
    }

    @Test func `an object about a session names it and its user`() throws {
        let about: KeyValuePairs<String, TestValue> = [
            "acme.session.attributes": #"{"plan":"pro","user_id":"grace","sessionId":"s"}"#
        ]
        let span = try map(TestSpan("root", about))[0]
        #expect(span["user.id"] == "\"grace\"" && span["session.id"] == "\"s\"")
        #expect(try mapChild(about)["user.id"] == nil)
        #expect(try map(TestSpan("root", ["acme.resource.attributes": #"{"user_id":"u"}"#]))[0]["user.id"] == nil)
    }

    private func failed(_ output: String, message: String = "", status: String = "") -> TestSpan {
        var span = TestSpan("run", ["openinference.span.kind": "AGENT", "output.mime_type": "text/plain"])
        span.attributes += [("input.value", "Is it sunny?"), ("output.value", .string(output))]
        span.events = [
            ("exception", [("exception.type", "acme.errors.ModelError"), ("exception.message", .string(message))])
        ]
        (span.status, span.statusMessage) = (2, status)
        return span
    }

    @Test func `the text of an error is no answer`() throws {
        let text = "ModelError(acme.errors): the model is gone"
        #expect(try map(failed(text, message: "the model is gone"))[0]["mlflow.spanOutputs"] == nil)
        #expect(try map(failed("gone: 400", message: "gone"))[0]["mlflow.spanOutputs"] == nil)
        #expect(try map(failed("gone: 400", status: "gone"))[0]["mlflow.spanOutputs"] == nil)
        #expect(try map(failed("It is sunny.", message: "too late"))[0]["mlflow.spanOutputs"] == #""It is sunny.""#)
        var fine = failed(text, message: "the model is gone")
        fine.status = 1
        #expect(try map(fine)[0]["mlflow.spanOutputs"] == "\"\(text)\"")
    }

    @Test func `a failed span without a status message gets that of its exception`() throws {
        let span = try map(failed("", message: "the model is gone"))[0]
        #expect(span.status == 2 && span.statusMessage == "the model is gone")
        #expect(span.events.count == 1)
        #expect(try map(failed("", message: "late", status: "own"))[0].statusMessage == "own")
        #expect(try map(failed(""))[0].statusMessage == "acme.errors.ModelError")
    }

    @Test func `an empty answer at the end of the inputs goes, one with calls stays`() throws {
        func inputs(_ messages: String) throws -> String? {
            try mapChild(["gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(messages)])[
                "mlflow.spanInputs"
            ]
        }
        let user = #"{"role":"user","parts":[{"type":"text","content":"hi"}]}"#
        let shown = #"{"messages":[{"role":"user","content":"hi"}]}"#
        #expect(try inputs(#"[\#(user),{"role":"assistant","parts":[],"name":"Chatty"}]"#) == shown)
        #expect(try inputs(#"[\#(user),{"role":"assistant","content":""}]"#) == shown)
        let call = #"{"role":"assistant","parts":[{"type":"tool_call","id":"c","name":"f","arguments":{}}]}"#
        #expect(try inputs("[\(user),\(call)]")?.contains(#""tool_calls":[{"id":"c""#) == true)
        #expect(
            try inputs(#"[\#(user),{"role":"user","parts":[]}]"#)?.contains(#"{"role":"user","content":""}"#) == true
        )
    }

    @Test func `what a tool answered as JSON text in JSON is its text, and its id may stand one level off`() throws {
        func inputs(_ message: String) throws -> String? {
            let messages = "[\(message)]"
            return try mapChild(["gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(messages)])[
                "mlflow.spanInputs"
            ]
        }
        let parts = #"[{\"type\":\"text\",\"text\":\"18 \\\"degrees\\\"\"},{\"type\":\"text\",\"text\":\"dry\"}]"#
        #expect(
            try inputs(#"{"role":"assistant","parts":[{"type":"tool_call_response","id":"c","response":"\#(parts)"}]}"#)
                == #"{"messages":[{"role":"tool","tool_call_id":"c","content":"18 \"degrees\"\ndry"}]}"#
        )
        #expect(
            try inputs(#"{"role":"tool","parts":[{"type":"tool_call_response","id":"c","response":"[1, 2]"}]}"#)
                == #"{"messages":[{"role":"tool","tool_call_id":"c","content":"[1, 2]"}]}"#
        )
        #expect(
            try inputs(#"{"role":"user","content":[{"type":"tool_output","id":"c","name":"f","result":"dry"}]}"#)
                == #"{"messages":[{"role":"tool","tool_call_id":"c","content":"dry"}]}"#
        )
        #expect(
            try inputs(#"{"role":"tool","contents":[{"type":"text","text":"dry","tool_call_id":"c"}]}"#)
                == #"{"messages":[{"role":"tool","content":"dry","tool_call_id":"c"}]}"#
        )
    }

    @Test func `a provider ends before the name of its interface`() throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "openai/gpt",
            "gen_ai.provider.name": "openai:completions",
        ])
        #expect(span["mlflow.llm.provider"] == "\"openai\"" && span["mlflow.llm.model"] == "\"gpt\"")
        let other = try mapChild(["gen_ai.operation.name": "chat", "gen_ai.provider.name": "acme:completions"])
        #expect(other["mlflow.llm.provider"] == "\"acme:completions\"")
    }

    @Test func `arguments that are empty, and their wrapper with them, are no input`() throws {
        func inputs(_ value: String) throws -> String? {
            try mapChild(["traceloop.span.kind": "task", "traceloop.entity.input": .string(value)])["mlflow.spanInputs"]
        }
        #expect(try inputs(#"{"args":[],"kwargs":{}}"#) == nil)
        #expect(try inputs(#"{"args":["a"],"kwargs":{}}"#) == #""a""#)
    }

    @Test func `lists of labels in metadata are tags of their own`() throws {
        let span = try map(
            TestSpan("root", ["langwatch.span.type": "span", "metadata": #"{"labels":["blue","old"],"team":"web"}"#])
        )[0]
        #expect(span["mlflow.traceTag.blue"] == "\"true\"" && span["mlflow.traceTag.old"] == "\"true\"")
        #expect(span["mlflow.traceTag.team"] == "\"web\"" && span["mlflow.traceTag.labels"] == nil)
    }
}
