import Basics
import Oracle
import TestKit
import Testing

@testable import OTLP

@Suite struct SpanFramesTests {
    /// The requests that a batch is split into, as often as limits differ.
    private func splits(_ batch: SpanBatch) -> [[[UInt8]]] {
        [(1, Int.max, false), (7, 4096, false), (7, 4096, true), (500, Int.max, false)].map { items, bytes, divides in
            batch.divided(itemsMax: items, bytesMax: bytes, dividesTraces: divides).map(\.payload)
        }
    }

    @Test(arguments: SpanIndexTests.bodies)
    func `a real request is split as after a look at everything`(path: String) throws {
        let bytes = try Fixtures.bytes(path)
        let frames = try SpanBatch(framesOf: bytes)
        let whole = try SpanBatch(bytes)
        #expect(splits(frames) == splits(whole))
        #expect((0..<frames.unitCount).map { frames.unit($0).spanID } == whole.spans.map(\.spanID))
        #expect(frames.spans.isEmpty && frames.attributes.isEmpty && frames.events.isEmpty)
    }

    @Test(arguments: 0..<60)
    func `everything that protobuf allows is split as after a look at everything`(round: Int) throws {
        let seed = UInt64(7000 + round)
        var source = RandomRequests(seed: seed)
        var mangler = WireMangler(seed: seed)
        let bytes = try mangler.request(try source.request().wire)
        #expect(try splits(SpanBatch(framesOf: bytes)) == splits(SpanBatch(bytes)), "seed \(seed)")
    }

    @Test(arguments: SpanValidationTests.rows.indices)
    func `a flaw inside a span does not matter`(row: Int) throws {
        let bytes = try SpanValidationTests.request(SpanValidationTests.rows[row].change).wire
        try expectUntouched(bytes, spans: 3)
    }

    @Test(arguments: [
        [0x2A, 2, 0xC3, 0x28], [0x28, 1], [0x4A, 2, 0x0A, 9], [0x5A, 1, 0x0B], [0x7A, 2, 0x12, 9], [0x6A, 1, 0x80],
    ])
    func `what is inside the fields of a span does not matter`(extra: [UInt8]) throws {
        try expectUntouched(SpanValidationTests.span(extra), spans: 2)
    }

    @Test func `what is inside a resource or scope does not matter`() throws {
        let wrap = SpanValidationTests.wrap
        let flawed: [UInt8] = [0x0A, 3, 0x0A, 1, 0xFF, 0x1A, 1, 0xFF]
        let broken: [UInt8] = [0x0A, 2, 0x0A, 9]
        for envelope in [flawed, broken] {
            try expectUntouched(wrap(0x0A, envelope + wrap(0x12, envelope + wrap(0x12, []))), spans: 1)
        }
    }

    private func expectUntouched(_ bytes: [UInt8], spans: Int) throws {
        let batch = try SpanBatch(framesOf: bytes)
        #expect((0..<batch.unitCount).map { batch.unit($0).flaw } == [SpanFlaw?](repeating: nil, count: spans))
        #expect(batch.keptCount == spans)
        #expect(batch.encoded()?.payload == bytes)
    }

    @Test(arguments: SpanValidationTests.brokenFrames)
    func `broken frames are refused with the same error`(bytes: [UInt8], reason: String) throws {
        let error = try #require(throws: WireError.self) { try SpanBatch(bytes) }
        #expect(throws: error) { try SpanBatch(framesOf: bytes) }
    }

    @Test func `a broken field of a span is refused`() throws {
        #expect(throws: WireError.self) { try SpanBatch(framesOf: SpanValidationTests.span([0x4A, 9, 0])) }
        #expect(throws: WireError.self) { try SpanBatch(framesOf: SpanValidationTests.span([0x4B])) }
        #expect(throws: WireError.self) { try SpanBatch(framesOf: try Fixtures.bytes("payloads/bad_truncated.pb")) }
    }

    @Test(arguments: 0..<500)
    func `damaged bytes are refused or split without a crash`(round: Int) throws {
        let seed = UInt64(8000 + round)
        var random = SeededGenerator(seed: seed)
        var bytes = try Fixtures.bytes("payloads/small.pb")
        for _ in 0...random.below(4) { bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
        bytes.removeLast(random.below(2) * random.below(bytes.count))
        // Whatever can be read whole can be read by its frames.
        guard let whole = try? SpanBatch(bytes) else {
            if let frames = try? SpanBatch(framesOf: bytes) { _ = splits(frames) }
            return
        }
        let frames = try SpanBatch(framesOf: bytes)
        #expect(frames.unitCount == whole.unitCount, "seed \(seed)")
        if whole.keptCount == whole.spans.count { #expect(splits(frames) == splits(whole), "seed \(seed)") }
    }
}
