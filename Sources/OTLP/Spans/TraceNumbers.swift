import Basics

/// Numbers traces in the order in which they appear.
///
/// Hashed with factors of this process alone, so that no request can be made to collide.
package struct TraceNumbers: Sendable {
    private var ids: [TraceID] = []
    /// Indices into `ids`; -1 in an empty slot.
    private var slots = [Int32](filledWith: -1, count: 64)

    /// The spans of one trace mostly stand together, so it is tried first.
    private var latest: (id: TraceID, number: Int)?

    private static let factors = (UInt64.random(in: 0...UInt64.max) | 1, UInt64.random(in: 0...UInt64.max) | 1)

    package init() {}

    /// Forgets all.
    package mutating func clear() {
        guard !ids.isEmpty else { return }
        latest = nil
        ids.removeAll(keepingCapacity: true)
        slots = [Int32](filledWith: -1, count: 64)
    }

    /// The trace's number; the next one where it is new.
    package mutating func number(of id: TraceID) -> Int {
        if let latest, latest.id == id { return latest.number }
        let number = find(id)
        latest = (id, number)
        return number
    }

    private mutating func find(_ id: TraceID) -> Int {
        var slot = slot(of: id)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if ids[index] == id { return index }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = Int32(truncatingIfNeeded: ids.count)
        ids.append(id)
        if ids.count * 2 > slots.count { grow() }
        return ids.count - 1
    }

    private mutating func grow() {
        slots = [Int32](filledWith: -1, count: slots.count * 4)
        for index in ids.indices {
            var slot = slot(of: ids[index])
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(truncatingIfNeeded: index)
        }
    }

    private func slot(of id: TraceID) -> Int {
        let mixed = id.high &* Self.factors.0 &+ id.low &* Self.factors.1
        // The highest bits depend on all others.
        return (Int(truncatingIfNeeded: mixed >> 32) &* slots.count) >> 32
    }
}
