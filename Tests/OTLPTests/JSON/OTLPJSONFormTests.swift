import Basics
import Foundation
import Oracle
import TestKit
import Testing

@testable import OTLP

@Suite struct OTLPJSONFormTests {
    private static let ids = #""traceId":"5b8efff798038103d269b633813fc60c","spanId":"EEE19B7EC3C1B174""#

    private func request(_ members: String) throws -> Request {
        var deviations = DeviationCounts()
        let json = #"{"resourceSpans":[{"scopeSpans":[{"spans":[{\#(Self.ids)\#(members)}]}]}]}"#
        let wire = try OTLPJSON.decode(Array(json.utf8), signal: .traces, deviations: &deviations)
        return try Request(wire: wire)
    }

    private func span(_ members: String) throws -> Span {
        try request("," + members).resourceSpans[0].scopeSpans[0].spans[0]
    }

    private func value(_ json: String) throws -> AnyValue.OneOf_Value? {
        try span(#""attributes":[{"key":"k","value":\#(json)}]"#).attributes[0].value.value
    }

    @Test(arguments: [
        (#"{"intValue":"-5"}"#, AnyValue.OneOf_Value.intValue(-5)), (#"{"intValue":7}"#, .intValue(7)),
        (#"{"intValue":1e3}"#, .intValue(1000)), (#"{"intValue":"9223372036854775807"}"#, .intValue(.max)),
        (#"{"intValue":"-9223372036854775808"}"#, .intValue(.min)), (#"{"intValue":0}"#, .intValue(0)),
        (#"{"doubleValue":"Infinity"}"#, .doubleValue(.infinity)), (#"{"doubleValue":"1.5"}"#, .doubleValue(1.5)),
        (#"{"doubleValue":"-Infinity"}"#, .doubleValue(-.infinity)), (#"{"doubleValue":3}"#, .doubleValue(3)),
        (#"{"boolValue":false}"#, .boolValue(false)), (#"{"stringValue":""}"#, .stringValue("")),
        (#"{"bytesValue":"+/8="}"#, .bytesValue(Data([0xFB, 0xFF]))), (#"{"bytesValue":""}"#, .bytesValue(Data())),
        (#"{"bytesValue":"-_8"}"#, .bytesValue(Data([0xFB, 0xFF]))), (#"{"string_value":"x"}"#, .stringValue("x")),
        (#"{"stringValue":"\ud83d\ude00\n"}"#, .stringValue("😀\n")),
        (#"{"unknown":{"a":[1]},"intValue":1}"#, .intValue(1)), (#"{"intValue":5.0}"#, .intValue(5)),
        (#"{"intValue":1e+21}"#, .doubleValue(1e21)), (#"{"intValue":"0.5"}"#, .doubleValue(0.5)),
        (#"{"intValue":9223372036854776000}"#, .doubleValue(9.223372036854776e18)),
        (#"{"intValue":"-9223372036854775809"}"#, .doubleValue(-0x1p63)),
        (#"{"int_value":2.5}"#, .doubleValue(2.5)),
    ])
    func `values are read in every form`(json: String, expected: AnyValue.OneOf_Value) throws {
        #expect(try value(json) == expected)
    }

    @Test func `NaN is read and written`() throws {
        guard case .doubleValue(let double)? = try value(#"{"doubleValue":"NaN"}"#) else {
            Issue.record("no double")
            return
        }
        #expect(double.isNaN)
        let wire = try request(#","attributes":[{"key":"k","value":{"doubleValue":"NaN"}}]"#).wire
        let text = String(decoding: try OTLPJSON.encode(wire, signal: .traces), as: UTF8.self)
        #expect(text.contains(#"{"doubleValue":"NaN"}"#))
    }

    @Test func `null is absent, empty values and unknown members are fine`() throws {
        let span = try span(
            #""name":null,"kind":null,"attributes":null,"status":null,"nothing":null,"links":[],"flags":"3","extra":[[{}]]"#
        )
        #expect(span.name.isEmpty && span.attributes.isEmpty && !span.hasStatus && span.flags == 3)
        #expect(try value("{}") == nil)
        #expect(try value("null") == nil)
        #expect(try value(#"{"arrayValue":{}}"#) == .arrayValue(.init()))
        guard case .arrayValue(let array)? = try value(#"{"arrayValue":{"values":[null,{"intValue":1}]}}"#) else {
            Issue.record("no array")
            return
        }
        #expect(array.values.map(\.value) == [nil, .intValue(1)])
    }

    @Test(arguments: [
        (#""traceId":"0102zz""#, SpanFlaw.traceIDLength),
        (#""traceId":"5b8efff798038103d269b633813fc60z""#, .traceIDLength),
        (#""spanId":"eee19b7ec3c1b17""#, .spanIDLength), (#""parentSpanId":"zz""#, .parentIDLength),
        (#""parentSpanId":"0102""#, .parentIDLength),
        (#""links":[{"traceId":"zz","spanId":"eee19b7ec3c1b174"}]"#, .linkTraceID),
        (#""name":5"#, .wireType), (#""kind":"SPAN_KIND_ODD""#, .wireType), (#""attributes":{"a":1}"#, .wireType),
        (#""startTimeUnixNano":"-1""#, .wireType), (#""startTimeUnixNano":1.5"#, .wireType),
        (#""traceId":7"#, .wireType),
        (#""attributes":[{"key":"k","value":{"intValue":"ten"}}]"#, .wireType),
        (#""attributes":[{"key":"k","value":{"intValue":"NaN"}}]"#, .wireType),
        (#""attributes":[{"key":"k","value":{"intValue":1e999}}]"#, .wireType),
        (#""attributes":[{"key":"k","value":{"boolValue":"true"}}]"#, .wireType), (#""status":[]"#, .wireType),
        (#""attributes":[{"key":"k","value":{"bytesValue":"a"}}]"#, .wireType), (#""flags":4294967296"#, .wireType),
        (#""events":[{"attributes":[3]}]"#, .wireType),
        (#""attributes":[{"key":"k","value":{"doubleValue":"0x1p3"}}]"#, .wireType),
    ])
    func `what is wrong in one span spoils only that`(members: String, flaw: SpanFlaw) throws {
        var deviations = DeviationCounts()
        let spans = #"{\#(Self.ids),"links":[]},{\#(Self.ids),\#(members)}"#
        let json = #"{"resourceSpans":[{"scopeSpans":[{"spans":[\#(spans)]}]}]}"#
        let wire = try OTLPJSON.decode(Array(json.utf8), signal: .traces, deviations: &deviations)
        #expect(try SpanBatch(wire).spans.map(\.flaw) == [nil, flaw])
    }

    @Test func `the payload with a bad id is not taken`() throws {
        var deviations = DeviationCounts()
        let json = try Fixtures.bytes("payloads/bad_traceid.json")
        let wire = try OTLPJSON.decode(json, signal: .traces, deviations: &deviations)
        #expect(try SpanBatch(wire).spans.map(\.flaw) == [.traceIDLength])
    }

    @Test(arguments: [
        ("", 0), ("[]", 0), ("{", 1), (#"{"resourceSpans":5}"#, 17), (#"{"resourceSpans":[1]}"#, 18), ("{} x", 3),
        (#"{"spans":[]}"#, 2), (#"{"resourceSpans":[{"scopeSpans":{}}]}"#, 32), (#"{"resourceSpans":[}"#, 18),
        ("\u{0A}\u{00}", 1),
    ])
    func `what is no such JSON is refused where it breaks`(json: String, offset: Int) {
        var deviations = DeviationCounts()
        let error = #expect(throws: WireError.self) {
            try OTLPJSON.decode(Array(json.utf8), signal: .traces, deviations: &deviations)
        }
        guard case .malformed(offset, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: [
        (#"{"resourceLogs":[]}"#, "resourceLogs, which goes to the path of logs, /v1/logs by default"),
        (#"{"resource_metrics":[]}"#, "resource_metrics, which goes to the path of metrics, /v1/metrics by default"),
        (#"{"batch":[],"spans":[]}"#, "batch"),
    ])
    func `an object without a known member is refused, with the path that it belongs to`(json: String, found: String) {
        var deviations = DeviationCounts()
        #expect(throws: WireError.malformed(offset: 2, reason: "expected resourceSpans, found \(found)")) {
            try OTLPJSON.decode(Array(json.utf8), signal: .traces, deviations: &deviations)
        }
    }

    @Test func `an empty request, and one with more than is known, are fine`() throws {
        var deviations = DeviationCounts()
        for json in ["{}", #"{"resourceSpans":null,"more":1}"#, #"{"resource_spans":[],"resourceLogs":[]}"#] {
            #expect(try OTLPJSON.decode(Array(json.utf8), signal: .traces, deviations: &deviations) == [])
        }
    }

    @Test func `protobuf sent as JSON is refused`() throws {
        var deviations = DeviationCounts()
        let bytes = try Fixtures.bytes("payloads/small.pb")
        #expect(throws: WireError.self) { try OTLPJSON.decode(bytes, signal: .traces, deviations: &deviations) }
    }

    @Test(arguments: [31, 32, 33, 60])
    func `nesting is limited as in wire form`(depth: Int) throws {
        let value = String(repeating: #"{"kvlistValue":{"values":[{"key":"k","value":"#, count: depth - 1)
        let json = value + "{}" + String(repeating: "}]}}", count: depth - 1)
        var deviations = DeviationCounts()
        let spans = #"{\#(Self.ids),"attributes":[{"key":"k","value":\#(json)}]},{\#(Self.ids)}"#
        let body = Array(#"{"resourceSpans":[{"scopeSpans":[{"spans":[\#(spans)]}]}]}"#.utf8)
        let batch = try SpanBatch(try OTLPJSON.decode(body, signal: .traces, deviations: &deviations))
        #expect(batch.spans.map(\.flaw) == [depth > 32 ? .nesting : nil, nil])
    }

    @Test func `nesting beyond every limit is refused`() {
        let value = String(repeating: #"{"arrayValue":{"values":["#, count: 5000)
        let body = #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":"# + value
        var deviations = DeviationCounts()
        #expect(throws: WireError.self) {
            try OTLPJSON.decode(Array(body.utf8), signal: .traces, deviations: &deviations)
        }
    }

    @Test func `damaged JSON neither crashes nor hangs`() throws {
        let original = Array(try Fixtures.bytes("payloads/small.json").prefix(6000))
        for seed in UInt64(0)..<600 {
            var random = SeededGenerator(seed: seed)
            var bytes = original
            for _ in 0...random.below(5) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            var deviations = DeviationCounts()
            let wire = try? OTLPJSON.decode(bytes, signal: .traces, deviations: &deviations)
            if let wire { _ = try SpanBatch(wire) }
        }
    }
}
