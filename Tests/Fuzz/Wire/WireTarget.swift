import Basics
import Oracle

@testable import OTLP

/// Wire form: index, edits, groups and writer.
///
/// The first eight bytes choose the edits, the rest is the body.
enum WireTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        let (seed, body) = input.seeded
        // What is done with every request costs what the account allows; what only this target does is not counted.
        let indexed = Cost.watch("indexing", body: body.count, heapMax: Cost.growing(Cost.heldMax(body.count))) {
            try? SpanBatch(body, limits: Cost.limits(body.count))
        }
        guard let batch = indexed else { return }
        checkTables(batch)
        checkFrames(batch)
        checkValues(batch)
        checkUntouched(batch)
        checkWritten(batch)
        checkEdits(body, seed)
        checkFlawedEdits(batch)
        checkGroups(batch, seed)
    }

    static func mutate(_ input: [UInt8], with other: [UInt8], max: Int, _ random: inout SeededGenerator) -> [UInt8] {
        var (seed, body) = input.seeded
        if random.chance(10) { seed = random.next() }
        let room = Swift.max(max - 8, 0)
        guard random.chance(85) else { return mutateBytes(body, max: room).seeded(seed) }
        let root = WireNode(body, .tracesRequest)
        var changes = WireChanges(random, other: other.seeded.rest, max: room)
        changes.change(root)
        random = changes.random
        return root.bytes.seeded(seed)
    }

    private static func checkTables(_ batch: SpanBatch) {
        let held =
            batch.spans.count * MemoryLayout<SpanEntry>.stride + batch.scopes.count * MemoryLayout<ScopeEntry>.stride
            + batch.resources.count * MemoryLayout<ResourceEntry>.stride
            + batch.attributes.count * MemoryLayout<AttributeEntry>.stride
            + batch.events.count * MemoryLayout<EventEntry>.stride
        Cost.check("the index", body: batch.bytes.count, held: held, steps: batch.indexSteps)
    }

    /// What was read to its end can be read again as far as delivery needs, and is the same there.
    private static func checkFrames(_ batch: SpanBatch) {
        let frames = demand("frames") { try SpanBatch(framesOf: batch.bytes) }
        require(frames.unitCount == batch.unitCount, "the frames have other spans")
        for index in 0..<batch.unitCount {
            let (span, frame) = (batch.unit(index), frames.unit(index))
            require(span.frame == frame.frame && span.scope == frame.scope, "a span has another frame")
            guard span.flaw == nil else { continue }
            require(span.traceID == frame.traceID && span.spanID == frame.spanID, "a span has other ids")
        }
        let ids = Set(TraceID.all(in: batch.bytes, signal: .traces))
        for span in batch.spans where span.flaw == nil { require(ids.contains(span.traceID), "a trace is not found") }
    }

    private static func checkValues(_ batch: SpanBatch) {
        for index in batch.attributes.indices {
            let entry = batch.attributes[index]
            require(batch.bytes.indices.contains(entry.field) && entry.field.contains(entry.key), "a key is outside")
            require(entry.field.contains(entry.value), "a value is outside")
            visit(batch.attributes[index].value, in: batch)
        }
        for span in batch.spans.indices where batch.spans[span].flaw == nil {
            for index in batch.spans[span].attributes {
                require(batch.attributes[index].place == .span(span), "a place")
            }
            for index in batch.spans[span].events { require(batch.events[index].span == span, "an event's span") }
        }
    }

    private static func visit(_ value: Range<Int>, in batch: SpanBatch) {
        let text = batch.bytes.span.bytes
        switch AttributeValue(value, in: text) {
        case .string(let range), .bytes(let range): require(value.contains(range), "a text is outside")
        case .array(let range): text.forEachElement(of: range) { visit($0, in: batch) }
        case .keyValueList(let range):
            text.forEachMember(of: range) {
                require(range.contains($0), "a member's key is outside")
                visit($1, in: batch)
            }
        default: break
        }
    }

    /// What nobody touched leaves as it came.
    private static func checkUntouched(_ batch: SpanBatch) {
        guard let encoded = batch.encoded() else { return }
        Cost.check("the output", body: batch.bytes.count, written: encoded.payload.count)
        if batch.marks.isEmpty { return require(encoded.payload == batch.bytes, "untouched bytes changed") }
        let again = demand("indexing what is left") { try SpanBatch(encoded.payload) }
        let kept = batch.spans.indices.filter { batch.removal(of: $0) == nil }
        require(again.spans.count == kept.count && encoded.items == kept.count, "other spans are left")
        for (new, old) in zip(again.spans.map(\.unit), kept) {
            let before = batch.bytes[batch.unit(old).frame.field]
            require(again.bytes[new.frame.field] == before, "an untouched span changed")
        }
    }

    /// Nothing invalid leaves, and what leaves reads as swift-protobuf reads it.
    static func checkWritten(_ batch: SpanBatch) {
        guard let payload = batch.encoded()?.payload else { return }
        let request = demand("protobuf") { try Request(wire: payload) }
        let again = demand("indexing the output") { try SpanBatch(payload) }
        require(again.removedCount(.invalid) == 0 && !again.marks.isForced, "something invalid leaves")
        WireAgreement.check(again, request, readsValues: false)
        let canonical = demand("protobuf") { try request.wire }
        let merged = demand("indexing what protobuf wrote") { try SpanBatch(canonical) }
        WireAgreement.check(merged, request, readsValues: true)
        let json = demand("JSON of the output") { try OTLPJSON.encode(payload, signal: .traces) }
        let other = demand("JSON of what protobuf wrote") { try OTLPJSON.encode(canonical, signal: .traces) }
        require(json == other, "JSON depends on the wire form")
    }
}

extension Range where Bound == Int {
    func contains(_ other: Range<Int>) -> Bool {
        other.isEmpty || lowerBound <= other.lowerBound && other.upperBound <= upperBound
    }
}
