import Basics
import Foundation
import Oracle
import SwiftProtobuf
import TestKit
import Testing

@testable import OTLP

/// Groups and parts of requests of every signal.
@Suite struct SignalDivisionTests {
    /// Each item with what stands around it, in wire form; sorted, so that the order in which they come does not matter.
    private func contents<Message: OracleRequest>(_ request: Message) throws -> [[UInt8]] {
        var contents: [[UInt8]] = []
        for group in request.groups {
            for inner in group.groups {
                for unit in inner.units.flatMap(\.pieces) {
                    var (around, scope) = (group, inner)
                    scope.units = [unit]
                    around.groups = [scope]
                    contents.append(try around.wire)
                }
            }
        }
        return contents.sorted { $0.lexicographicallyPrecedes($1) }
    }

    @Test(arguments: Signal.allCases, 0..<60)
    func `the parts have each unit once, with all around it, within the limits`(signal: Signal, round: Int) throws {
        try expectDivided(signal.oracle, try randomWire(signal, seed: UInt64(24_000 + round)), round)
    }

    @Test(arguments: Fixtures.captures(of: .logs))
    func `real log records are divided without loss`(path: String) throws {
        for round in 0..<4 { try expectDivided(LogsRequest.self, try Fixtures.bytes(path), round) }
    }

    @Test(arguments: Fixtures.captures(of: .metrics))
    func `real metrics are divided without loss`(path: String) throws {
        for round in 0..<4 { try expectDivided(MetricsRequest.self, try Fixtures.bytes(path), round) }
    }

    private func expectDivided<Message: OracleRequest>(_ type: Message.Type, _ bytes: [UInt8], _ round: Int) throws {
        let batch = try Envelope(bytes, signal: type.signal)
        let (itemsMax, bytesMax) = ([1, 3, 7, 40][round % 4], [Int.max, 200, 2000][round % 3])
        let parts = batch.divided(itemsMax: itemsMax, bytesMax: bytesMax, dividesTraces: round % 2 == 0)
        let frames = try Envelope(framesOf: bytes, signal: type.signal)
        #expect(
            frames.divided(itemsMax: itemsMax, bytesMax: bytesMax, dividesTraces: round % 2 == 0).map(\.payload)
                == parts.map(\.payload)
        )
        var found: [[UInt8]] = []
        var traces: Set<[UInt8]> = []
        for part in parts {
            let request = try Message(wire: part.payload)
            found += try contents(request)
            #expect(part.items == request.items)
            let own = Set(request.units.map { Array($0.ids.trace) }.filter { $0.contains { $0 != 0 } })
            if round % 2 != 0 { #expect(traces.isDisjoint(with: own), "a trace is in two parts") }
            traces.formUnion(own)
            let units = request.units
            let isOneTrace = round % 2 != 0 && Set(units.map(\.ids.trace)).count == 1
            #expect(request.items <= itemsMax || units.count == 1 || isOneTrace, "a part is too large")
        }
        let sent = try contents(try Message(wire: bytes))
        #expect(found.sorted { $0.lexicographicallyPrecedes($1) } == sent.sorted { $0.lexicographicallyPrecedes($1) })
    }

    @Test(arguments: Signal.allCases, 0..<40)
    func `groups share the units between them`(signal: Signal, round: Int) throws {
        try expectGrouped(signal.oracle, try randomWire(signal, seed: UInt64(25_000 + round)), UInt64(round))
    }

    private func expectGrouped<Message: OracleRequest>(
        _ type: Message.Type,
        _ bytes: [UInt8],
        _ seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        var batch = try Envelope(bytes, signal: type.signal)
        let units = try Message(wire: bytes).units
        var expected: [UInt16: Int] = [:]
        for index in units.indices {
            let group = UInt16(random.below(3))
            batch.assign(index, to: group)
            if random.chance(20) {
                batch.remove(index, as: .filtered)
            } else {
                expected[group, default: 0] += units[index].items
            }
        }
        let groups = try batch.encodedByGroup()
        #expect(
            Dictionary(uniqueKeysWithValues: groups.map { ($0.group, $0.spans.items) }) == expected.filter { $1 > 0 }
        )
        for (group, written) in groups {
            let request = try Message(wire: written.payload)
            #expect(request.items == written.items)
            let kept = units.indices.filter { batch.group(of: $0) == group && batch.removal(of: $0) == nil }
            #expect(request.units == kept.map { units[$0] })
        }
    }

    @Test(arguments: Signal.allCases, 0..<30)
    func `dividing groups keeps traces whole and loses nothing`(signal: Signal, round: Int) throws {
        let bytes = try randomWire(signal, seed: UInt64(26_000 + round), isMangled: false)
        var batch = try Envelope(bytes, signal: signal)
        let itemsMax = 1 + round % 5
        let origins = batch.divide(itemsMax: itemsMax, groups: 1)
        #expect(origins.allSatisfy { $0 == 0 })
        let groups = try batch.encodedByGroup()
        #expect(groups.reduce(0) { $0 + $1.spans.items } == batch.itemCount)
        var places: [TraceID: UInt16] = [:]
        for index in 0..<batch.unitCount where batch.unit(index).hasTrace {
            let trace = batch.unit(index).traceID
            #expect(places[trace] ?? batch.group(of: index) == batch.group(of: index))
            places[trace] = batch.group(of: index)
        }
    }

    @Test func `metrics are divided by their data points, one with too many between them`() throws {
        let metrics = [2, 9, 1, 0, 3].map { count in
            Metric.with { $0.gauge.dataPoints = .init(repeating: .with { $0.timeUnixNano = 1 }, count: count) }
        }
        let request = MetricsRequest.with { $0.groups = [.with { $0.groups = [.with { $0.units = metrics }] }] }
        let batch = try Envelope(try request.wire, signal: .metrics)
        #expect(batch.itemCount == 16)
        #expect(batch.divided(itemsMax: 4, bytesMax: .max).map(\.items) == [2, 4, 4, 1, 2, 3])
        #expect(batch.divided(itemsMax: 5, bytesMax: .max, dividesTraces: true).map(\.items) == [2, 5, 4, 5])
        #expect(batch.divided(itemsMax: 100, bytesMax: 40).map(\.items) == [2, 3, 3, 3, 2, 3])
        var divided = batch
        #expect(divided.divide(itemsMax: 4, groups: 1) == [0, 0, 0])
        #expect(try divided.encodedByGroup().map(\.spans.items) == [2, 9, 2, 3])
    }

    @Test func `a part of a metric is divided again, until what is repeated outweighs it`() throws {
        let metric = Metric.with { metric in
            metric.name = String(repeating: "n", count: 30_000)
            metric.sum = .with { sum in
                sum.isMonotonic = true
                sum.dataPoints = (0..<1000).map { number in .with { $0.asInt = Int64(number) } }
            }
        }
        let request = MetricsRequest.with { $0.groups = [.with { $0.groups = [.with { $0.units = [metric] }] }] }
        let division = EnvelopeDivision(try Envelope(try request.wire, signal: .metrics))
        var repeats = EnvelopeDivision.Repeats(for: try request.wire.count)
        let halves = division.parts(of: division.whole, itemsMax: 500, bytesMax: .max, repeats: &repeats)
        #expect(halves.compactMap { division.encoded($0)?.items } == [500, 500])
        let quarters = division.parts(of: halves[1], itemsMax: 250, bytesMax: .max, repeats: &repeats)
        let payloads = try (halves[..<1] + quarters).compactMap(division.encoded).map { units in
            try MetricsRequest(wire: units.payload)
        }
        #expect(payloads.flatMap { $0.units[0].sum.dataPoints.map(\.asInt) } == Array(0..<1000))
        #expect(payloads.allSatisfy { $0.units[0].name == metric.name && $0.units[0].sum.isMonotonic })
        let rest = division.parts(of: quarters[0], itemsMax: 1, bytesMax: .max, repeats: &repeats)
        #expect(rest.count < 10 && rest.reduce(0) { $0 + (division.encoded($1)?.items ?? 0) } == 250)
    }

    @Test func `log records of one trace stay together, those without a trace do not`() throws {
        let traces: [UInt8] = [1, 0, 2, 1, 0, 2, 1]
        let records = traces.map { trace in
            LogRecord.with { $0.traceID = trace == 0 ? .init() : .init(repeating: trace, count: 16) }
        }
        let request = LogsRequest.with { $0.groups = [.with { $0.groups = [.with { $0.units = records }] }] }
        let batch = try Envelope(try request.wire, signal: .logs)
        let parts = try batch.divided(itemsMax: 1, bytesMax: .max).map { try LogsRequest(wire: $0.payload).units }
        #expect(parts.map { $0.map { $0.traceID.first ?? 0 } } == [[1, 1, 1], [0], [2, 2], [0]])
    }

    @Test func `a metric without data points counts as one, so that it is kept`() throws {
        let metrics = [Metric.with { $0.name = "a" }, .with { $0.gauge = .init() }]
        let request = MetricsRequest.with { $0.groups = [.with { $0.groups = [.with { $0.units = metrics }] }] }
        let bytes = try request.wire
        let batch = try Envelope(bytes, signal: .metrics)
        #expect(batch.unitCount == 2 && batch.itemCount == 2)
        #expect(batch.encoded()?.payload == bytes)
        #expect(batch.divided(itemsMax: 1, bytesMax: .max).map(\.items) == [1, 1])
    }
}
