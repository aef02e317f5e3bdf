import Basics
import Foundation
import Oracle
import SwiftProtobuf
import TestKit
import Testing

@testable import OTLP

@Suite struct SpanValidationTests {
    typealias Row = (name: String, flaw: SpanFlaw, change: @Sendable (inout Span) -> Void)

    static func nested(_ depth: Int) -> AnyValue {
        (1..<depth).reduce(into: AnyValue.with { $0.stringValue = "deep" }) { value, _ in
            let inner = value
            value = .with { $0.arrayValue.values = [inner] }
        }
    }

    static let rows: [Row] = [
        ("trace id of 5 bytes", .traceIDLength, { $0.traceID = .init([1, 2, 3, 4, 5]) }),
        ("trace id missing", .traceIDLength, { $0.traceID = .init() }),
        ("trace id all zero", .traceIDZero, { $0.traceID = .init(repeating: 0, count: 16) }),
        ("span id of 16 bytes", .spanIDLength, { $0.spanID = .init(repeating: 1, count: 16) }),
        ("span id missing", .spanIDLength, { $0.spanID = .init() }),
        ("span id all zero", .spanIDZero, { $0.spanID = .init(repeating: 0, count: 8) }),
        ("parent id of 7 bytes", .parentIDLength, { $0.parentSpanID = .init(repeating: 1, count: 7) }),
        ("link without trace id", .linkTraceID, { $0.links = [.with { $0.spanID = .init(repeating: 1, count: 8) }] }),
        ("link without span id", .linkSpanID, { $0.links = [.with { $0.traceID = .init(repeating: 1, count: 16) }] }),
        ("33 values inside values", .nesting, { $0.attributes = [.with { $0.value = nested(33) }] }),
        (
            "33 values in an event", .nesting,
            { $0.events = [.with { $0.attributes = [.with { $0.value = nested(33) }] }] }
        ),
    ]

    /// Three spans, the one in the middle changed.
    static func request(_ change: (inout Span) -> Void) -> Request {
        var source = RandomRequests(seed: 9)
        var spans = (0..<3).map { _ in source.span() }
        change(&spans[1])
        return .with { $0.resourceSpans = [.with { $0.scopeSpans = [.with { $0.spans = spans }] }] }
    }

    @Test(arguments: rows.indices)
    func `a flaw in one span leaves the others`(row: Int) throws {
        let request = Self.request(Self.rows[row].change)
        let batch = try SpanBatch(try request.wire)
        #expect(batch.spans.map(\.flaw) == [nil, Self.rows[row].flaw, nil], "\(Self.rows[row].name)")
        #expect(batch.removal(of: 1) == .invalid)
        #expect(batch.removedCount(.invalid) == 1)
        let encoded = try #require(batch.encoded())
        var expected = request
        expected.resourceSpans[0].scopeSpans[0].spans.remove(at: 1)
        #expect(try Request(wire: encoded.payload) == expected)
    }

    @Test func `32 values inside values and a parent of zeros are fine`() throws {
        let request = Self.request {
            $0.attributes = [.with { $0.value = Self.nested(32) }]
            $0.parentSpanID = .init(repeating: 0, count: 8)
        }
        let batch = try SpanBatch(try request.wire)
        #expect(batch.spans.map(\.flaw) == [nil, nil, nil])
        #expect(batch.spans[1].parentID == nil)
    }

    /// Raw bytes behind the fields of a valid span.
    static func span(_ extra: [UInt8]) -> [UInt8] {
        let ids = [0x0A, 16] + [UInt8](repeating: 7, count: 16) + [0x12, 8] + [UInt8](repeating: 7, count: 8)
        return wrap(0x0A, wrap(0x12, wrap(0x12, ids + extra) + wrap(0x12, ids)))
    }

    static func wrap(_ tag: UInt8, _ body: [UInt8]) -> [UInt8] {
        var bytes = [tag]
        bytes.appendVarint(body.count)
        return bytes + body
    }

    @Test(arguments: [
        ([0x2A, 2, 0xC3, 0x28], SpanFlaw.text), ([0x1A, 1, 0xFF], .text), ([0x7A, 3, 0x12, 1, 0x80], .text),
        ([0x4A, 3, 0x0A, 1, 0xFE], .text), ([0x4A, 5, 0x12, 3, 0x0A, 1, 0xFE], .text),
        ([0x5A, 3, 0x12, 1, 0xFE], .text), ([0x4A, 6, 0x12, 4, 0x2A, 2, 0x08, 1], .wireType),
        ([0x28, 1], .wireType), ([0x48, 1], .wireType), ([0x78, 1], .wireType), ([0x3A, 0], .wireType),
        ([0x4A, 2, 0x10, 1], .wireType), ([0x4A, 4, 0x12, 2, 0x08, 1], .wireType),
    ])
    func `text that is not UTF-8 and wrong types spoil one span`(extra: [UInt8], flaw: SpanFlaw) throws {
        let batch = try SpanBatch(Self.span(extra))
        #expect(batch.spans.map(\.flaw) == [flaw, nil])
    }

    @Test func `a flaw in a resource or scope spoils its spans only`() throws {
        let good = Self.span([])
        let badName: [UInt8] = [0x0A, 3, 0x0A, 1, 0xFF]
        let ids = [0x0A, 16] + [UInt8](repeating: 7, count: 16) + [0x12, 8] + [UInt8](repeating: 7, count: 8)
        let badScope = Self.wrap(0x0A, Self.wrap(0x12, badName + Self.wrap(0x12, ids)))
        let badResource = Self.wrap(0x0A, Self.wrap(0x12, Self.wrap(0x12, ids)) + [0x0A, 4, 0x0A, 2, 0x08, 1])
        let emptyResource = Self.wrap(0x0A, [0x1A, 1, 0xFF])
        let batch = try SpanBatch(badScope + good + badResource + emptyResource)
        #expect(batch.spans.map(\.flaw) == [.scope, nil, nil, .resource])
        #expect(batch.encoded()?.payload == good)
        #expect(try SpanBatch(emptyResource + good).encoded()?.payload == good)
    }

    static let brokenFrames: [(bytes: [UInt8], reason: String)] = [
        ([0x0A], "ends inside"), ([0x0A, 5, 0], "longer than its message"), ([0x08, 1], "another type"),
        ([0x0A, 2, 0x10, 1], "another type"), ([0x0B], "group"), ([0x0A, 1, 0x0C], "group"), ([0x0E], "wire type 6"),
        ([0x02, 0], "number 0"), ([0x0A, 0x80], "ends inside"), ([0xFF, 0xFF, 0xFF, 0xFF, 0x7F], "over 536870911"),
        ([UInt8](repeating: 0xFF, count: 11), "ten bytes"), ([0x99, 0x3F, 1, 2, 3], "ends inside"),
    ]

    @Test(arguments: brokenFrames)
    func `broken frames are refused and named`(bytes: [UInt8], reason: String) throws {
        let error = #expect(throws: WireError.self) { try SpanBatch(bytes) }
        guard case .malformed(let offset, let text) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains(reason))
        #expect((0...bytes.count).contains(offset))
    }

    @Test
    func `a tag or length of over five bytes is refused, since a decoder of protobuf may refuse the whole request`()
        throws
    {
        // Field 17, which OTLP does not have, around nothing.
        let fields: [(bytes: [UInt8], isRead: Bool)] = [
            ([0x8A, 0x81, 0x80, 0x80, 0x00, 0], true), ([0x8A, 0x81, 0x80, 0x80, 0x80, 0x00, 0], false),
            ([0x8A, 0x01, 0x80, 0x80, 0x80, 0x80, 0x00], true),
            ([0x8A, 0x01, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], false),
            // Field 16, the flags of a span, in six bytes.
            ([0x85, 0x81, 0x80, 0x80, 0x80, 0x00, 0, 0, 0, 0], false),
        ]
        for (field, isRead) in fields {
            for bytes in [field, Self.span(field)] {
                #expect(((try? SpanBatch(bytes)) != nil) == isRead, "\(bytes)")
                #expect(((try? SpanBatch(framesOf: bytes)) != nil) == isRead, "\(bytes)")
                if isRead { _ = try Request(wire: bytes) }
            }
        }
    }

    @Test func `a broken frame inside a span is refused as a whole`() {
        #expect(throws: WireError.self) { try SpanBatch(Self.span([0x4A, 9, 0])) }
        #expect(throws: WireError.self) { try SpanBatch(Self.span([0x4B])) }
    }

    @Test func `hostile payloads are refused or flagged`() throws {
        #expect(throws: WireError.self) { try SpanBatch(try Fixtures.bytes("payloads/bad_truncated.pb")) }
        #expect(throws: WireError.self) { try SpanBatch(try Fixtures.bytes("payloads/bad_garbage.pb")) }
        #expect(try SpanBatch(try Fixtures.bytes("payloads/bad_traceid5.pb")).spans[0].flaw == .traceIDLength)
        #expect(try SpanBatch(try Fixtures.bytes("payloads/bad_traceid0.pb")).spans[0].flaw == .traceIDZero)
    }

    @Test func `limits are kept`() throws {
        let bytes = try Fixtures.bytes("payloads/small.pb")
        #expect(throws: WireError.overLimit("more than 9 spans in one request")) {
            try SpanBatch(bytes, limits: WireLimits(unitsMax: 9))
        }
        #expect(try SpanBatch(bytes, limits: WireLimits(unitsMax: 10)).spans.count == 10)
        let tiny = [UInt8](repeating: 0, count: 200_000).enumerated().map { $0.offset % 2 == 0 ? UInt8(0x0A) : 0 }
        #expect(throws: WireError.overLimit("more fields in one request than can be indexed")) {
            try SpanBatch(tiny, limits: WireLimits(indexBytesMax: 1 << 20))
        }
    }

    @Test func `every flaw says what it is`() {
        #expect(Set(SpanFlaw.allCases.map(\.description)).count == SpanFlaw.allCases.count)
    }
}
