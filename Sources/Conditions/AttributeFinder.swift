import Basics
import OTLP

/// Finds the attributes of some keys by one pass over those of each span or resource.
struct AttributeFinder: Sendable {
    private var keys: [String] = []
    private var table = KeyTable([])
    /// By key: the last attribute found; one that is outside of the attributes asked about belongs to others.
    private var positions: [Int32] = []
    /// The first attribute of those that the latest pass went over; -1 before the first pass.
    private var latest = -1

    /// The number of a key; the same for the same key.
    mutating func slot(of key: String) -> Int {
        if let known = keys.firstIndex(of: key) { return known }
        keys.append(key)
        return keys.count - 1
    }

    /// Ends the time of `slot(of:)`; `find` comes after.
    mutating func finish() {
        table = KeyTable(keys)
        positions = [Int32](repeating: -1, count: keys.count)
    }

    /// Forgets a request.
    mutating func clear() {
        latest = -1
        for index in positions.indices { positions[index] = -1 }
    }

    /// The last attribute of a key among `attributes`, those of one span or resource, as a decoder would see it.
    mutating func find(
        _ slot: Int,
        in attributes: Range<Int>,
        of batch: borrowing SpanBatch,
        _ steps: inout Int
    ) -> Int? {
        guard !attributes.isEmpty else { return nil }
        if latest != attributes.lowerBound {
            latest = attributes.lowerBound
            steps += attributes.count
            let bytes = batch.bytes.span.bytes
            for index in attributes {
                guard let slot = table.find(bytes, batch.attributes[index].key) else { continue }
                positions[slot] = Int32(truncatingIfNeeded: index)
            }
        }
        let position = Int(positions[slot])
        return attributes.contains(position) ? position : nil
    }
}
