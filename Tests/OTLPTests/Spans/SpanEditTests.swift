import Basics
import Oracle
import SwiftProtobuf
import TestKit
import Testing

@testable import OTLP

@Suite struct SpanEditTests {
    @Test(arguments: SpanIndexTests.bodies)
    func `edits of a real request come out as if made on the decoded one`(path: String) throws {
        let bytes = try Fixtures.bytes(path)
        for seed in UInt64(0)..<(bytes.count > 100_000 ? 1 : 4) {
            var model = try EditModel(bytes, seed: seed)
            model.edit(times: 12)
            try expectSame(model, seed)
        }
    }

    @Test(arguments: 0..<150)
    func `random edits of random requests come out as if made on the decoded one`(round: Int) throws {
        let seed = UInt64(5000 + round)
        var source = RandomRequests(seed: seed)
        var mangler = WireMangler(seed: seed)
        let bytes = try mangler.request(try source.request().wire)
        var model = try EditModel(bytes, seed: seed)
        model.edit(times: round % 25)
        try expectSame(model, seed)
    }

    private func expectSame(_ model: EditModel, _ seed: UInt64) throws {
        let encoded = model.batch.encoded()
        let expected = model.expected()
        #expect((encoded == nil) == (expected == nil), "seed \(seed)")
        guard let encoded, let expected else { return }
        #expect(try Request(wire: encoded.payload) == expected, "seed \(seed)")
        #expect(encoded.items == model.batch.keptCount, "seed \(seed)")
        #expect(try SpanBatch(encoded.payload).spans.count == encoded.items, "seed \(seed)")
    }

    @Test func `groups share the spans between them`() throws {
        for seed in UInt64(0)..<60 {
            var source = RandomRequests(seed: seed)
            var mangler = WireMangler(seed: seed)
            var model = try EditModel(try mangler.request(try source.request().wire), seed: seed)
            model.edit(times: Int(seed % 5))
            model.assign(groups: 3)
            let groups = try model.batch.encodedByGroup()
            #expect(groups.map(\.spans.items).reduce(0, +) == model.batch.keptCount, "seed \(seed)")
            for group in UInt16(0)..<3 {
                let payload = groups.first { $0.group == group }?.spans.payload
                let decoded = try payload.map { try Request(wire: $0) }
                let expected = model.expected(group: group)
                #expect(decoded?.resourceSpans == expected?.resourceSpans, "seed \(seed)")
                // What stands beside the resources goes with the first group alone.
                let isFirst = group == groups.first?.group
                #expect(decoded?.unknownFields.data.isEmpty != false || isFirst, "seed \(seed)")
                guard isFirst else { continue }
                #expect(payload == model.batch.encoded(group: group)?.payload, "seed \(seed)")
                #expect(decoded == expected, "seed \(seed)")
            }
        }
    }

    @Test func `a scope that nothing touched stays byte for byte beside one that was`() throws {
        var bytes: [UInt8] = []
        // Two resources with padded lengths; the span of the first is dropped.
        for id in [UInt8(1), 2] {
            let span = [0x0A, 16] + [UInt8](repeating: id, count: 16) + [0x12, 8] + [UInt8](repeating: id, count: 8)
            let scope = [0x12, UInt8(span.count) | 0x80, 0] + span
            let resource = [0x12, UInt8(scope.count) | 0x80, 0] + scope
            bytes += [0x0A, UInt8(resource.count) | 0x80, 0] + resource
        }
        var batch = try SpanBatch(bytes)
        batch.remove(0, as: .filtered)
        #expect(batch.encoded()?.payload == Array(bytes[(bytes.count / 2)...]))
    }

    @Test func `a removed span keeps its first reason`() throws {
        var batch = try SpanBatch(try Fixtures.bytes("payloads/small.pb"))
        batch.remove(3, as: .filtered)
        batch.remove(3, as: .sampledOut)
        #expect(batch.removal(of: 3) == .filtered)
        #expect(batch.removedCount(.filtered) == 1)
        #expect(batch.removedCount(.sampledOut) == 0)
        #expect(batch.keptCount == 9)
    }

    @Test func `what lost its last span is nil`() throws {
        var batch = try SpanBatch(try Fixtures.bytes("payloads/small.pb"))
        for span in batch.spans.indices { batch.remove(span, as: .sampledOut) }
        #expect(batch.encoded() == nil)
        #expect(try batch.encodedByGroup().isEmpty)
        #expect(try SpanBatch([]).encoded() == nil)
    }

    @Test func `one group for all leaves the bytes as they came`() throws {
        let bytes = try Fixtures.bytes("payloads/small.pb")
        var batch = try SpanBatch(bytes)
        for span in batch.spans.indices { batch.assign(span, to: 4) }
        #expect(batch.encoded(group: 4)?.payload == bytes)
        #expect(batch.encoded(group: 0) == nil)
        #expect(try batch.encodedByGroup().map(\.group) == [4])
    }

    @Test func `groups by trace keep traces whole and within limits`() throws {
        let batch = try SpanBatch(try Fixtures.bytes("payloads/large.pb"))
        let parts = batch.divided(itemsMax: 50, bytesMax: 40_000)
        #expect(parts.count > 10)
        #expect(parts.allSatisfy { $0.items <= 50 && $0.payload.count < 42_000 })
        let traces = try parts.map { Set(try SpanBatch($0.payload).spans.map(\.traceID)) }
        #expect(traces.map(\.count).reduce(0, +) == traces.reduce(into: Set()) { $0.formUnion($1) }.count)
    }
}

extension SpanEditTests {
    @Test func `a trace over the limits is alone, or divided where that is allowed`() throws {
        var source = RandomRequests(seed: 4)
        var spans = (0..<9).map { _ in source.span() }
        for index in 1..<8 { spans[index].traceID = spans[1].traceID }
        let request = Request.with { $0.resourceSpans = [.with { $0.scopeSpans = [.with { $0.spans = spans }] }] }
        let batch = try SpanBatch(try request.wire)
        #expect(batch.divided(itemsMax: 3, bytesMax: .max).map(\.items) == [1, 7, 1])
        #expect(batch.divided(itemsMax: 3, bytesMax: .max, dividesTraces: true).map(\.items) == [3, 3, 3])
        #expect(try SpanBatch([]).divided(itemsMax: 3, bytesMax: 100).isEmpty)
    }
}

extension EditModel {
    fileprivate mutating func assign(groups: Int) {
        for span in batch.spans.indices { assign(span, to: UInt16(random.random.below(groups))) }
    }
}
