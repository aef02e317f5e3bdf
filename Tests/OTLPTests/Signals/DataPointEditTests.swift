import Basics
import Oracle
import SwiftProtobuf
import TestKit
import Testing

@testable import OTLP

/// Edits of data points against those of swift-protobuf.
@Suite struct DataPointEditTests {
    /// What becomes of an attribute is a matter of its key, and what is added of how many there are.
    private enum Fate {
        case kept, removed, renamed(String)

        init(_ key: String) {
            self = [.removed, .renamed(key + "x"), .kept][key.utf8.count % 3]
        }
    }

    private func additions(besides count: Int) -> [(key: String, value: String)] {
        let long = String(repeating: "long", count: 60)
        return [[], [("new", "n")], [(long, long), ("", "")]][count % 3]
    }

    private func edit(_ bytes: [UInt8]) throws -> [UInt8]? {
        var batch = try Envelope(bytes, signal: .metrics)
        for metric in 0..<batch.unitCount where batch.removal(of: metric) == nil {
            _ = batch.editDataPoints(of: metric) { point, _ in
                var edit = DataPointEdit()
                for (index, attribute) in point.attributes.enumerated() {
                    switch Fate(bytes.span.bytes.text(attribute.key)) {
                    case .removed: edit.removed.append(index)
                    case .renamed(let key): edit.renamed.append((index, key))
                    case .kept: break
                    }
                }
                edit.added = additions(besides: point.attributes.count).map { addition in
                    .init(addition.key) { $0.string(addition.value) }
                }
                return edit
            }
        }
        return batch.encoded()?.payload
    }

    private func edit(_ attributes: inout [KeyValue]) {
        let added = additions(besides: attributes.count).map { addition in
            KeyValue.with {
                $0.key = addition.key
                $0.value.stringValue = addition.value
            }
        }
        let left: [KeyValue] = attributes.compactMap { attribute in
            switch Fate(attribute.key) {
            case .kept: return attribute
            case .removed: return nil
            case .renamed(let key):
                var attribute = attribute
                attribute.key = key
                return attribute
            }
        }
        attributes = added + left
    }

    private func edit(_ metric: inout Metric) {
        switch metric.data {
        case .gauge: for index in metric.gauge.dataPoints.indices { edit(&metric.gauge.dataPoints[index].attributes) }
        case .sum: for index in metric.sum.dataPoints.indices { edit(&metric.sum.dataPoints[index].attributes) }
        case .histogram:
            for index in metric.histogram.dataPoints.indices { edit(&metric.histogram.dataPoints[index].attributes) }
        case .exponentialHistogram:
            for index in metric.exponentialHistogram.dataPoints.indices {
                edit(&metric.exponentialHistogram.dataPoints[index].attributes)
            }
        case .summary:
            for index in metric.summary.dataPoints.indices { edit(&metric.summary.dataPoints[index].attributes) }
        case nil: break
        }
    }

    /// Without scopes and resources that have no metric: they vanish where anything is changed.
    private func withoutEmpty(_ request: MetricsRequest) -> MetricsRequest {
        var request = request
        for resource in request.resourceMetrics.indices {
            request.resourceMetrics[resource].scopeMetrics.removeAll { $0.metrics.isEmpty }
        }
        request.resourceMetrics.removeAll { $0.scopeMetrics.isEmpty }
        return request
    }

    private func expectEdited(_ bytes: [UInt8]) throws {
        var expected = try MetricsRequest(wire: bytes)
        guard let edited = try edit(bytes) else { return #expect(expected.units.isEmpty) }
        for resource in expected.resourceMetrics.indices {
            for scope in expected.resourceMetrics[resource].scopeMetrics.indices {
                for metric in expected.resourceMetrics[resource].scopeMetrics[scope].metrics.indices {
                    edit(&expected.resourceMetrics[resource].scopeMetrics[scope].metrics[metric])
                }
            }
        }
        // Values that are no number differ from themselves; their bytes do not.
        #expect(try withoutEmpty(MetricsRequest(wire: edited)).wire == withoutEmpty(expected).wire)
        #expect(otherFields(edited) == otherFields(bytes))
    }

    /// The fields of each data point but for its attributes, and those beside the data points, byte for byte.
    private func otherFields(_ bytes: [UInt8]) -> [[UInt8]] {
        var found: [[UInt8]] = []
        // Resource, scope, metric, data, data point, and the numbers of the fields that hold the next.
        func walk(_ range: Range<Int>, _ depth: Int, _ attributes: Int) {
            let inner: [Set<Int>] = [[1], [2], [2], [5, 7, 9, 10, 11], [1], [attributes]]
            var reader = WireReader(range)
            while let field = try? reader.next(in: bytes.span.bytes) {
                guard inner[depth].contains(field.number) else {
                    if depth > 2 { found.append(Array(bytes[field.field])) }
                    continue
                }
                let own = depth == 3 ? [5: 7, 7: 7, 9: 9, 10: 1, 11: 7][field.number] ?? 0 : attributes
                if depth < 5 { walk(field.content, depth + 1, own) }
            }
        }
        walk(0..<bytes.count, 0, 0)
        return found
    }

    @Test(arguments: 0..<150)
    func `random edits of data points come out as if made on the decoded ones`(round: Int) throws {
        try expectEdited(try randomWire(.metrics, seed: UInt64(61_000 + round), isMangled: round % 3 != 0))
    }

    @Test(arguments: Fixtures.captures(of: .metrics))
    func `edits of real data points come out as if made on the decoded ones`(path: String) throws {
        try expectEdited(try Fixtures.bytes(path))
    }
}
