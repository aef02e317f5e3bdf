import Basics
import OTLP

/// Where the spans of one request stand, by their ids.
///
/// Hashed with a factor of this process alone, so that no request can be made to collide.
struct SpanPositions {
    private var slots: [Int32]
    private let mask: Int

    init(_ spans: Table<SpanEntry>) {
        var size = 16
        while size < spans.count * 2 { size *= 2 }
        mask = size - 1
        slots = [Int32](filledWith: -1, count: size)
        for index in spans.indices {
            var slot = slot(spans[index].spanID)
            while slots[slot] >= 0, spans[Int(slots[slot])].spanID != spans[index].spanID { slot = (slot + 1) & mask }
            if slots[slot] < 0 { slots[slot] = Int32(truncatingIfNeeded: index) }
        }
    }

    /// The first span of that id.
    func find(_ id: SpanID, _ spans: Table<SpanEntry>) -> Int? {
        var slot = slot(id)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if spans[index].spanID == id { return index }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// The span above one, of the same trace; nil where it is not in the request.
    func parent(of span: Int, _ spans: Table<SpanEntry>) -> Int? {
        guard let id = spans[span].parentID, let parent = find(id, spans), parent != span,
            spans[parent].traceID == spans[span].traceID
        else { return nil }
        return parent
    }

    private static let factor = UInt64.random(in: 0...UInt64.max) | 1

    /// By the highest bits, which depend on all others.
    private func slot(_ id: SpanID) -> Int {
        (Int(truncatingIfNeeded: (id.value &* Self.factor) >> 32) &* slots.count) >> 32
    }
}
