import Basics
import Journal
import OTLP
import Pipeline
import Synchronization
import TestKit
import Testing

@Suite struct RememberingProcessorTests {
    @Test func `a processor is given the retained records of spans that its memory reaches, oldest first`() async throws
    {
        let bench = try PipelineBench(processors: [OddTraces()], to: ScriptedExporter())
        for trace in 1...4 as ClosedRange<UInt64> {
            #expect(
                await bench.send(tracesRequest([TestSpan(trace: trace), TestSpan(id: 2, trace: trace)])) == .accepted
            )
        }
        await bench.deliverAll()
        let now = WallClock.system.now()
        let witness = Witness(remember: .seconds(3600))
        witness.restore(from: bench.journal.logs[0], at: now)
        #expect(witness.traces == [1, 3])
        #expect(witness.routes == [.experimentName("odd"), .experimentName("odd")])
        let late = Witness(remember: .seconds(3600))
        late.restore(from: bench.journal.logs[0], at: UnixTime(nanoseconds: now.nanoseconds + 3_700_000_000_000))
        #expect(late.traces.isEmpty)
        let always = Witness(remember: .nanoseconds(Int64.max))
        always.restore(from: bench.journal.logs[0], at: now)
        #expect(always.traces == [1, 3])
    }
}

/// Keeps the traces with odd ids only.
private struct OddTraces: SpanProcessor {
    func process(_ work: inout SpanWork) {
        for (index, span) in work.batch.spans.enumerated() {
            if span.traceID.low % 2 == 1 {
                work.assign(.experimentName("odd"), to: index)
            } else {
                work.batch.remove(index, as: .sampledOut)
            }
        }
    }
}

/// Notes what it is to restore.
private final class Witness: RememberingProcessor {
    let remember: Duration
    private let records = Mutex<[RetainedRecord]>([])

    var traces: [UInt64] { records.withLock { $0.flatMap(\.traceIDs).map(\.low) } }
    var routes: [Route] { records.withLock { $0.map(\.metadata.route) } }

    init(remember: Duration) {
        self.remember = remember
    }

    func process(_ work: inout SpanWork) {}

    func goOn(from earlier: any RememberingProcessor) -> Bool { false }

    func restore(_ record: RetainedRecord) {
        records.withLock { $0.append(record) }
    }
}
