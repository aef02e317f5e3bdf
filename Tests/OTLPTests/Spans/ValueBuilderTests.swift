import Basics
import Oracle
import SwiftProtobuf
import TestKit
import Testing

@testable import OTLP

@Suite struct ValueBuilderTests {
    /// The value that `build` makes, as swift-protobuf decodes it.
    private func value(_ build: (inout ValueBuilder) -> Void) throws -> AnyValue {
        var batch = try SpanBatch(SpanValidationTests.span([]))
        batch.addAttribute("k", to: .span(0), build)
        let request = try Request(wire: try #require(batch.encoded()).payload)
        return request.resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value
    }

    @Test(arguments: 0..<100)
    func `values come out as they were built`(round: Int) throws {
        var source = RandomRequests(seed: UInt64(round))
        let expected = AnyValue.with { $0.value = source.value(depth: 0) }
        #expect(try value { $0.write(expected) } == expected)
    }

    @Test func `long contents get long lengths`() throws {
        let long = String(repeating: "x", count: 100_000)
        let built = try value {
            let list = $0.beginKeyValueList()
            $0.key("list")
            let array = $0.beginArray()
            $0.string(long)
            $0.end(array)
            $0.end(list)
        }
        #expect(built.kvlistValue.values[0].value.arrayValue.values[0].stringValue == long)
    }

    @Test func `JSON becomes a structured value`() throws {
        let json = Array(#" {"a":[1,-2.5,1e2,true,null,"x\n"],"é\t":{"b":12345678901234567890}} "#.utf8)
        let built = try value {
            let isWritten = $0.json(json.span.bytes, 0..<json.count)
            #expect(isWritten)
        }
        let members = built.kvlistValue.values
        #expect(members.map(\.key) == ["a", "é\t"])
        let elements = members[0].value.arrayValue.values.map(\.value)
        #expect(
            elements == [
                .intValue(1), .doubleValue(-2.5), .doubleValue(100), .boolValue(true), nil, .stringValue("x\n"),
            ]
        )
        #expect(members[1].value.kvlistValue.values[0].value.doubleValue == 12345678901234567168)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\":1}x", String(repeating: "[", count: 32) + String(repeating: "]", count: 32),
    ])
    func `what is no JSON, or nested too deep, leaves nothing`(text: String) throws {
        let json = Array(text.utf8)
        let built = try value {
            let array = $0.beginArray()
            $0.int(1)
            let isWritten = $0.json(json.span.bytes, 0..<json.count)
            #expect(!isWritten)
            $0.int(2)
            $0.end(array)
        }
        #expect(built.arrayValue.values.map(\.intValue) == [1, 2])
    }

    @Test func `a value is copied as it stands`() throws {
        let original = try AnyValue.with { $0.arrayValue.values = [.with { $0.stringValue = "x" }] }.wire
        let built = try value { $0.raw(original.span.bytes, 0..<original.count) }
        #expect(try built.wire == original)
    }
}

@Suite struct KeyTableTests {
    @Test func `every key is found by its bytes and nothing else is`() {
        let keys = (0..<300).map { "gen_ai.key.\($0)" } + ["", "a", "service.name", "é", "gen_ai.key.7"]
        let table = KeyTable(keys)
        #expect(table.count == keys.count)
        for (index, key) in keys.enumerated() {
            let text = Array(("x" + key + "y").utf8)
            let found = table.find(text.span.bytes, 1..<text.count - 1)
            #expect(found == (key == "gen_ai.key.7" ? 7 : index))
        }
        for other in ["b", "gen_ai.key.", "gen_ai.key.300", "gen_ai.kex.10", "service.namf"] {
            let text = Array(other.utf8)
            let found = table.find(text.span.bytes, 0..<text.count)
            #expect(found == nil)
        }
    }
}
