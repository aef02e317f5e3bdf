import Basics
import Conditions
import OTLP
import TestKit
import Testing

@testable import MLflow

/// What a root without content gets from the spans of its trace that stand in the same request.
struct TraceSummaryTests {
    private let inputs = "mlflow.spanInputs"
    private let outputs = "mlflow.spanOutputs"
    private let name = "mlflow.traceTag.mlflow.traceName"

    private func chat(
        _ id: UInt64,
        below parent: UInt64,
        trace: UInt64 = 7,
        _ question: String = "Weather?",
        _ answer: String? = "Sunny."
    ) -> TestSpan {
        var span = TestSpan("chat", id: id, parent: parent, trace: trace, ["gen_ai.operation.name": "chat"])
        span.attributes.append(("gen_ai.input.messages", .string(#"[{"role":"user","content":"\#(question)"}]"#)))
        if let answer {
            span.attributes.append(
                ("gen_ai.output.messages", .string(#"[{"role":"assistant","content":"\#(answer)"}]"#))
            )
        }
        return span
    }

    @Test func `a root without content shows the question and the answer of its conversation`() throws {
        let root = try map(TestSpan("GET /chat"), chat(2, below: 1))[0]
        #expect(root[inputs] == #"{"messages":[{"role":"user","content":"Weather?"}]}"#)
        #expect(root[outputs] == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Sunny."}}]}"#)
        #expect(root["mlflow.message.format"] == "\"openai\"")
        #expect(root["millrace.preview_from"] == "\"0000000000000002\"")
    }

    @Test func `a side that a root has itself stays, and the other one comes`() throws {
        var root = TestSpan("GET /chat")
        root.attributes = [("openinference.span.kind", "CHAIN"), ("input.value", "Mine?")]
        let spans = try map(root, chat(2, below: 1))
        #expect(spans[0][inputs] == "\"Mine?\"")
        #expect(spans[0][outputs] == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Sunny."}}]}"#)
        #expect(spans[0]["mlflow.message.format"] == nil)
        root.attributes = [("mlflow.spanInputs", "Mine?"), ("mlflow.spanOutputs", "My answer.")]
        let own = try map(root, chat(2, below: 1))[0]
        #expect(own.keys.count { $0 == inputs } == 1)
        #expect(own["millrace.preview_from"] == nil)
    }

    @Test func `what an app wrote for MLflow below the root is shown too`() throws {
        let child = TestSpan(
            "run",
            id: 2,
            parent: 1,
            [
                "mlflow.spanInputs": "Mine?",
                "mlflow.spanOutputs": .string(#"{"choices":[{"message":{"role":"assistant","content":"Yours."}}]}"#),
            ]
        )
        let root = try map(TestSpan("GET /chat"), child)[0]
        #expect(root[inputs] == #"{"messages":[{"role":"user","content":"Mine?"}]}"#)
        #expect(root[outputs] == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Yours."}}]}"#)
    }

    @Test func `a request without the root gets nothing, and of two roots the first what is below it alone`() throws {
        #expect(try map(chat(2, below: 1)).allSatisfy { $0["millrace.preview_from"] == nil })
        let spans = try map(TestSpan("a"), TestSpan("b", id: 3), chat(2, below: 3), chat(4, below: 99))
        #expect(spans.allSatisfy { $0["millrace.preview_from"] == nil })
        let first = try map(TestSpan("a"), TestSpan("b", id: 3), chat(2, below: 1), chat(4, below: 99))
        #expect(first.map { $0["millrace.preview_from"] } == ["\"0000000000000002\"", nil, nil, nil])
    }

    @Test func `system text and structures are no question, context before it is left out`() throws {
        var span = TestSpan("chat", id: 2, parent: 1, ["gen_ai.operation.name": "chat"])
        let messages = #"""
            [{"role":"system","content":"Be brief."},{"role":"user","parts":[{"type":"text","content":"<env>\nlinux\n</env>"},
            {"type":"text","content":"Weather?"}]},{"role":"user","parts":[{"type":"tool_call_response","id":"1","response":"x"}]}]
            """#
        span.attributes.append(("gen_ai.input.messages", .string(messages)))
        let spans = try map(TestSpan("GET /chat"), span)
        #expect(spans[0][inputs] == #"{"messages":[{"role":"user","content":"Weather?"}]}"#)
        #expect(
            spans[1][inputs]?.contains(
                #"{"role":"user","content":"<env>\nlinux\n</env>"},{"role":"user","content":"Weather?"}"#
            ) == true
        )
        let chain = TestSpan(
            "run",
            id: 2,
            parent: 1,
            ["openinference.span.kind": "CHAIN", "input.value": #"{"city":"Paris"}"#]
        )
        #expect(try map(TestSpan("GET /chat"), chain)[0][inputs] == nil)
    }

    @Test func `a call that only finds a title is no conversation`() throws {
        var title = chat(3, below: 1, "Name it.", "Weather")
        title.attributes.append(("ai.telemetry.functionId", "generateTitle"))
        (title.start, title.end) = (3000, 4000)
        let root = try map(TestSpan("GET /chat"), chat(2, below: 1), title)[0]
        #expect(root[outputs] == #"{"choices":[{"index":0,"message":{"role":"assistant","content":"Sunny."}}]}"#)
    }

    @Test func `who has a role that nobody knows asks nothing`() throws {
        var span = chat(2, below: 1)
        span.attributes[1].1 = .string(
            #"[{"role":"user","content":"Weather?"},{"role":"critic","content":"Be brief."}]"#
        )
        let root = try map(TestSpan("GET /chat"), span)[0]
        #expect(root[inputs] == #"{"messages":[{"role":"user","content":"Weather?"}]}"#)
    }

    @Test(
        arguments: [
            ("GET", "travel"), ("HTTP POST", "travel"), ("request", "travel"), ("tcp.connect", "travel"),
            ("GET /chat", "GET /chat"), ("http get /rag", "http get /rag"), ("checkout", "checkout"),
        ]
    )
    func `a root that says nothing is called after the agent below it`(root: String, expected: String) throws {
        let tool = TestSpan("tool", id: 4, parent: 1, ["gen_ai.operation.name": "execute_tool"])
        let call = TestSpan("tcp.connect", id: 5, parent: 1)
        let agent = TestSpan(
            "run",
            id: 2,
            parent: 3,
            ["gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "travel"]
        )
        let between = TestSpan("POST", id: 3, parent: 1, ["http.request.method": "POST"])
        let spans = try map(TestSpan(root, ["http.request.method": "GET"]), tool, call, between, agent)
        #expect(spans[0][name] == "\"\(expected)\"")
        #expect(spans.dropFirst().allSatisfy { $0[name] == nil })
    }

    @Test func `a root that says nothing keeps its name where nothing better is below it`() throws {
        let spans = try map(TestSpan("GET", ["http.request.method": "GET"]), TestSpan("tcp.connect", id: 2, parent: 1))
        #expect(spans[0][name] == "\"GET\"")
        let rpc = try map(
            TestSpan("chat.Service/Ask", ["rpc.system": "grpc"]),
            TestSpan("chat m", id: 2, parent: 1, ["gen_ai.operation.name": "chat"])
        )
        #expect(rpc[0][name] == "\"chat m\"")
    }

    @Test func `mapping twice changes nothing more`() throws {
        let once = try mappedBytes(tracesRequest([TestSpan("GET"), chat(2, below: 1, "Weather?", nil)]))
        var batch = try SpanBatch(once)
        var mapper = SpanMapper(rules: try TestRules.all.get())
        _ = mapper.map(&batch)
        #expect(try (batch.encoded()?.payload).map { try readSpans($0)[0].keys } == readSpans(once)[0].keys)
    }

    @Test func `decisions name the trace, and without room the root stays as it came`() throws {
        var batch = try SpanBatch(tracesRequest([TestSpan("GET /chat"), chat(2, below: 1)]))
        var mapper = SpanMapper(rules: try TestRules.all.get())
        let decisions = try #require(mapper.map(&batch, explaining: true).decisions)
        let told = decisions.filter { $0.span == 0 && $0.rule == "trace" }.map(\.target)
        #expect(told == [inputs, outputs, "mlflow.message.format", "millrace.preview_from"])
        let request = tracesRequest([TestSpan("GET /chat"), chat(2, below: 1)])
        let all = try mapCounting(request).outcome
        let tight = MappingBudget(bytesMax: all.addedBytes - 50, stepsMax: 1 << 20)
        let (payload, outcome) = try mapCounting(request, within: tight)
        #expect(outcome.unmappedSpans == 1)
        #expect(try readSpans(payload)[0][inputs] == nil)
        #expect(try readSpans(payload)[1][inputs] != nil)
    }

    /// So many spans: one wide trace, a trace each, or a chain.
    private func body(_ shape: Int, _ count: Int) -> [UInt8] {
        var spans = [TestSpan("GET")]
        for index in 1..<count {
            let id = UInt64(index + 1)
            switch shape {
            case 0: spans.append(chat(id, below: 1, "Weather?", nil))
            case 1: spans.append(TestSpan("GET", id: id, trace: id))
            default:
                spans.append(index == count - 1 ? chat(id, below: id - 1) : TestSpan("step", id: id, parent: id - 1))
            }
        }
        return tracesRequest(spans)
    }

    @Test(arguments: 0..<3)
    func `10,000 spans of one trace, 10,000 traces and a chain 10,000 deep cost their size`(shape: Int) throws {
        let small = try mapCounting(body(shape, 5000)).outcome
        let request = body(shape, 10_000)
        let (payload, outcome) = try mapCounting(request)
        #expect(outcome.unmappedSpans == 0)
        #expect(outcome.steps <= small.steps * 9 / 4 + 1000)
        #expect(outcome.steps <= MappingBudget(bodySize: request.count).stepsMax / 8)
        let root = try readSpans(payload)[0]
        #expect((root[inputs] != nil) == (shape != 1))
    }
}
