import OTLP
import TestKit
import Testing

@testable import MLflow

/// One call of a model is counted once, however many spans describe it.
struct CallTests {
    private let usage = "mlflow.chat.tokenUsage"
    private let repeated = "repeat.chat.tokenUsage"
    private let counts = #"{"input_tokens":5,"output_tokens":2,"total_tokens":7}"#

    private func call(
        _ id: UInt64,
        below parent: UInt64 = 1,
        answer: String? = nil,
        operation: String = "chat",
        from start: UInt64 = 100,
        to end: UInt64 = 200
    ) -> TestSpan {
        var span = TestSpan("chat", id: id, parent: parent, ["gen_ai.operation.name": .string(operation)])
        span.attributes += [("gen_ai.usage.input_tokens", 5), ("gen_ai.usage.output_tokens", 2)]
        if let answer { span.attributes.append(("gen_ai.response.id", .string(answer))) }
        (span.start, span.end) = (start, end)
        return span
    }

    /// The scopes of several requests as those of one resource.
    private static func joined(_ bodies: [[UInt8]]) -> [UInt8] {
        var content: [UInt8] = []
        for body in bodies {
            var reader = WireReader(0..<body.count)
            if let field = try? reader.next(in: body.span.bytes) { content += body[field.content] }
        }
        var joined: [UInt8] = [0x0A]
        joined.appendVarint(content.count)
        return joined + content
    }

    /// Maps the spans of several scopes, of one resource or of one each, as one request.
    private func mapped(_ scopes: [[TestSpan]], resources: [String]? = nil) throws -> [UInt64: ReadSpan] {
        let bodies = scopes.enumerated().map { number, spans in
            let service = resources.map { [("service.name", TestValue.string($0[number]))] } ?? []
            return tracesRequest(spans, resource: service, scope: "scope-\(number)")
        }
        let body = resources == nil ? Self.joined(bodies) : Array(bodies.joined())
        return Dictionary(uniqueKeysWithValues: try map(body).map { ($0.id.value, $0) })
    }

    @Test func `of model calls one above the other the deepest keeps what was used`() throws {
        let spans = try map(call(2), call(3, below: 2), call(4, below: 3, operation: "embeddings"))
        #expect(spans.map { $0[usage] } == ["null", counts, counts])
        #expect(spans.map { $0[repeated] } == [counts, nil, nil])
        #expect(spans[0].keys.count { $0 == usage } == 1)
    }

    @Test func `two calls beside each other are two`() throws {
        let spans = try map(call(2, answer: "x"), call(3, answer: "x"), call(4), call(5, from: 120, to: 180))
        #expect(spans.map { $0[usage] } == [counts, counts, counts, counts])
    }

    @Test func `spans of two scopes with one answer are one call`() throws {
        let spans = try mapped([[call(2, answer: "x")], [call(3, below: 9, answer: "x", from: 110, to: 190)]])
        #expect(spans[2]?[usage] == "null")
        #expect(spans[2]?[repeated] == counts)
        #expect(spans[3]?[usage] == counts)
        let turned = try mapped([[call(3, below: 9, answer: "x", from: 110, to: 190)], [call(2, answer: "x")]])
        #expect(turned[2]?[usage] == "null")
        #expect(turned[3]?[usage] == counts)
    }

    @Test func `several calls whose answers have one id are told apart by their times`() throws {
        let outer = [call(2, answer: "x"), call(3, answer: "x", from: 300, to: 400)]
        let inner = [
            call(4, below: 9, answer: "x", from: 110, to: 190), call(5, below: 9, answer: "x", from: 310, to: 390),
        ]
        let spans = try mapped([outer, inner])
        #expect([2, 3, 4, 5].map { spans[$0]?[usage] } == ["null", "null", counts, counts])
    }

    @Test func `answers without an id of their own, one after the other, are several`() throws {
        let spans = try mapped([[call(2, answer: "x")], [call(3, answer: "x", from: 300, to: 400)]])
        #expect(spans.values.allSatisfy { $0[usage] == counts })
    }

    @Test func `a client and its gateway describe one call, whatever their clocks say`() throws {
        let gateway = call(3, below: 2, answer: "x", from: 300, to: 400)
        let spans = try mapped([[call(2, answer: "x")], [gateway]], resources: ["app", "gateway"])
        #expect(spans[2]?[usage] == "null")
        #expect(spans[3]?[usage] == counts)
    }

    @Test func `the id of an answer may stand inside the recorded output only`() throws {
        var outer = TestSpan("ChatCompletion", id: 2, parent: 1, ["openinference.span.kind": "LLM"])
        outer.attributes += [("llm.token_count.prompt", 5), ("llm.token_count.completion", 2)]
        outer.attributes.append(("output.value", .string(#"{"id":"x","choices":[]}"#)))
        (outer.start, outer.end) = (100, 200)
        let spans = try mapped([[outer], [call(3, below: 9, answer: "x", from: 110, to: 190)]])
        #expect(spans[2]?[usage] == "null")
        #expect(spans[3]?[usage] == counts)
    }

    @Test func `without ids a call of another scope around one is its wrapper`() throws {
        let spans = try mapped([[call(2)], [call(3, from: 110, to: 190)]])
        #expect(spans[2]?[usage] == "null")
        #expect(spans[3]?[usage] == counts)
        let apart = try mapped([[call(2)], [call(3, from: 150, to: 250)]])
        #expect(apart.values.allSatisfy { $0[usage] == counts })
        let elsewhere = try mapped([[call(2)], [call(3, below: 9, from: 110, to: 190)]])
        #expect(elsewhere.values.allSatisfy { $0[usage] == counts })
    }

    @Test func `a call of another scope that ends hardly later than one around it is the same`() throws {
        let spans = try mapped([[call(2)], [call(3, from: 110, to: 205)]])
        #expect([2, 3].map { spans[$0]?[usage] } == ["null", counts])
        let named = try mapped([[call(2, answer: "x")], [call(3, from: 110, to: 205)]])
        #expect([2, 3].map { named[$0]?[usage] } == ["null", counts])
        var dearer = call(3, from: 110, to: 205)
        dearer.attributes[1] = ("gen_ai.usage.input_tokens", 6)
        for other in [
            call(3, from: 110, to: 215), call(3, answer: "y", from: 110, to: 205),
            call(3, below: 9, from: 110, to: 205), dearer,
            call(3, operation: "embeddings", from: 110, to: 205),
        ] {
            let apart = try mapped([[call(2, answer: "x")], [other]])
            #expect(apart.values.allSatisfy { $0[repeated] == nil })
        }
    }

    @Test func `usage and cost are counted once each by itself, and an app's own numbers stay`() throws {
        func priced(_ id: UInt64, below parent: UInt64, hasTokens: Bool) -> TestSpan {
            var span = TestSpan("chat", id: id, parent: parent)
            if hasTokens { span.attributes = [("llm.token_count.prompt", 5), ("llm.token_count.completion", 2)] }
            span.attributes += [
                ("openinference.span.kind", "LLM"), ("llm.cost.prompt", 0.5), ("llm.cost.completion", 0.25),
            ]
            return span
        }
        let once = try map(priced(2, below: 1, hasTokens: true), call(3, below: 2))
        #expect(once[0]["mlflow.llm.cost"] == #"{"input_cost":0.5,"output_cost":0.25,"total_cost":0.75}"#)
        #expect(once.map { $0[usage] } == ["null", counts])
        let twice = try map(priced(2, below: 1, hasTokens: true), priced(3, below: 2, hasTokens: false))
        #expect(twice[0][usage] == counts)
        #expect(twice[0]["mlflow.llm.cost"] == "null")
        #expect(twice[0]["repeat.llm.cost"] == twice[1]["mlflow.llm.cost"])
        let own: KeyValuePairs<String, TestValue> = [
            "mlflow.spanType": "LLM",
            "mlflow.chat.tokenUsage": ["input_tokens": 1, "output_tokens": 1, "total_tokens": 2],
        ]
        let spans = try map(TestSpan("run", id: 2, parent: 1, own), call(3, below: 2))
        #expect(spans[0][usage] == #"{"input_tokens":1,"output_tokens":1,"total_tokens":2}"#)
    }

    @Test func `calls of several traces, and what a tool calls, are calls of their own`() throws {
        let elsewhere = TestSpan(
            "chat",
            id: 3,
            parent: 9,
            trace: 8,
            [
                "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 2,
                "gen_ai.response.id": "x",
            ]
        )
        let spans = try mapped([[call(2, answer: "x")], [elsewhere]], resources: ["app", "other"])
        #expect(spans.values.allSatisfy { $0[usage] == counts })
        let tool = TestSpan("tool", id: 3, parent: 2, ["gen_ai.operation.name": "execute_tool"])
        #expect(try map(call(2), tool, call(4, below: 3)).map { $0[usage] } == [counts, nil, counts])
    }

    @Test func `two spans that are each other's parents keep one count`() throws {
        let spans = try map(call(2, below: 3), call(3, below: 2))
        #expect(Set(spans.map { $0[usage] }) == [counts, "null"])
    }

    @Test func `mapping what was mapped withdraws nothing more`() throws {
        let once = try mappedBytes(tracesRequest([call(2), call(3, below: 2)], resource: []))
        #expect(try mappedBytes(once) == once)
    }
}
