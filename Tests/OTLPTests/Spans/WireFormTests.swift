import Basics
import Oracle
import TestKit
import Testing

@testable import OTLP

@Suite struct WireFormTests {
    @Test(arguments: 0..<150)
    func `everything that protobuf allows reads the same`(round: Int) throws {
        let seed = UInt64(3000 + round)
        var source = RandomRequests(seed: seed)
        var mangler = WireMangler(seed: seed)
        let bytes = try mangler.request(try source.request().wire)
        let batch = try SpanBatch(bytes)
        expectAgreement(batch, try Request(wire: bytes))
        #expect(batch.spans.isEmpty || batch.encoded()?.payload == bytes, "seed \(seed)")
    }

    @Test func `a resource, scope and status in parts are merged`() throws {
        var parts: [[UInt8]] = []
        for name in ["a", "b"] {
            let attribute = try KeyValue(name, .stringValue(name)).wire
            parts.append(SpanValidationTests.wrap(0x0A, SpanValidationTests.wrap(0x0A, attribute)))
        }
        let ids = [0x0A, 16] + [UInt8](repeating: 7, count: 16) + [0x12, 8] + [UInt8](repeating: 7, count: 8)
        let status: [UInt8] = [0x7A, 2, 0x18, 2, 0x7A, 3, 0x12, 1, 0x6F]
        let scope = SpanValidationTests.wrap(0x12, SpanValidationTests.wrap(0x12, ids + status))
        let bytes = SpanValidationTests.wrap(0x0A, parts[0] + scope + parts[1])
        var batch = try SpanBatch(bytes)
        #expect(batch.resources[0].attributes.map { batch.text(batch.attributes[$0].key) } == ["a", "b"])
        #expect(batch.spans[0].statusCode == 2)
        #expect(batch.text(batch.spans[0].statusMessage) == "o")
        batch.addAttribute("c", to: .resource(0)) { $0.int(1) }
        let decoded = try Request(wire: try #require(batch.encoded()).payload)
        #expect(decoded.resourceSpans[0].resource.attributes.map(\.key) == ["a", "b", "c"])
    }

    @Test(arguments: 0..<1500)
    func `damaged bytes neither crash nor hang nor read wrong`(round: Int) throws {
        let seed = UInt64(round)
        var random = SeededGenerator(seed: seed)
        var source = RandomRequests(seed: seed / 10)
        var bytes = try source.request().wire
        guard !bytes.isEmpty else { return }
        for _ in 0...random.below(4) {
            switch random.below(4) {
            case 0: bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
            case 2: bytes.removeLast(random.below(bytes.count))
            default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: random.below(bytes.count + 1))
            }
            if bytes.isEmpty { return }
        }
        guard var batch = try? SpanBatch(bytes) else { return }
        for index in batch.attributes.indices {
            _ = batch.value(of: index)
            if index % 3 == 0 { batch.renameAttribute(index, to: "renamed") }
        }
        for span in batch.spans.indices { batch.addAttribute("added", to: .span(span)) { $0.bool(true) } }
        for event in batch.events.indices { batch.addAttribute("added", to: .event(event)) { $0.null() } }
        guard let encoded = batch.encoded() else { return }
        let again = try SpanBatch(encoded.payload)
        #expect(again.removedCount(.invalid) == 0, "seed \(seed)")
        #expect(try Request(wire: encoded.payload).resourceSpans.count == again.resources.count, "seed \(seed)")
        _ = try OTLPJSON.encode(encoded.payload, signal: .traces)
    }

    @Test func `what is read as valid is read alike by swift-protobuf`() throws {
        var compared = 0
        for seed in UInt64(0)..<1500 {
            var random = SeededGenerator(seed: seed)
            var source = RandomRequests(seed: seed % 40)
            var bytes = try source.request().wire
            guard !bytes.isEmpty else { continue }
            bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            guard let batch = try? SpanBatch(bytes), let encoded = batch.encoded() else { continue }
            compared += 1
            expectAgreement(try SpanBatch(encoded.payload), try Request(wire: encoded.payload))
        }
        #expect(compared > 300)
    }
}
