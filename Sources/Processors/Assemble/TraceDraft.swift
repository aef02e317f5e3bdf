import Basics
import OTLP
import Pipeline

/// The records of a trace as one request, in an order that does not depend on when they came: by their first spans.
///
/// A record that is byte for byte one that the same client sent before is there once: a client that gets no answer sends again.
struct TraceDraft {
    /// The request.
    let bytes: [UInt8]
    /// Its spans, in their order.
    let heads: [SpanHead]
    /// By span: the record that it came in, an index into the parts.
    let parts: [Int32]

    init(_ records: [WholeTrace.Part]) {
        let read = records.map { SpanHead.all(in: $0.payload) }
        let begins = read.map(Self.begin)
        let order = records.indices.sorted { left, right in
            guard begins[left] == begins[right] else { return begins[left] < begins[right] }
            return records[left].payload.lexicographicallyPrecedes(records[right].payload)
        }
        .withoutRepeats(records)
        if records.count == 1 {
            bytes = records[0].payload
        } else {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(records.reduce(0) { $0 + $1.payload.count })
            for index in order { bytes += records[index].payload }
            self.bytes = bytes
        }
        heads = order.flatMap { read[$0] }
        parts = order.flatMap { [Int32](repeating: Int32($0), count: read[$0].count) }
    }

    /// When the first of a record's spans starts, and its id.
    private static func begin(of heads: [SpanHead]) -> (UInt64, UInt64) {
        heads.lazy.map { ($0.start, $0.id.value) }.min(by: <) ?? (.max, .max)
    }

    /// The request as it is, without anything that the whole trace decides.
    func asItCame(_ trace: WholeTrace) -> AssembledTrace {
        let first = trace.parts.first?.metadata
        var made = AssembledTrace(
            route: trace.decided?.route ?? first?.route ?? .none,
            payload: bytes,
            items: heads.count
        )
        if !bytes.isEmpty, first?.experiments.isEmpty == false { made.refusal = "it could not be put together" }
        return made
    }
}

extension [Int] {
    /// Without those whose record equals the one before.
    fileprivate func withoutRepeats(_ records: [WholeTrace.Part]) -> [Int] {
        var kept: [Int] = []
        for index in self {
            guard let last = kept.last, records[last].isRepeated(by: records[index]) else {
                kept.append(index)
                continue
            }
        }
        return kept
    }
}

extension WholeTrace.Part {
    /// Whether another is the same once more, of the same client.
    fileprivate func isRepeated(by other: Self) -> Bool {
        payload == other.payload && metadata.identity == other.metadata.identity
            && metadata.headers == other.metadata.headers
    }
}
