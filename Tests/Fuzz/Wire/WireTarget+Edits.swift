import Basics
import Oracle

@testable import OTLP

extension WireTarget {
    /// Edits come out as if they were made on the decoded request.
    static func checkEdits(_ body: [UInt8], _ seed: UInt64) {
        guard var model = try? EditModel(body, seed: seed), model.batch.removedCount(.invalid) == 0 else { return }
        guard !model.batch.marks.isForced else { return }
        model.edit(times: Int(seed % 24))
        let count = model.batch.spans.count
        if seed & 64 != 0 { for span in 0..<count { model.assign(span, to: UInt16((seed >> 8) % 3)) } }
        let group = seed & 64 != 0 ? UInt16((seed >> 8) % 3) : 0
        let (encoded, expected) = (model.batch.encoded(group: group), model.expected(group: group))
        require((encoded == nil) == (expected == nil), "edits leave something, or nothing")
        guard let encoded, let expected else { return }
        var edited = model.batch
        let added = edited.addedBytes
        Cost.check("edits", body: body.count + added * 2, written: encoded.payload.count)
        require(encoded.items == model.batch.keptCount, "edits leave other spans")
        let decoded = demand("protobuf after edits") { try Request(wire: encoded.payload) }
        // NaN is unlike itself; the same bytes are alike.
        let isSame = decoded == expected || (try? decoded.wire) == (try? expected.wire)
        require(isSame, "edits come out otherwise")
        let again = demand("indexing after edits") { try SpanBatch(encoded.payload) }
        require(again.spans.count == encoded.items && again.removedCount(.invalid) == 0, "edits make invalid spans")
    }

    /// Edits of what is flawed stay inside it.
    static func checkFlawedEdits(_ batch: SpanBatch) {
        guard batch.marks.isForced else { return }
        var batch = batch
        for index in batch.attributes.indices where index % 3 == 0 {
            let range = batch.attributes(of: batch.attributes[index].place)
            if range.contains(index) { batch.renameAttribute(index, to: "renamed") }
        }
        for span in batch.spans.indices { batch.addAttribute(named: "added", to: .span(span)) { $0.bool(true) } }
        for event in batch.events.indices { batch.addAttribute(named: "added", to: .event(event)) { $0.null() } }
        checkWritten(batch)
    }

    /// Groups share the spans between them, and dividing writes no more than the account allows.
    static func checkGroups(_ batch: SpanBatch, _ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        guard !batch.spans.isEmpty else { return }
        var grouped = batch
        switch random.below(3) {
        case 0:
            for span in grouped.spans.indices { grouped.assign(span, to: UInt16(random.below(3))) }
            checkShared(grouped)
        case 1:
            checkParts(batch, &random)
        default:
            _ = grouped.divide(itemsMax: 1 + random.below(4), groups: 1)
            checkShared(grouped)
        }
    }

    /// The parts of a delivery have each span once, and repeat no more than they may.
    private static func checkParts(_ batch: SpanBatch, _ random: inout SeededGenerator) {
        guard batch.removedCount(.invalid) == 0 else { return }
        let division = demand("frames") { try EnvelopeDivision(framesOf: batch.bytes, signal: .traces) }
        var repeats = EnvelopeDivision.Repeats(for: batch.bytes.count)
        let parts = division.parts(
            of: division.whole,
            itemsMax: 1 + random.below(8),
            bytesMax: 1 + random.below(4096),
            dividesTraces: random.chance(50),
            repeats: &repeats
        )
        let written = parts.compactMap { division.encoded($0) }
        require(written.reduce(0) { $0 + $1.items } == batch.spans.count, "parts have other spans")
        Cost.check("division", body: batch.bytes.count, written: written.reduce(0) { $0 + $1.payload.count })
    }

    private static func checkShared(_ batch: SpanBatch) {
        var account = RequestAccount(bytes: batch.bytes.count)
        account.add(steps: batch.indexSteps)
        var groups: [(number: UInt16, spans: EncodedUnits)] = []
        for group in batch.groups {
            // Too much for its size is an answer, too.
            guard let spans = try? batch.encoded(group, charging: &account) else { return }
            groups.append((group.number, spans))
        }
        let written = groups.reduce(0) { $0 + $1.spans.payload.count }
        let base = CostLimits.writtenBase * max(0, groups.count - 1)
        Cost.check("division", body: batch.bytes.count, written: written - min(written, base), steps: account.steps)
        require(groups.reduce(0) { $0 + $1.spans.items } == batch.keptCount, "groups lose spans")
        // Many small groups are alike; the first ones tell.
        for (position, (group, spans)) in groups.prefix(40).enumerated() {
            // What stands beside the resources goes with the first group alone.
            let isSame = position > 0 || batch.encoded(group: group)?.payload == spans.payload
            require(isSame, "a group is written in two ways")
            let again = demand("indexing a group") { try SpanBatch(spans.payload) }
            require(again.spans.count == spans.items && again.removedCount(.invalid) == 0, "a group is invalid")
        }
    }
}
