import Basics
import Foundation
import Oracle
import SwiftProtobuf
import TestKit
import Testing

@testable import OTLP

@Suite struct OTLPJSONTests {
    /// What the specification asks for, made from swift-protobuf's JSON: ids in hexadecimal, the rest as in proto3.
    static func expected(_ request: some OracleRequest) throws -> NSDictionary {
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

    private func decode<Message: OracleRequest>(
        _ json: [UInt8],
        as _: Message.Type = Request.self
    ) throws -> (request: Message, deviations: DeviationCounts) {
        var deviations = DeviationCounts()
        let wire = try OTLPJSON.decode(json, signal: Message.signal, deviations: &deviations)
        return (try Message(wire: wire), deviations)
    }

    private func expectBothDirections<Message: OracleRequest>(_ type: Message.Type, _ wire: [UInt8]) throws {
        let request = try Message(wire: wire)
        let expected = try Self.expected(request)
        let encoded = try OTLPJSON.encode(wire, signal: type.signal)
        #expect(try JSONSerialization.jsonObject(with: Data(encoded)) as? NSDictionary == expected)
        #expect(!encoded.contains(UInt8(ascii: "\n")))
        let written = try JSONSerialization.data(withJSONObject: expected)
        let (decoded, deviations) = try decode(Array(written), as: type)
        #expect(decoded == request)
        #expect(deviations.isEmpty)
        #expect(try decode(encoded, as: type).request == request)
    }

    @Test(arguments: SpanIndexTests.bodies)
    func `a real request becomes JSON and comes back`(path: String) throws {
        try expectBothDirections(Request.self, try Fixtures.bytes(path))
    }

    @Test func `a member of a oneof takes the place of what another had`() throws {
        // A value that is the array ["a"], then the text "x", then the array ["b"].
        func field(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag, UInt8(content.count)] + content }
        let arrays = ["a", "b"].map { field(0x2A, field(0x0A, field(0x0A, Array($0.utf8)))) }
        let value = arrays[0] + field(0x0A, Array("x".utf8)) + arrays[1]
        let span = TestSpan().wire + field(0x4A, field(0x0A, Array("key".utf8)) + field(0x12, value))
        let wire = field(0x0A, field(0x12, field(0x12, span)))
        try expectBothDirections(Request.self, wire)
    }

    @Test(arguments: Fixtures.captures(of: .logs))
    func `real log records become JSON and come back`(path: String) throws {
        try expectBothDirections(LogsRequest.self, try Fixtures.bytes(path))
    }

    @Test(arguments: Fixtures.captures(of: .metrics))
    func `real metrics become JSON and come back`(path: String) throws {
        try expectBothDirections(MetricsRequest.self, try Fixtures.bytes(path))
    }

    @Test(arguments: Signal.allCases, 0..<80)
    func `random requests become JSON and come back`(signal: Signal, round: Int) throws {
        try expectBothDirections(signal.oracle, try randomWire(signal, seed: UInt64(7000 + round), isMangled: false))
    }

    @Test(arguments: [Signal.logs, .metrics])
    func `the JSON of real SDKs is read and comes back`(signal: Signal) throws {
        let paths = Fixtures.captures(of: signal, inJSON: true)
        #expect(paths.count > 1)
        for path in paths { try expectReadable(signal.oracle, try Fixtures.bytes(path), path) }
    }

    private func expectReadable<Message: OracleRequest>(_ type: Message.Type, _ json: [UInt8], _ path: String) throws {
        let (request, _) = try decode(json, as: type)
        let wire = try request.wire
        let batch = try SpanBatch(wire, signal: type.signal)
        #expect(batch.itemCount > 0 && batch.removedCount(.invalid) == 0, "\(path)")
        expectAgreement(batch, request)
        try expectBothDirections(type, wire)
    }

    @Test(arguments: Signal.allCases, 0..<60)
    func `whatever the wire form, the JSON is the same`(signal: Signal, round: Int) throws {
        try expectSameJSON(signal.oracle, try randomWire(signal, seed: UInt64(8000 + round)))
    }

    private func expectSameJSON<Message: OracleRequest>(_ type: Message.Type, _ mangled: [UInt8]) throws {
        let expected = try Self.expected(try Message(wire: mangled))
        let encoded = try OTLPJSON.encode(mangled, signal: type.signal)
        #expect(try JSONSerialization.jsonObject(with: Data(encoded)) as? NSDictionary == expected)
    }

    @Test(arguments: [Signal.logs, .metrics], 0..<40)
    func `plain protobuf JSON of other signals is read`(signal: Signal, round: Int) throws {
        try expectPlainRead(signal.oracle, try randomWire(signal, seed: UInt64(9500 + round), isMangled: false))
    }

    private func expectPlainRead<Message: OracleRequest>(_ type: Message.Type, _ wire: [UInt8]) throws {
        let request = try Message(wire: wire)
        for isSnakeCase in [false, true] {
            var options = JSONEncodingOptions()
            options.preserveProtoFieldNames = isSnakeCase
            let (decoded, deviations) = try decode(Array(try request.jsonUTF8Data(options: options)), as: type)
            #expect(decoded == request)
            #expect(request.groups.isEmpty || isSnakeCase == (deviations.snakeCase > 0))
        }
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
