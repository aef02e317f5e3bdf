import Oracle
import TestKit
import Testing

@testable import OTLP

@Suite struct SpanIndexTests {
    static let bodies = Fixtures.traceCaptures() + ["payloads/small.pb", "payloads/large.pb"]

    @Test(arguments: bodies)
    func `a real request reads as swift-protobuf reads it`(path: String) throws {
        let bytes = try Fixtures.bytes(path)
        expectAgreement(try SpanBatch(bytes), try Request(wire: bytes))
    }

    @Test(arguments: bodies)
    func `what is not touched is the same bytes`(path: String) throws {
        let bytes = try Fixtures.bytes(path)
        #expect(try SpanBatch(bytes).encoded()?.payload == bytes)
    }

    @Test(arguments: 0..<40)
    func `random requests read as swift-protobuf reads them`(round: Int) throws {
        var source = RandomRequests(seed: UInt64(1000 + round))
        let request = source.request()
        expectAgreement(try SpanBatch(try request.wire), request)
    }

    @Test func `there are captures to read`() {
        #expect(Self.bodies.count > 20)
    }
}
