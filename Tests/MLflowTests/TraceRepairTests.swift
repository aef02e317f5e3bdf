import Basics
import Conditions
import OTLP
import TestKit
import Testing

@testable import MLflow

/// What only all spans of a trace together show of their times, and what failed spans get.
struct TraceRepairTests {
    private let name = "mlflow.traceTag.mlflow.traceName"

    @Test func `a call of HTTP with a route names its trace, and so does a typed one`() throws {
        let plain = TestSpan("GET /ask", ["http.request.method": "GET"])
        let model = TestSpan("chat", id: 2, trace: 8, ["http.request.method": "POST", "gen_ai.operation.name": "chat"])
        let spans = try map(plain, model)
        #expect(spans.map { $0[name] } == ["\"GET /ask\"", "\"chat\""])
    }

    @Test func `a span that never ended ends with the last of its descendants or events, never before it starts`()
        throws
    {
        var root = TestSpan("root")
        root.end = 0
        var child = TestSpan("child", id: 2, parent: 1)
        child.end = 0
        var grandchild = TestSpan("grandchild", id: 3, parent: 2)
        (grandchild.start, grandchild.end) = (1500, 3000)
        let leaf = TestSpan("leaf", id: 4, parent: 1)
        var backwards = TestSpan("backwards", id: 5, parent: 1)
        (backwards.start, backwards.end) = (5000, 4000)
        var batch = try SpanBatch(tracesRequest([root, child, grandchild, leaf, backwards]))
        var mapper = SpanMapper(rules: try TestRules.all.get())
        _ = mapper.map(&batch)
        let mapped = try SpanBatch(try #require(batch.encoded()?.payload))
        #expect(mapped.spans.map(\.end) == [5000, 3000, 3000, 2000, 5000])
        let spans = try readSpans(mapped.bytes)
        #expect(
            spans.map { $0["millrace.end"] }
                == ["\"never ended\"", "\"never ended\"", nil, nil, "\"before start\""]
        )
    }

    @Test func `a failed span has a level and an event, without which the page does not show it`() throws {
        var model = TestSpan("chat", id: 2, parent: 1, ["gen_ai.operation.name": "chat"])
        model.status = 2
        var other = TestSpan("GET", id: 3, parent: 1)
        other.status = 2
        let spans = try map(TestSpan("root"), model, other)
        #expect(spans.map { $0["mlflow.spanLogLevel"] } == ["40", "40", "40"])
        #expect(spans.map { $0.events.map(\.name) } == [["exception"], ["exception"], ["exception"]])
    }
}
