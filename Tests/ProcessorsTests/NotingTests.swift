import Basics
import MLflow
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Processors

/// What processors note about spans, and that noting changes nothing of what they do.
@Suite struct NotingTests {
    private func notes(_ processor: any ExplainableProcessor, _ work: SpanWork) throws -> [SpanNote] {
        var (plain, noted) = (work, work)
        var notes: [SpanNote] = []
        processor.process(&noted, noting: &notes)
        let again = try #require(self.fresh(processor))
        again.process(&plain)
        #expect(
            try noted.batch.encodedByGroup().map(\.spans.payload) == plain.batch.encodedByGroup().map(\.spans.payload)
        )
        #expect(noted.routeOfSpans() == plain.routeOfSpans())
        return notes
    }

    /// One without memory of the first request.
    private func fresh(_ processor: any ExplainableProcessor) -> (any SpanProcessor)? {
        processor is MLflowExperiment ? experiment() : processor
    }

    private func experiment() -> MLflowExperiment {
        var settings = MLflowExperimentSettings()
        settings.from = ["resource.tenant", "attribute.team"]
        settings.map = [("bl*", "Blue")]
        return MLflowExperiment(name: "route", settings: settings)
    }

    @Test func `a route is noted with the source that gave it`() throws {
        let work = try work(
            TestSpan("a", id: 1, trace: 1, ["team": "blue"]),
            TestSpan("b", id: 2, trace: 2, ["team": "red"]),
            TestSpan("c", id: 3, trace: 3),
            TestSpan("d", id: 4, parent: 1, trace: 1)
        )
        let blue = SpanNote.Finding.routed(.experimentName("Blue"), reason: "from attribute.team \"blue\" by map")
        #expect(
            try notes(experiment(), work) == [
                SpanNote(0, blue),
                SpanNote(1, .routed(.experimentName("red"), reason: "from attribute.team")),
                SpanNote(
                    2,
                    .routed(
                        .experimentName("Default"),
                        reason: "from default, without resource.tenant, attribute.team"
                    )
                ),
                SpanNote(3, blue),
            ]
        )
    }

    @Test func `a route that the trace had before is noted as such`() throws {
        let processor = experiment()
        var first = try work(TestSpan("a", id: 1, ["team": "red"]))
        processor.process(&first)
        var second = try work(TestSpan("b", id: 2, ["team": "blue"]))
        var notes: [SpanNote] = []
        processor.process(&second, noting: &notes)
        let reason = "the trace had it before, or there are more than max_routes experiments"
        #expect(notes == [SpanNote(0, .routed(.experimentName("red"), reason: reason))])
    }

    @Test func `sampling notes why a span stays or goes`() throws {
        var settings = SampleSettings()
        settings.ratio = 0.5
        settings.keep = try JSONNode(parsing: Array(#"{"status": "error"}"#.utf8))
        var failed = TestSpan(id: 2, trace: 1)
        failed.status = 2
        var contradictory = TestSpan(id: 7, trace: 0x80_0000_0000_0005)
        contradictory.traceState = "ot=th:c"
        var work = try work(
            TestSpan(id: 1, trace: 2),
            failed,
            TestSpan(id: 3, trace: 0x80_0000_0000_0001),
            TestSpan(id: 4),
            TestSpan(id: 5, trace: 3, ["sampling.priority": 0]),
            TestSpan(id: 6, trace: 4, ["sampling.priority": 1]),
            contradictory
        )
        work.batch.remove(3, as: .filtered)
        let condition = "the keep condition holds for it or its trace"
        let contradiction = "its tracestate contradicts itself, and fail_closed is true"
        #expect(
            try notes(try Sample(name: "share", settings: settings), work) == [
                SpanNote(0, .removed(.sampledOut, reason: "its trace is outside of the share of 0.5")),
                SpanNote(1, .kept(reason: condition)),
                SpanNote(2, .kept(reason: "its trace is in the share of 0.5")),
                SpanNote(4, .removed(.sampledOut, reason: "sampling.priority of its trace is 0")),
                SpanNote(5, .kept(reason: "sampling.priority of its trace is above 0")),
                SpanNote(6, .removed(.sampledOut, reason: contradiction)),
            ]
        )
    }

    @Test func `mapping notes its decisions`() throws {
        let processor = try MLflowMap(name: "map", settings: MLflowMapSettings())
        let found = try notes(processor, try work(TestSpan("chat", ["gen_ai.operation.name": "chat"])))
        let isTyped = found.contains { note in
            guard case .changed(let decision) = note.finding else { return false }
            return note.span == 0 && decision.target == "mlflow.spanType" && decision.rule == "otel_genai.operation"
        }
        #expect(isTyped)
    }
}
