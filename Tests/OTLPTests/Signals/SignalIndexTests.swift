import Basics
import Oracle
import SwiftProtobuf
import TestKit
import Testing

@testable import OTLP

/// The index of log records and metrics, and what it shares with that of spans.
@Suite struct SignalIndexTests {
    @Test(arguments: Fixtures.captures(of: .logs))
    func `a real request of log records reads as swift-protobuf reads it`(path: String) throws {
        try expectIndexed(LogsRequest.self, try Fixtures.bytes(path))
    }

    @Test(arguments: Fixtures.captures(of: .metrics))
    func `a real request of metrics reads as swift-protobuf reads it`(path: String) throws {
        try expectIndexed(MetricsRequest.self, try Fixtures.bytes(path))
    }

    @Test(arguments: Signal.allCases, 0..<100)
    func `everything that protobuf allows reads the same`(signal: Signal, round: Int) throws {
        try expectIndexed(signal.oracle, try randomWire(signal, seed: UInt64(20_000 + round)))
    }

    private func expectIndexed<Message: OracleRequest>(_ type: Message.Type, _ bytes: [UInt8]) throws {
        let batch = try Envelope(bytes, signal: type.signal)
        let request = try Message(wire: bytes)
        expectAgreement(batch, request)
        #expect(batch.encoded()?.payload == (request.items == 0 ? nil : bytes))
        #expect(batch.encoded()?.items ?? 0 == request.items)
        let frames = try Envelope(framesOf: bytes, signal: type.signal)
        #expect(frames.unitCount == batch.unitCount)
        for index in 0..<batch.unitCount {
            let (unit, frame) = (batch.unit(index), frames.unit(index))
            #expect(frame.traceID == unit.traceID && frame.spanID == unit.spanID)
            #expect(frame.items == unit.items && frame.frame == unit.frame && frame.scope == unit.scope)
        }
    }

    @Test func `there are captures to read`() {
        #expect(Fixtures.captures(of: .logs).count > 10 && Fixtures.captures(of: .metrics).count > 10)
    }

    @Test(arguments: Signal.allCases, 0..<30)
    func `requests merge by concatenation`(signal: Signal, round: Int) throws {
        let parts = try (0..<3).map { try randomWire(signal, seed: UInt64(21_000 + round * 3 + $0)) }
        let batches = try parts.map { try Envelope($0, signal: signal) }
        let merged = try Envelope(parts.flatMap { $0 }, signal: signal)
        #expect(merged.itemCount == batches.reduce(0) { $0 + $1.itemCount })
        #expect(merged.unitCount == batches.reduce(0) { $0 + $1.unitCount })
        #expect(merged.attributes.count == batches.reduce(0) { $0 + $1.attributes.count })
    }

    @Test func `of several kinds of data in one metric the last one counts, with all its parts`() throws {
        let gauge = try Metric.with { $0.gauge.dataPoints = [.init(), .init()] }.wire
        let sum = try Metric.with { $0.sum.dataPoints = [.init()] }.wire
        for (data, count) in [
            ([gauge, gauge], 4), ([gauge, sum], 1), ([gauge, sum, gauge], 2), ([sum, sum, sum], 3),
        ] {
            let bytes = SpanValidationTests.wrap(
                0x0A,
                SpanValidationTests.wrap(0x12, SpanValidationTests.wrap(0x12, data.flatMap { $0 }))
            )
            #expect(try MetricsRequest(wire: bytes).items == count)
            #expect(try Envelope(bytes, signal: .metrics).itemCount == count)
            #expect(try Envelope(framesOf: bytes, signal: .metrics).itemCount == count)
        }
    }

    @Test(arguments: 0..<30)
    func `the traces of log records are found without an index`(round: Int) throws {
        let bytes = try randomWire(.logs, seed: UInt64(22_000 + round), isMangled: false)
        let batch = try Envelope(bytes, signal: .logs)
        var expected: [TraceID] = []
        for index in 0..<batch.unitCount where batch.unit(index).hasTrace {
            if !expected.contains(batch.unit(index).traceID) { expected.append(batch.unit(index).traceID) }
        }
        #expect(TraceID.all(in: bytes, signal: .logs) == expected)
        #expect(TraceID.all(in: try randomWire(.metrics, seed: UInt64(round)), signal: .metrics).isEmpty)
    }

    @Test(arguments: [Signal.logs, .metrics], 0..<600)
    func `damaged bytes neither crash nor hang nor read wrong`(signal: Signal, round: Int) throws {
        let seed = UInt64(23_000 + round)
        var random = SeededGenerator(seed: seed)
        var bytes = try randomWire(signal, seed: seed / 10, isMangled: false)
        guard !bytes.isEmpty else { return }
        for _ in 0...random.below(3) {
            bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
        }
        let frames = try? Envelope(framesOf: bytes, signal: signal)
        guard let batch = try? Envelope(bytes, signal: signal) else { return }
        #expect(frames?.unitCount == batch.unitCount, "seed \(seed)")
        guard let encoded = batch.encoded() else { return }
        try expectReadAlike(signal.oracle, encoded.payload)
    }

    private func expectReadAlike<Message: OracleRequest>(_ type: Message.Type, _ bytes: [UInt8]) throws {
        expectAgreement(try Envelope(bytes, signal: type.signal), try Message(wire: bytes))
    }
}
