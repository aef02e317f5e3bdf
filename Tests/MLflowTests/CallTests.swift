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

    @Test func `a cost is counted once too, and an app's own numbers stay`() throws {
        var outer = call(2)
        outer.attributes += [
            ("openinference.span.kind", "LLM"), ("llm.token_count.prompt", 5), ("llm.cost.prompt", 0.5),
            ("llm.cost.completion", 0.25),
        ]
        let spans = try map(outer, call(3, below: 2))
        #expect(spans[0]["mlflow.llm.cost"] == nil)
        #expect(spans[0]["repeat.llm.cost"] != nil || spans[0][repeated] != nil)
        outer.attributes = [
            ("mlflow.spanType", "LLM"), (usage, ["input_tokens": 1, "output_tokens": 1, "total_tokens": 2]),
        ]
        let own = try map(outer, call(3, below: 2))[0]
        #expect(own[usage] == #"{"input_tokens":1,"output_tokens":1,"total_tokens":2}"#)
    }
}
