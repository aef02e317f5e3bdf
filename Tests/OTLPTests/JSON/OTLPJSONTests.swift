import Basics
import Foundation
import Oracle
import SwiftProtobuf
import TestKit
import Testing

@testable import OTLP

@Suite struct OTLPJSONTests {
    /// What the specification asks for, made from swift-protobuf's JSON: ids in hexadecimal, the rest as in proto3.
    static func expected(_ request: Request) throws -> NSDictionary {
        var options = JSONEncodingOptions()
        options.alwaysPrintEnumsAsInts = true
        let text = try request.jsonUTF8Data(options: options)
        let object = withHexadecimalIDs(try JSONSerialization.jsonObject(with: text))
        return try #require(object as? NSDictionary)
    }

    private static func withHexadecimalIDs(_ value: Any) -> Any {
        if let list = value as? [Any] { return list.map(withHexadecimalIDs) as NSArray }
        guard let object = value as? [String: Any] else { return value }
        let converted = object.map { key, value -> (String, Any) in
            let isID = ["traceId", "spanId", "parentSpanId"].contains(key)
            guard isID, let text = value as? String, let id = Data(base64Encoded: text) else {
                return (key, withHexadecimalIDs(value))
            }
            return (key, id.hexadecimal)
        }
        return Dictionary(uniqueKeysWithValues: converted) as NSDictionary
    }

    private func decode(_ json: [UInt8]) throws -> (request: Request, deviations: DeviationCounts) {
        var deviations = DeviationCounts()
        let wire = try OTLPJSON.decode(json, signal: .traces, deviations: &deviations)
        return (try Request(wire: wire), deviations)
    }

    private func expectBothDirections(_ request: Request, _ wire: [UInt8]) throws {
        let expected = try Self.expected(request)
        let encoded = try OTLPJSON.encode(wire, signal: .traces)
        #expect(try JSONSerialization.jsonObject(with: Data(encoded)) as? NSDictionary == expected)
        #expect(!encoded.contains(UInt8(ascii: "\n")))
        let (decoded, deviations) = try decode(Array(try JSONSerialization.data(withJSONObject: expected)))
        #expect(decoded == request)
        #expect(deviations.isEmpty)
        #expect(try decode(encoded).request == request)
    }

    @Test(arguments: SpanIndexTests.bodies)
    func `a real request becomes JSON and comes back`(path: String) throws {
        let bytes = try Fixtures.bytes(path)
        try expectBothDirections(try Request(wire: bytes), bytes)
    }

    @Test func `a member of a oneof takes the place of what another had`() throws {
        // A value that is the array ["a"], then the text "x", then the array ["b"].
        func field(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag, UInt8(content.count)] + content }
        let arrays = ["a", "b"].map { field(0x2A, field(0x0A, field(0x0A, Array($0.utf8)))) }
        let value = arrays[0] + field(0x0A, Array("x".utf8)) + arrays[1]
        let span = TestSpan().wire + field(0x4A, field(0x0A, Array("key".utf8)) + field(0x12, value))
        let wire = field(0x0A, field(0x12, field(0x12, span)))
        try expectBothDirections(try Request(wire: wire), wire)
    }

    @Test(arguments: 0..<80)
    func `random requests become JSON and come back`(round: Int) throws {
        var source = RandomRequests(seed: UInt64(7000 + round))
        let request = source.request()
        try expectBothDirections(request, try request.wire)
    }

    @Test(arguments: 0..<60)
    func `whatever the wire form, the JSON is the same`(round: Int) throws {
        let seed = UInt64(8000 + round)
        var source = RandomRequests(seed: seed)
        var mangler = WireMangler(seed: seed)
        let mangled = try mangler.request(try source.request().wire)
        let expected = try Self.expected(try Request(wire: mangled))
        let encoded = try OTLPJSON.encode(mangled, signal: .traces)
        #expect(try JSONSerialization.jsonObject(with: Data(encoded)) as? NSDictionary == expected, "seed \(seed)")
    }

    @Test(arguments: 0..<40)
    func `what plain protobuf JSON writes is read and counted`(round: Int) throws {
        var source = RandomRequests(seed: UInt64(9000 + round))
        let request = source.request()
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        let (decoded, deviations) = try decode(Array(try request.jsonUTF8Data(options: options)))
        #expect(decoded == request)
        let spans = request.resourceSpans.flatMap { $0.scopeSpans }.flatMap { $0.spans }
        let ids = spans.map { 2 + ($0.parentSpanID.isEmpty ? 0 : 1) + 2 * $0.links.count }.reduce(0, +)
        #expect(deviations.base64ID == ids)
        #expect(request.resourceSpans.isEmpty || deviations.snakeCase > 0)
        let named = spans.filter { (1...5).contains($0.kind.rawValue) }.count
        #expect(deviations.enumName >= named)
    }

    @Test func `the captured JSON of the SDK is read without a deviation`() throws {
        for path in Fixtures.jsonTraceCaptures() + ["payloads/small.json", "payloads/large.json"] {
            let (request, deviations) = try decode(try Fixtures.bytes(path))
            #expect(deviations.isEmpty)
            let batch = try SpanBatch(try request.wire)
            #expect(!batch.spans.isEmpty && batch.removedCount(.invalid) == 0)
        }
        #expect(
            try decode(try Fixtures.bytes("payloads/large.json")).request.wire == Fixtures.bytes("payloads/large.pb")
        )
    }

    @Test func `deviations are named`() {
        var deviations = DeviationCounts()
        deviations.enumName = 2
        deviations.snakeCase = 1
        let found = Dictionary(uniqueKeysWithValues: deviations.byName.map { ($0.name, $0.count) })
        #expect(found == ["enum_name": 2, "snake_case": 1])
    }
}
