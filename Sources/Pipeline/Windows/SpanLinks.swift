import Basics
import OTLP

/// Which spans of all open traces are there, and which are missing though others name them as their parents.
///
/// Some 30 bytes a span: one link, and its place in the table.
struct SpanLinks: Sendable {
    /// What one link and its place take.
    static let linkBytes = MemoryLayout<Link>.stride + 2 * MemoryLayout<UInt32>.stride

    /// A span by its id, seen or missing.
    private struct Link: Sendable {
        let id: UInt64
        let trace: UInt32
        var nextInSlot: UInt32
        let nextOfTrace: UInt32
        var isSeen: Bool
        /// While it is missing: whether one that names it does not say that it is remote.
        var isLocal: Bool
    }

    /// What one trace has in here.
    struct Chain: Sendable {
        fileprivate var first = noNumber
        /// Parents that were not seen.
        fileprivate(set) var missing: UInt32 = 0
        /// Those of them that are not in another process, as far as is known.
        fileprivate(set) var missingHere: UInt32 = 0
    }

    private var links = Slab<Link>()
    private var slots = [UInt32](filledWith: noNumber, count: 64)

    private static let factors = (UInt64.random(in: 0...UInt64.max) | 1, UInt64.random(in: 0...UInt64.max) | 1)

    init() {}

    var count: Int { links.count }

    /// Notes a span of a trace, and the parent that it names.
    mutating func see(_ span: SpanSighting, of trace: UInt32, _ chain: inout Chain) {
        let own = find(span.id.value, of: trace, &chain, isSeen: true)
        if !links[own].isSeen {
            links[own].isSeen = true
            chain.missing -= 1
            if links[own].isLocal { chain.missingHere -= 1 }
        }
        guard let parent = span.parent else { return }
        let before = links.count
        let link = find(parent.value, of: trace, &chain, isSeen: false)
        if links.count > before { chain.missing += 1 }
        guard !links[link].isSeen, !span.isParentRemote, !links[link].isLocal else { return }
        links[link].isLocal = true
        chain.missingHere += 1
    }

    /// Forgets the spans of a trace.
    mutating func remove(_ chain: Chain) {
        var number = chain.first
        while number != noNumber {
            let link = links[number]
            takeOut(number, slot(link.id, link.trace))
            links.remove(number)
            number = link.nextOfTrace
        }
        if links.count == 0, slots.count > 64 { slots = [UInt32](filledWith: noNumber, count: 64) }
    }

    /// The link of a span, a new one where it has none.
    private mutating func find(_ id: UInt64, of trace: UInt32, _ chain: inout Chain, isSeen: Bool) -> UInt32 {
        var slot = slot(id, trace)
        var number = slots[slot]
        while number != noNumber {
            if links[number].id == id, links[number].trace == trace { return number }
            number = links[number].nextInSlot
        }
        if links.count >= slots.count {
            grow()
            slot = self.slot(id, trace)
        }
        number = links.insert(
            Link(
                id: id,
                trace: trace,
                nextInSlot: slots[slot],
                nextOfTrace: chain.first,
                isSeen: isSeen,
                isLocal: false
            )
        )
        slots[slot] = number
        chain.first = number
        return number
    }

    private mutating func takeOut(_ number: UInt32, _ slot: Int) {
        let next = links[number].nextInSlot
        guard slots[slot] != number else { return slots[slot] = next }
        var before = slots[slot]
        while links[before].nextInSlot != number { before = links[before].nextInSlot }
        links[before].nextInSlot = next
    }

    private mutating func grow() {
        let old = slots
        slots = [UInt32](filledWith: noNumber, count: old.count * 2)
        for first in old {
            var number = first
            while number != noNumber {
                let link = links[number]
                let slot = slot(link.id, link.trace)
                links[number].nextInSlot = slots[slot]
                slots[slot] = number
                number = link.nextInSlot
            }
        }
    }

    /// By the highest bits, which depend on all others.
    private func slot(_ id: UInt64, _ trace: UInt32) -> Int {
        let mixed = (id &+ UInt64(trace) &* Self.factors.0) &* Self.factors.1
        return (Int(truncatingIfNeeded: mixed >> 32) &* slots.count) >> 32
    }
}
