import OTLP

/// What the spans of one request say about their traces.
struct TraceFacts {
    /// A session or user that some span names.
    struct Candidate {
        let attribute: Int
        let rank: Int
    }

    struct Trace {
        var sessionOfRoot: Candidate?
        var session: Candidate?
        var userOfRoot: Candidate?
        var user: Candidate?
        /// The first span in the request that MLflow takes a session from: the attribute, and whether it is the
        /// conversation's id, which `session.id` beats.
        var visible: (span: Int, attribute: Int, isConversation: Bool)?
    }

    private(set) var traces: [Trace] = []
    /// Roots, each with its trace.
    private(set) var roots: [(span: Int, trace: Int)] = []
    /// Spans that carry usage and are no model calls.
    private(set) var wrappers: [Int] = []
    /// Model calls with usage.
    private(set) var modelCalls: [Int] = []
    private var indices = TraceIndices()
    private var latest: (id: TraceID, index: Int)?

    mutating func clear() {
        traces.removeAll(keepingCapacity: true)
        roots.removeAll(keepingCapacity: true)
        wrappers.removeAll(keepingCapacity: true)
        modelCalls.removeAll(keepingCapacity: true)
        indices.clear()
        latest = nil
    }

    /// Changes what is known of one trace.
    mutating func update(_ id: TraceID, _ change: (inout Trace) -> Void) {
        change(&traces[index(of: id)])
    }

    mutating func noteRoot(_ span: Int, of id: TraceID) {
        roots.append((span, index(of: id)))
    }

    mutating func noteWrapper(_ span: Int) { wrappers.append(span) }
    mutating func noteModelCall(_ span: Int) { modelCalls.append(span) }

    /// The spans of one trace mostly stand together, so the latest is tried first.
    private mutating func index(of id: TraceID) -> Int {
        if let latest, latest.id == id { return latest.index }
        let index = indices.index(of: id)
        if index == traces.count { traces.append(Trace()) }
        latest = (id, index)
        return index
    }
}

/// Numbers traces in the order in which they appear.
///
/// Hashed with factors of this process alone, so that no request can be made to collide.
private struct TraceIndices {
    private var ids: [TraceID] = []
    /// Indices into `ids`; -1 in an empty slot.
    private var slots = [Int32](repeating: -1, count: 64)

    private static let factors = (UInt64.random(in: 0...UInt64.max) | 1, UInt64.random(in: 0...UInt64.max) | 1)

    mutating func clear() {
        guard !ids.isEmpty else { return }
        ids.removeAll(keepingCapacity: true)
        slots = [Int32](repeating: -1, count: 64)
    }

    /// The trace's number; the next one where it is new.
    mutating func index(of id: TraceID) -> Int {
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
        slots = [Int32](repeating: -1, count: slots.count * 4)
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
