import Basics
import Journal
import OTLP
import Pipeline
import TestKit
import Testing

@Suite struct GatewayTests {
    @Test func `an empty request is a success`() async throws {
        let bench = try PipelineBench(to: ScriptedExporter())
        #expect(await bench.send([]) == .accepted)
        #expect(bench.reader.account.accepted == 0)
    }

    @Test(arguments: ["bad_garbage.pb", "bad_truncated.pb", "bad_traceid0.pb", "bad_traceid5.pb"])
    func `a body with nothing valid in it is refused`(name: String) async throws {
        let bench = try PipelineBench(to: ScriptedExporter())
        guard case .invalid(let message) = try await bench.send(Fixtures.bytes("payloads/\(name)")) else {
            Issue.record("\(name) was not refused")
            return
        }
        #expect(!message.isEmpty)
        #expect(bench.reader.account.accepted == 0)
    }

    @Test func `valid spans beside invalid ones are taken and the answer counts the others`() async throws {
        let exporter = ScriptedExporter()
        let bench = try PipelineBench(to: exporter)
        let body = try Fixtures.bytes("payloads/small.pb") + Fixtures.bytes("payloads/bad_traceid5.pb")
        guard case .partial(let rejected, let message) = await bench.send(body) else {
            Issue.record("no partial success")
            return
        }
        #expect(rejected == 1)
        #expect(message.contains("1 of 11 spans"))
        await bench.deliverAll()
        #expect(exporter.batches.map(\.items) == [10])
        #expect(exporter.batches.map(\.payload) == [try Fixtures.bytes("payloads/small.pb")])
    }

    @Test func `what processors remove is accounted for`() async throws {
        let exporter = ScriptedExporter()
        let bench = try PipelineBench(processors: [EveryOther()], to: exporter)
        #expect(try await bench.send(Fixtures.bytes("payloads/small.pb")) == .accepted)
        await bench.deliverAll()
        #expect(exporter.batches.map(\.items) == [5])
        #expect(bench.reader.account.accepted == 10)
        #expect(bench.reader.account.outcomes[.sampledOut] == 5)
        #expect(bench.reader.account.outcomes[.delivered] == 5)
    }

    @Test func `a request of which nothing is left is accounted for`() async throws {
        let exporter = ScriptedExporter()
        let bench = try PipelineBench(processors: [NothingFrom(receiver: "quiet")], to: exporter)
        let small = try Fixtures.bytes("payloads/small.pb")
        #expect(await bench.send(small, from: "quiet") == .accepted)
        // Counts do not wait for a sync of their own; the next request's makes them readable.
        #expect(await bench.send(small) == .accepted)
        await bench.deliverAll()
        #expect(exporter.batches.map(\.items) == [10])
        #expect(bench.reader.account.accepted == 20)
        #expect(bench.reader.account.outcomes[.sampledOut] == 10)
        #expect(bench.reader.account.queued == 0)
    }

    @Test func `a request that a processor makes invalid is refused and counted`() async throws {
        let bench = try PipelineBench(processors: [BrokenName()], to: ScriptedExporter())
        guard case .invalid(let message) = try await bench.send(Fixtures.bytes("payloads/small.pb")) else {
            Issue.record("not refused")
            return
        }
        #expect(message.hasPrefix("span 0 would be invalid"))
        #expect(bench.reader.account.accepted == 0)
        let refused = /millrace_receiver_refused_spans_total\{.*reason="invalid".*\} 10\n/
        #expect(bench.meters.prometheusText().contains(refused))
    }

    @Test func `each route is a record of its own`() async throws {
        let exporter = ScriptedExporter(exclusive: true)
        let bench = try PipelineBench(processors: [ByTrace()], to: exporter)
        #expect(try await bench.send(Fixtures.bytes("payloads/small.pb")) == .accepted)
        await bench.deliverAll()
        let traces = Set(try SpanBatch(Fixtures.bytes("payloads/small.pb")).spans.map(\.traceID))
        #expect(exporter.batches.count == traces.count)
        #expect(Set(exporter.batches.map(\.route)) == Set(traces.map { .experimentName("\($0)") }))
        #expect(bench.reader.account.outcomes[.delivered] == 10)
    }
}

/// Samples every second span out.
private struct EveryOther: SpanProcessor {
    func process(_ work: inout SpanWork) {
        for span in work.batch.spans.indices where span % 2 == 0 { work.batch.remove(span, as: .sampledOut) }
    }
}

/// Puts something that is no text in the place of a name.
private struct BrokenName: SpanProcessor {
    func process(_ work: inout SpanWork) {
        var edits = TextEdits()
        edits.replace(work.batch.spans[0].name, with: [0xFF])
        work.rewrite(edits)
    }
}

/// Samples everything out that one receiver brings.
private struct NothingFrom: SpanProcessor {
    let receiver: String

    func process(_ work: inout SpanWork) {
        guard work.source.receiver == receiver else { return }
        for span in work.batch.spans.indices { work.batch.remove(span, as: .sampledOut) }
    }
}

/// Routes each trace to an experiment of its own.
struct ByTrace: SpanProcessor {
    func process(_ work: inout SpanWork) {
        for (index, span) in work.batch.spans.enumerated() {
            work.assign(.experimentName("\(span.traceID)"), to: index)
        }
    }
}
