import Basics
import Oracle

@testable import OTLP

/// JSON in: what is read can be indexed, and written and read again it stays the same.
enum JSONTarget: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var deviations = DeviationCounts()
        let heapMax = Cost.growing(Cost.writtenMax(input.count)) + input.count
        let decoded = Cost.watch("transcoding", body: input.count, heapMax: heapMax) {
            try? OTLPJSON.decode(input, signal: .traces, deviations: &deviations)
        }
        guard let wire = decoded else { return }
        Cost.check("transcoding", body: input.count, written: wire.count)
        checkRoundTrip(wire)
        let indexed = Cost.watch("indexing", body: input.count, heapMax: Cost.growing(Cost.heldMax(input.count))) {
            try? SpanBatch(wire, limits: Cost.limits(input.count))
        }
        // Over its limits alone; what is wrong in JSON stays inside one span, resource or scope.
        guard let batch = indexed else {
            return require((try? SpanBatch(wire)) != nil, "what was transcoded cannot be indexed")
        }
        WireTarget.checkWritten(batch)
        guard let payload = batch.encoded()?.payload else { return }
        checkRoundTrip(payload)
    }

    /// Two turns around are as one.
    private static func checkRoundTrip(_ wire: [UInt8]) {
        guard let first = try? OTLPJSON.encode(wire, signal: .traces) else {
            return require((try? SpanBatch(wire))?.removedCount(.invalid) != 0, "valid spans have no JSON")
        }
        var deviations = DeviationCounts()
        let again = demand("reading own JSON") {
            try OTLPJSON.decode(first, signal: .traces, deviations: &deviations)
        }
        require(deviations.isEmpty, "own JSON deviates: \(deviations.byName)")
        let second = demand("writing again") { try OTLPJSON.encode(again, signal: .traces) }
        require(first == second, "JSON changes when it is read and written again")
    }

    static func mutate(_ input: [UInt8], with other: [UInt8], max: Int, _ random: inout SeededGenerator) -> [UInt8] {
        guard random.chance(85) else { return mutateBytes(input, max: max) }
        var changes = JSONChanges(input, other: other, random, max: max)
        let output = changes.changed()
        random = changes.random
        return output
    }
}
