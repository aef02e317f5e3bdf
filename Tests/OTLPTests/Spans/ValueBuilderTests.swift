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

/// Texts of the body that are copied only when the request is written.
struct ByteQuoteTests {
    private static let sizes = [0, 1, 100, 127, 128, 250, 255, 256, 257, 300, 1000, 16_000, 16_383, 16_384, 40_000]

    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 6])
    func `what is taken from the body comes out as if it were copied`(seed: UInt64) throws {
        for round in 0..<60 {
            var generator = SeededGenerator(seed: seed &+ UInt64(round))
            let spans = (1...4 as ClosedRange<UInt64>).map { id in
                let size = Self.sizes.randomElement(using: &generator) ?? 0
                return TestSpan(
                    "span",
                    id: id,
                    ["text": .string(String(repeating: "\(id)", count: size)), "other": "x"]
                )
            }
            let batch = try SpanBatch(tracesRequest(spans))
            var quoted = batch
            var copied = batch
            var same = generator
            edit(&quoted, &generator, isQuoting: true)
            edit(&copied, &same, isQuoting: false)
            let found = try #require(quoted.encoded()?.payload)
            #expect(found == copied.encoded()?.payload, "seed \(seed), round \(round)")
            #expect(try SpanBatch(found).spans.count == 4)
        }
    }

    @Test func `what is forgotten leaves no quote`() throws {
        let span = TestSpan("span", ["text": .string(String(repeating: "a", count: 300))])
        var batch = try SpanBatch(tracesRequest([span]))
        let body = batch.bytes
        let range = batch.attributes[batch.spans[0].attributes.lowerBound].value
        batch.addAttribute("k", to: .span(0)) { builder in
            let start = builder.checkpoint
            builder.raw(ofBody: body.span.bytes, range)
            builder.restore(start)
            builder.bool(true)
        }
        let written = try SpanBatch(try #require(batch.encoded()?.payload))
        #expect(written.value(of: written.spans[0].attributes.upperBound - 1) == .bool(true))
    }

    /// Adds attributes to random places, with texts inside of lists whose lengths take more bytes than was left for them.
    private func edit(_ batch: inout SpanBatch, _ generator: inout SeededGenerator, isQuoting: Bool) {
        let body = batch.bytes
        for _ in 0..<12 {
            let span = Int.random(in: 0..<4, using: &generator)
            let place = Bool.random(using: &generator) ? Place.span(span) : .resource(0)
            let expected = Self.sizes.randomElement(using: &generator) ?? 0
            let values = (0..<3).map { _ in
                batch.attributes[batch.spans[Int.random(in: 0..<4, using: &generator)].attributes.lowerBound].value
            }
            if Int.random(in: 0..<4, using: &generator) == 0 {
                batch.removeAttribute(batch.spans[span].attributes.upperBound - 1)
            }
            batch.addAttribute("k", to: place, expecting: expected) { builder in
                let list = builder.beginKeyValueList()
                for value in values {
                    if Bool.random(using: &generator) { builder.expect(bytes: expected) }
                    builder.key("member")
                    let array = builder.beginArray()
                    write(value, body, to: &builder, isRaw: Bool.random(using: &generator), isQuoting: isQuoting)
                    builder.int(7)
                    builder.end(array)
                }
                builder.end(list)
            }
        }
    }

    private func write(
        _ value: Range<Int>,
        _ body: [UInt8],
        to builder: inout ValueBuilder,
        isRaw: Bool,
        isQuoting: Bool
    ) {
        let bytes = body.span.bytes
        guard case .string(let text) = AttributeValue(value, in: bytes) else { return }
        switch (isRaw, isQuoting) {
        case (true, true): builder.raw(ofBody: bytes, value)
        case (true, false): builder.raw(bytes, value)
        case (false, true): builder.string(ofBody: bytes, text)
        case (false, false): builder.string(bytes, text)
        }
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
