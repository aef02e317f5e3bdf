import Basics
import OTLP
import Pipeline

/// The records of a trace as one request, in an order that does not depend on when they came: by their first spans.
struct TraceDraft {
    /// The request.
    let bytes: [UInt8]
    /// Its spans, in their order.
    let heads: [SpanHead]
    /// By span: the record that it came in, an index into the parts.
    let parts: [Int32]

    init(_ records: [WholeTrace.Part]) {
        let read = records.map { SpanHead.all(in: $0.payload) }
        let order = records.indices.sorted { left, right in
            let (first, second) = (Self.begin(of: read[left]), Self.begin(of: read[right]))
            guard first == second else { return first < second }
            return records[left].payload.lexicographicallyPrecedes(records[right].payload)
        }
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
        var first = (UInt64.max, UInt64.max)
        for head in heads { first = min(first, (head.start, head.id.value), by: <) }
        return first
    }

    /// The request as it is, without anything that the whole trace decides.
    func asItCame(_ trace: WholeTrace) -> AssembledTrace {
        AssembledTrace(route: trace.parts.first?.metadata.route ?? .none, payload: bytes, items: heads.count)
    }
}

private func min<Value>(_ left: Value, _ right: Value, by precedes: (Value, Value) -> Bool) -> Value {
    precedes(right, left) ? right : left
}
