import Basics
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

/// Many traces at once: what comes of them is what comes of each alone.
struct AssembleTogetherTests {
    private static let dropping = #"{"drop": [{"rule": "ping", "when": {"name": "ping"}}]}"#

    /// A span as it is sent, with what it stands in.
    private struct Sent: Hashable {
        let span: ArraySlice<UInt8>
        let resource: [ArraySlice<UInt8>]
        let route: Route
    }

    private func assembly() throws -> Assemble {
        var settings = MLflowMapSettings()
        settings.rules = [try JSONNode(parsing: Array(Self.dropping.utf8))]
        let route = MLflowExperiment(name: "route", settings: MLflowExperimentSettings())
        let map = try MLflowMap(name: "map", settings: settings)
        return Assemble(settings: AssembleSettings(), processors: [map, route])
    }

    private func trace(_ number: UInt64, _ parts: [[UInt8]], identity: String? = nil, at time: UInt64 = 1) -> WholeTrace
    {
        let parts = parts.map { payload in
            WholeTrace.Part(
                receivedAt: UnixTime(nanoseconds: time),
                metadata: RecordMetadata(signal: .traces, identity: identity),
                payload: payload
            )
        }
        return WholeTrace(key: TraceKey(TraceID(high: 0, low: number)), parts: parts, reason: .complete)
    }

    private func sent(_ made: AssembledTrace) throws -> [UInt64: [Sent]] {
        let batch = try SpanBatch(made.payload)
        #expect(batch.spans.count == made.items)
        let spans = batch.spans.indices.map { span in
            let resource = batch.resources[batch.scopes[batch.spans[span].scope].resource]
            let attributes = resource.attributes.map { batch.bytes[batch.attributes[$0].field] }
            let sent = Sent(span: batch.bytes[batch.spans[span].field], resource: attributes, route: made.route)
            return (batch.spans[span].traceID.low, sent)
        }
        return Dictionary(grouping: spans, by: \.0).mapValues { $0.map(\.1) }
    }

    /// A question and its answer, the root last as exporters send it.
    private func spans(_ trace: UInt64, _ others: [TestSpan] = []) -> [TestSpan] {
        let chat = TestSpan(
            "chat",
            id: 2,
            parent: 1,
            trace: trace,
            [
                "gen_ai.operation.name": "chat",
                "gen_ai.input.messages": .string(#"[{"role":"user","content":"question \#(trace)"}]"#),
                "gen_ai.output.messages": .string(#"[{"role":"assistant","content":"answer \#(trace)"}]"#),
            ]
        )
        return [chat] + others + [TestSpan("root \(trace)", id: 1, trace: trace, ["session.id": .string("s\(trace)")])]
    }

    @Test func `what comes of traces together comes of each alone`() throws {
        let pay: KeyValuePairs<String, TestValue> = ["service.name": "pay"]
        let circle = [TestSpan(id: 5, parent: 6, trace: 9), TestSpan(id: 6, parent: 5, trace: 9)]
        let traces = [
            trace(1, [tracesRequest(spans(1))]),
            trace(2, [tracesRequest(spans(2), scope: "other")]),
            trace(3, [tracesRequest(spans(3), resource: pay)]),
            trace(4, [tracesRequest([TestSpan(id: 3, parent: 2, trace: 4)]), tracesRequest(spans(4), resource: pay)]),
            trace(5, [tracesRequest(spans(5, [TestSpan("ping", id: 7, parent: 1, trace: 5)]))]),
            trace(6, [tracesRequest(spans(6))], identity: "ada"),
            trace(7, [tracesRequest(spans(7))], identity: "ada"),
            // Later than one account of ages allows, and alone with its client.
            trace(8, [tracesRequest(spans(8))], at: 60_000_000_000),
            trace(10, [tracesRequest(spans(10))], identity: "bob"),
            // Two names of one look.
            trace(12, [tracesRequest(spans(12))], identity: "\u{E9}"),
            trace(13, [tracesRequest(spans(13))], identity: "e\u{301}"),
        ]
        let groups = try assembly().assembleTogether(traces)
        #expect(Set(groups.flatMap(\.traces)) == [0, 1, 2, 3, 4, 5, 6])
        #expect(groups.map(\.traces.count).sorted() == [2, 2, 3])
        for group in groups {
            let together = try sent(group.made)
            #expect(Set(together.keys) == Set(group.traces.map { traces[$0].key.trace.low }))
            for index in group.traces {
                let alone = try sent(try assembly().assemble(traces[index]))
                for (number, spans) in alone {
                    #expect(Set(spans) == Set(together[number] ?? []))
                    #expect(together[number]?.first == spans.first)
                }
            }
        }
        // One trace that needs more than the others keeps them from being done together.
        let round = trace(9, [tracesRequest(spans(9, circle))])
        #expect(try assembly().assembleTogether([traces[0], round]).isEmpty)
        let removed = trace(11, [tracesRequest([TestSpan("ping", id: 1, trace: 11)])])
        #expect(try assembly().assembleTogether([traces[0], removed]).isEmpty)
        let open = WholeTrace(key: traces[1].key, parts: traces[1].parts, reason: .waited)
        #expect(try assembly().assembleTogether([traces[0], open]).isEmpty)
    }

    @Test func `neighbours of one resource and scope have it once, whatever stands behind their spans`() throws {
        let whole = tracesRequest(spans(1) + spans(2) + spans(3))
        var batch = try SpanBatch(whole)
        for span in batch.spans.indices { batch.assign(span, to: UInt16(batch.spans[span].traceID.low - 1)) }
        let parts = try (UInt16(0)..<3).map { try #require(batch.encoded(group: $0)).payload }
        let joined = RequestFrames.joined(parts.map { ($0, RequestFrames($0)) })
        #expect(joined == whole)
        let other = tracesRequest(spans(4), resource: ["service.name": "pay"])
        let mixed = [parts[0], other, parts[1], parts[2]]
        let read = try SpanBatch(RequestFrames.joined(mixed.map { ($0, RequestFrames($0)) }))
        #expect(read.resources.count == 3 && read.spans.count == 8)
        #expect(RequestFrames(mixed[0] + mixed[1]) == nil)
        let behind = RequestFrames.joined([(mixed[0] + mixed[1], nil), (parts[2], RequestFrames(parts[2]))])
        #expect(behind == mixed[0] + mixed[1] + parts[2])
    }
}
