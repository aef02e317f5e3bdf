import Basics
import OTLP
import Pipeline
import TestKit
import Testing

@Suite struct SplitTests {
    private func batch(_ payload: [UInt8], items: Int, signal: Signal = .traces) -> Batch {
        Batch(signal: signal, route: .experimentName("a"), headers: [], payload: payload, items: items)
    }

    @Test func `a request is split by trace and nothing is lost`() throws {
        let spans = (0..<10).map { TestSpan(id: UInt64($0 + 1), trace: UInt64($0 % 5 + 1)) }
        let parts = batch(tracesRequest(spans), items: 10).split(items: 4, bytes: .max)
        #expect(parts.map(\.items) == [4, 4, 2])
        let ids = try parts.map { try SpanBatch($0.payload).spans.map(\.spanID.value).sorted() }
        #expect(ids == [[1, 2, 6, 7], [3, 4, 8, 9], [5, 10]])
    }

    @Test(arguments: [Signal.metrics, .logs])
    func `what has no traces is not split`(signal: Signal) {
        let whole = batch(tracesRequest([TestSpan(trace: 1), TestSpan(trace: 2)]), items: 2, signal: signal)
        #expect(whole.split(items: 1, bytes: .max).map(\.payload) == [whole.payload])
    }

    @Test func `a payload that cannot be read is not split`() {
        let whole = batch([0x0A, 9], items: 2)
        #expect(whole.split(items: 1, bytes: .max).map(\.payload) == [whole.payload])
    }
}
