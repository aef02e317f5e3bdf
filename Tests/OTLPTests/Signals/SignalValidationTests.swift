import Basics
import Foundation
import Oracle
import SwiftProtobuf
import TestKit
import Testing

@testable import OTLP

/// What is wrong in one log record or metric, and what it costs the others.
@Suite struct SignalValidationTests {
    typealias LogRow = (name: String, flaw: SpanFlaw?, change: @Sendable (inout LogRecord) -> Void)
    typealias MetricRow = (name: String, flaw: SpanFlaw?, change: @Sendable (inout Metric) -> Void)

    static let logRows: [LogRow] = [
        ("trace id of 5 bytes", .optionalTraceIDLength, { $0.traceID = Data([1, 2, 3, 4, 5]) }),
        ("span id of 16 bytes", .optionalSpanIDLength, { $0.spanID = Data(repeating: 1, count: 16) }),
        ("33 values in the body", .nesting, { $0.body = SpanValidationTests.nested(33) }),
        (
            "33 values in an attribute", .nesting,
            { $0.attributes = [.with { $0.value = SpanValidationTests.nested(33) }] }
        ),
        ("no ids", nil, { ($0.traceID, $0.spanID) = (Data(), Data()) }),
        (
            "ids of zeros", nil,
            { ($0.traceID, $0.spanID) = (Data(repeating: 0, count: 16), Data(repeating: 0, count: 8)) }
        ),
        ("32 values in the body", nil, { $0.body = SpanValidationTests.nested(32) }),
    ]

    static let metricRows: [MetricRow] = [
        (
            "an exemplar's trace id of 5 bytes", .optionalTraceIDLength,
            { $0.gauge.dataPoints = [.with { $0.exemplars = [.with { $0.traceID = Data([1, 2, 3, 4, 5]) }] }] }
        ),
        (
            "an exemplar's span id of 9 bytes", .optionalSpanIDLength,
            {
                $0.histogram.dataPoints = [
                    .with { $0.exemplars = [.with { $0.spanID = Data(repeating: 1, count: 9) }] }
                ]
            }
        ),
        (
            "33 values in a data point", .nesting,
            { $0.sum.dataPoints = [.with { $0.attributes = [.with { $0.value = SpanValidationTests.nested(33) }] }] }
        ),
        (
            "33 values in an exemplar", .nesting,
            {
                $0.exponentialHistogram.dataPoints = [
                    .with {
                        $0.exemplars = [
                            .with { $0.filteredAttributes = [.with { $0.value = SpanValidationTests.nested(33) }] }
                        ]
                    }
                ]
            }
        ),
        (
            "33 values in its metadata", .nesting,
            { $0.metadata = [.with { $0.value = SpanValidationTests.nested(33) }] }
        ),
        ("an exemplar without ids", nil, { $0.gauge.dataPoints = [.with { $0.exemplars = [.init()] }] }),
        ("no data", nil, { $0.data = nil }),
    ]

    @Test(arguments: logRows.indices)
    func `a flaw in one log record leaves the others`(row: Int) throws {
        var source = RandomRequests(seed: 9)
        var records = (0..<3).map { _ in source.logRecord() }
        Self.logRows[row].change(&records[1])
        let request = LogsRequest.with { $0.groups = [.with { $0.groups = [.with { $0.units = records }] }] }
        try expect(Self.logRows[row].flaw, request, Self.logRows[row].name)
    }

    @Test(arguments: metricRows.indices)
    func `a flaw in one metric leaves the others`(row: Int) throws {
        var metrics = (0..<3).map { index in
            Metric.with { $0.gauge.dataPoints = .init(repeating: .init(), count: index + 1) }
        }
        Self.metricRows[row].change(&metrics[1])
        let request = MetricsRequest.with { $0.groups = [.with { $0.groups = [.with { $0.units = metrics }] }] }
        try expect(Self.metricRows[row].flaw, request, Self.metricRows[row].name)
    }

    private func expect<Message: OracleRequest>(_ flaw: SpanFlaw?, _ request: Message, _ name: String) throws {
        let batch = try Envelope(try request.wire, signal: Message.signal)
        #expect((0..<3).map { batch.unit($0).flaw } == [nil, flaw, nil], "\(name)")
        #expect(batch.removedCount(.invalid) == (flaw == nil ? 0 : request.units[1].items), "\(name)")
        var expected = request
        if flaw != nil { expected.groups[0].groups[0].units.remove(at: 1) }
        let encoded = try #require(batch.encoded())
        #expect(try Message(wire: encoded.payload) == expected, "\(name)")
        #expect(encoded.items == expected.items && batch.keptCount == expected.items, "\(name)")
    }

    /// A unit of those bytes, and one that is valid.
    private func request(_ unit: [UInt8], valid: [UInt8]) -> [UInt8] {
        let wrap = SpanValidationTests.wrap
        return wrap(0x0A, wrap(0x12, wrap(0x12, unit) + wrap(0x12, valid)))
    }

    @Test(
        arguments: [
            // The time as a varint, a text that is no UTF-8, a body of another type, flags as a varint.
            ([0x08, 1], SpanFlaw.wireType), ([0x1A, 1, 0xFF], .text), ([0x28, 1], .wireType), ([0x40, 1], .wireType),
            ([0x2A, 3, 0x0A, 1, 0xFF], .text), ([0x62, 1, 0xFF], .text), ([0x48, 1], .wireType),
        ] as [([UInt8], SpanFlaw)]
    )
    func `fields of log records have the type that OTLP gives them`(unit: [UInt8], flaw: SpanFlaw) throws {
        let batch = try Envelope(request(unit, valid: []), signal: .logs)
        #expect((0..<2).map { batch.unit($0).flaw } == [flaw, nil])
    }

    @Test(
        arguments: [
            ([0x0A, 1, 0xFF], SpanFlaw.text), ([0x28, 1], .wireType), ([0x60, 1], .wireType),
            // In a gauge: a data point as a number, or one whose time is a varint, whose exemplar is a number.
            ([0x2A, 2, 0x08, 1], .wireType), ([0x2A, 4, 0x0A, 2, 0x10, 1], .wireType),
            ([0x2A, 4, 0x0A, 2, 0x28, 1], .wireType),
            // In a sum: the temporality as a text; in a histogram: a bucket as a varint.
            ([0x3A, 3, 0x12, 1, 0x31], .wireType), ([0x4A, 4, 0x0A, 2, 0x30, 1], .wireType),
        ] as [([UInt8], SpanFlaw)]
    )
    func `fields of metrics have the type that OTLP gives them`(unit: [UInt8], flaw: SpanFlaw) throws {
        let batch = try Envelope(request(unit, valid: [0x2A, 2, 0x0A, 0]), signal: .metrics)
        #expect((0..<2).map { batch.unit($0).flaw } == [flaw, nil])
        #expect(batch.keptCount == 1)
    }

    @Test(
        arguments: [
            // Field 4 of a log record and 4, 6 and 8 of a metric are reserved; others are of later versions.
            (Signal.logs, [0x20, 1]), (.logs, [0xA2, 0x06, 1, 0xFF]), (.metrics, [0x20, 1]),
            (.metrics, [0x32, 1, 0xFF]),
            (.metrics, [0x42, 0]), (.metrics, [0xA0, 0x06, 1]), (.metrics, [0x2A, 5, 0x0A, 3, 0x0A, 1, 0xFF]),
        ] as [(Signal, [UInt8])]
    )
    func `fields that OTLP reserves or does not know yet are kept`(signal: Signal, unit: [UInt8]) throws {
        let bytes = request(unit, valid: signal == .logs ? [] : [0x2A, 2, 0x0A, 0])
        #expect(try Envelope(bytes, signal: signal).encoded()?.payload == bytes)
    }

    @Test(
        arguments: [
            // A bucket count that ends inside, packed; one of an exponential histogram that does.
            [0x4A, 5, 0x0A, 3, 0x32, 1, 0], [0x52, 7, 0x0A, 5, 0x42, 3, 0x12, 1, 0x80],
        ] as [[UInt8]]
    )
    func `packed numbers that break off are refused`(unit: [UInt8]) {
        #expect(throws: WireError.self) { try Envelope(request(unit, valid: []), signal: .metrics) }
        #expect(throws: (any Error).self) { try MetricsRequest(wire: request(unit, valid: [])) }
    }

    @Test(arguments: [(Signal.logs, "log records"), (.metrics, "metrics"), (.traces, "spans")])
    func `limits hold for every signal`(signal: Signal, name: String) throws {
        let bytes = request([], valid: [])
        let tooMany = WireError.overLimit("more than 1 \(name) in one request")
        #expect(throws: tooMany) { try Envelope(bytes, signal: signal, limits: WireLimits(unitsMax: 1)) }
        let index = try Envelope(bytes, signal: signal).indexBytes
        _ = try Envelope(bytes, signal: signal, limits: WireLimits(indexBytesMax: index))
        #expect(throws: WireError.self) {
            try Envelope(bytes, signal: signal, limits: WireLimits(indexBytesMax: index - 1))
        }
    }

    @Test func `a flaw of a scope or resource is one of all its units`() throws {
        let wrap = SpanValidationTests.wrap
        let flawed = wrap(0x0A, [0x0A, 1, 0xFF])
        let bytes = wrap(0x0A, wrap(0x12, flawed + wrap(0x12, [])) + wrap(0x12, wrap(0x12, [])))
        let batch = try Envelope(bytes, signal: .logs)
        #expect((0..<2).map { batch.unit($0).flaw } == [.scope, nil])
    }
}
