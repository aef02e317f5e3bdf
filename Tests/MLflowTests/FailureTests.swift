import OTLP
import TestKit
import Testing

@testable import MLflow

/// Spans that failed without a status that says so.
struct FailureTests {
    private func model(_ id: UInt64, _ attributes: [(String, TestValue)] = [], from start: UInt64 = 100) -> TestSpan {
        var span = TestSpan("chat", id: id, parent: 1, ["gen_ai.operation.name": "chat"])
        span.attributes += attributes
        (span.start, span.end) = (start, start + 50)
        return span
    }

    private let answer = ("gen_ai.output.messages", TestValue.string(#"[{"role":"assistant","content":"Sunny."}]"#))

    @Test(
        arguments: [
            [("error.type", "RateLimit"), ("error.message", "slow down")],
            [("langfuse.observation.level", "ERROR"), ("langfuse.observation.status_message", "slow down")],
        ] as [[(String, TestValue)]]
    )
    func `a span that tells of a failure gets its status`(attributes: [(String, TestValue)]) throws {
        let span = try map(model(2, attributes))[0]
        #expect(span.status == 2)
        #expect(span.statusMessage == "slow down")
        #expect(span.events.map(\.name) == ["exception"])
        #expect(span.events[0].attributes["exception.message"] == "\"slow down\"")
    }

    @Test func `a tool whose outcome is an error failed`() throws {
        let tool: KeyValuePairs<String, TestValue> = [
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.outcome": "error",
        ]
        #expect(try map(TestSpan("tool", id: 2, parent: 1, tool))[0].status == 2)
        #expect(
            try map(TestSpan("tool", id: 2, parent: 1, ["gen_ai.tool.call.outcome": "success"]))[0].status == 0
        )
    }

    @Test func `a span with an output, or with a status, keeps its status`() throws {
        #expect(try map(model(2, [("error.type", "E"), answer]))[0].status == 0)
        var fine = model(2, [("error.type", "E")])
        fine.status = 1
        #expect(try map(fine)[0].status == 1)
        #expect(try map(model(2, [("langfuse.observation.level", "WARNING")]))[0].status == 0)
    }

    @Test func `a failure that a retry made good is none`() throws {
        let spans = try map(model(2, [("error.type", "E")]), model(3, [answer], from: 200))
        #expect(spans.map(\.status) == [0, 0])
        let turned = try map(model(2, [("error.type", "E")], from: 200), model(3, [answer]))
        #expect(turned.map(\.status) == [2, 0])
        var tool = TestSpan("search", id: 3, parent: 1, ["gen_ai.operation.name": "execute_tool"])
        tool.start = 300
        #expect(try map(model(2, [("error.type", "E")]), tool)[0].status == 2)
    }

    @Test func `an exception that left a span is its failure, others are not`() throws {
        var span = model(2)
        span.events = [("exception", [("exception.message", "gone"), ("exception.escaped", .bool(true))])]
        let failed = try map(span)[0]
        #expect(failed.status == 2)
        #expect(failed.statusMessage == "gone")
        #expect(failed.events.count == 1)
        span.events = [("exception", [("exception.message", "gone")])]
        #expect(try map(span)[0].status == 0)
    }

    @Test func `a root without a status fails with the conversation that ended its trace`() throws {
        let root = try map(TestSpan("POST /chat"), model(2), model(3, [("error.type", "E")], from: 200))[0]
        #expect(root.status == 2)
        #expect(root["millrace.status_from"] == "\"0000000000000003\"")
        let mended = try map(TestSpan("POST /chat"), model(2, [("error.type", "E")]), model(3, [answer], from: 200))[0]
        #expect(mended.status == 0)
        let answered = try map(TestSpan("run"), model(2, [answer]), model(3, [("error.type", "E")], from: 200))[0]
        #expect(answered.status == 0)
        var own = TestSpan("run", ["mlflow.spanOutputs": "done"])
        own.id = 1
        #expect(try map(own, model(3, [("error.type", "E")]))[0].status == 0)
        var fine = TestSpan("POST /chat")
        fine.status = 1
        #expect(try map(fine, model(3, [("error.type", "E")]))[0].status == 1)
    }

    @Test func `a root fails with the call that ended last, not with one before`() throws {
        var failed = model(2)
        failed.status = 2
        var retry = model(3, from: 200)
        #expect(try map(TestSpan("POST /chat"), failed, retry)[0].status == 0)
        retry.status = 2
        #expect(try map(TestSpan("POST /chat"), failed, retry)[0].status == 2)
        var title = model(3, [("ai.telemetry.functionId", "generateTitle")], from: 200)
        title.status = 2
        #expect(try map(TestSpan("POST /chat"), model(2), title)[0].status == 0)
        var agent = TestSpan("invoke_agent", id: 4, parent: 1, ["gen_ai.operation.name": "invoke_agent"])
        (agent.start, agent.end, agent.status) = (90, 400, 1)
        failed.parent = 4
        #expect(try map(TestSpan("POST /chat"), agent, failed)[0].status == 0)
        agent.status = 0
        #expect(try map(TestSpan("POST /chat"), agent, failed)[0].status == 2)
    }

    @Test func `a call at the same time makes no failure good, a later one of another tool neither`() throws {
        let failed = model(2, [("error.type", "E")])
        #expect(try map(failed, model(3, [answer], from: 120))[0].status == 2)
        func tool(_ id: UInt64, _ name: String, from start: UInt64) -> TestSpan {
            var span = TestSpan("ai.toolCall", id: id, parent: 1, ["ai.operationId": "ai.toolCall"])
            span.attributes.append(("ai.toolCall.name", .string(name)))
            (span.start, span.end) = (start, start + 50)
            return span
        }
        var broken = tool(2, "search", from: 100)
        broken.attributes.append(("error.type", "E"))
        #expect(try map(broken, tool(3, "fetch", from: 200))[0].status == 2)
        #expect(try map(broken, tool(3, "search", from: 200))[0].status == 0)
        var call = TestSpan("GET /a", id: 2, parent: 1, ["error.type": "E"])
        (call.start, call.end) = (100, 150)
        #expect(try map(call, TestSpan("GET /b", id: 3, parent: 1))[0].status == 2)
        #expect(try map(call, TestSpan("GET /a", id: 3, parent: 1))[0].status == 0)
    }

    @Test func `a failed span has one level`() throws {
        let span = try map(model(2, [("langfuse.observation.level", "ERROR")]))[0]
        #expect(span.keys.count { $0 == "mlflow.spanLogLevel" } == 1)
        #expect(span["mlflow.spanLogLevel"] == "40")
    }

    @Test func `the event of a failure is never without a word`() throws {
        func message(_ attributes: KeyValuePairs<String, TestValue>) throws -> String? {
            var span = TestSpan("call", id: 2, parent: 1, attributes)
            span.status = 2
            return try map(span)[0].events.first?.attributes["exception.message"]
        }
        #expect(try message([:]) == "\"ERROR\"")
        #expect(try message(["error.type": "Timeout"]) == "\"Timeout\"")
        #expect(try message(["http.response.status_code": 503]) == "\"HTTP 503\"")
        #expect(try message(["http.response.status_code": 200]) == "\"ERROR\"")
        #expect(try message(["rpc.grpc.status_code": 14]) == "\"RPC 14\"")
    }

    @Test func `a tool's span is called after the tool where its name does not say it`() throws {
        let attributes: KeyValuePairs<String, TestValue> = [
            "ai.operationId": "ai.toolCall", "ai.toolCall.name": "get_weather",
        ]
        let span = try map(TestSpan("ai.toolCall", id: 2, parent: 1, attributes))[0]
        #expect(span.name == "get_weather")
        #expect(span["millrace.span_name"] == "\"ai.toolCall\"")
        let said = try map(
            TestSpan(
                "execute_tool get_weather",
                id: 2,
                parent: 1,
                ["gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather"]
            )
        )[0]
        #expect(said.name == "execute_tool get_weather")
        #expect(said["millrace.span_name"] == nil)
    }

    @Test func `every span says its service, unless it says another one`() throws {
        let own = TestSpan("b", id: 3, parent: 1, ["service.name": "other"])
        let spans = try map(tracesRequest([TestSpan("a"), own], resource: ["service.name": "shop"]))
        #expect(spans.map { $0["service.name"] } == ["\"shop\"", "\"other\""])
        let long = String(repeating: "s", count: 300)
        let child = TestSpan(id: 2, parent: 1)
        #expect(try map(tracesRequest([child], resource: ["service.name": .string(long)]))[0].keys == [])
    }
}
