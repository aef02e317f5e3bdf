import Basics
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

/// What whole traces count for in the table of services: every span once, whatever way it goes.
struct AssembleServicesTests {
    private struct Line: Hashable {
        let service: String?
        let route: Route
        var spans = 0
        var errors = 0
        var tokens: Int64 = 0
    }

    private func assemble() throws -> Assemble {
        let map = try MLflowMap(name: "map", settings: MLflowMapSettings())
        let route = MLflowExperiment(name: "route", settings: MLflowExperimentSettings())
        return Assemble(settings: AssembleSettings(), processors: [map, route])
    }

    private func part(_ spans: [TestSpan], of service: String) -> WholeTrace.Part {
        WholeTrace.Part(
            receivedAt: UnixTime(nanoseconds: 1),
            metadata: RecordMetadata(signal: .traces),
            payload: tracesRequest(spans, resource: ["service.name": .string(service)])
        )
    }

    private func whole(
        _ number: UInt64,
        _ parts: [WholeTrace.Part],
        ahead: Set<Int> = [],
        reason: WindowDecision.Reason = .complete
    ) -> WholeTrace {
        WholeTrace(key: TraceKey(TraceID(high: 0, low: number)), parts: parts, ahead: ahead, reason: reason)
    }

    private func call(_ id: UInt64, trace: UInt64) -> TestSpan {
        let attributes: KeyValuePairs<String, TestValue> = [
            "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4,
        ]
        var span = TestSpan("chat", id: id, parent: 1, trace: trace, attributes)
        span.status = 2
        return span
    }

    private func lines(_ counts: [ServiceCount]) -> Set<Line> {
        var lines: [Line: Line] = [:]
        for count in counts {
            let key = Line(service: count.service?.text, route: count.route)
            var line = lines[key] ?? key
            line.spans += count.sums.spans
            line.errors += count.sums.errors
            line.tokens += count.sums.tokens
            lines[key] = line
        }
        return Set(lines.values)
    }

    @Test func `spans count by their services for the experiment of their trace`() throws {
        let parts = [part([call(2, trace: 7)], of: "model"), part([TestSpan("root", id: 1)], of: "shop")]
        let made = try assemble().assemble(whole(7, parts))
        let route = Route.experimentName("shop")
        #expect(
            lines(made.serviceCounts) == [
                Line(service: "model", route: route, spans: 1, errors: 1, tokens: 7),
                Line(service: "shop", route: route, spans: 1),
            ]
        )
        // A span that stands for a root that never came was sent by nobody.
        let other = part([TestSpan("other", id: 3, parent: 9)], of: "shop")
        let rootless = try assemble().assemble(whole(7, [parts[0], other], reason: .waited))
        #expect(rootless.created == 1 && rootless.items == 3)
        #expect(rootless.serviceCounts.map(\.sums.spans) == [1, 1])
    }

    @Test func `traces that go together count for what each counts alone`() throws {
        let traces = (1...4 as ClosedRange<UInt64>).map { number in
            let spans = [call(2, trace: number), TestSpan("root", id: 1, trace: number)]
            return whole(number, [part(spans, of: number == 4 ? "shop" : "pay")])
        }
        let groups = try assemble().assembleTogether(traces)
        #expect(groups.map(\.traces.count).sorted() == [1, 3])
        for group in groups {
            let alone = try group.traces.flatMap { try assemble().assemble(traces[$0]).serviceCounts }
            #expect(group.made.services != nil && lines(group.made.serviceCounts) == lines(alone))
        }
    }

    @Test func `what goes ahead of its trace does not count again`() throws {
        let parts = [
            part([TestSpan("root", id: 1), call(2, trace: 7)], of: "shop"), part([call(3, trace: 7)], of: "shop"),
        ]
        let key = TraceKey(TraceID(high: 0, low: 7))
        let ahead = try #require(try assemble().show([parts[0]], of: key, amid: [parts[0]]))
        let rest = try assemble().assemble(whole(7, parts, ahead: [0]))
        let all = try assemble().assemble(whole(7, parts))
        #expect(lines(ahead.serviceCounts).map(\.spans) == [2] && lines(rest.serviceCounts).map(\.spans) == [1])
        #expect(lines(ahead.serviceCounts + rest.serviceCounts) == lines(all.serviceCounts))
        #expect(lines(all.serviceCounts).map(\.tokens) == [14])
    }
}
