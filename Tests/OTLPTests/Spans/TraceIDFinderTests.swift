import Basics
import OTLP
import TestKit
import Testing

@Suite struct TraceIDFinderTests {
    @Test(arguments: Fixtures.traceCaptures() + ["payloads/small.pb", "payloads/large.pb"])
    func `the traces found are those of the index`(path: String) throws {
        let bytes = try Fixtures.bytes(path)
        var expected: [TraceID] = []
        for span in try SpanBatch(bytes).spans where !expected.contains(span.traceID) { expected.append(span.traceID) }
        #expect(!expected.isEmpty)
        #expect(TraceID.all(in: bytes, signal: .traces) == expected)
    }

    @Test func `ids of another length are passed over`() throws {
        #expect(TraceID.all(in: try Fixtures.bytes("payloads/bad_traceid5.pb"), signal: .traces).isEmpty)
    }

    @Test func `a request that breaks off gives the traces before the break`() {
        let spans = [TestSpan(trace: 3), TestSpan(id: 2, trace: 4), TestSpan(id: 3, trace: 3)]
        let bytes = tracesRequest(spans)
        let both = [TraceID(high: 0, low: 3), TraceID(high: 0, low: 4)]
        #expect(TraceID.all(in: bytes, signal: .traces) == both)
        #expect(TraceID.all(in: bytes + [0x0A, 0x7F], signal: .traces) == both)
        for end in bytes.indices { #expect(TraceID.all(in: Array(bytes[..<end]), signal: .traces).isEmpty) }
        #expect(TraceID.all(in: [], signal: .traces).isEmpty)
    }
}
