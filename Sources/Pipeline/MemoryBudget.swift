package import Basics
import Synchronization

/// The bytes that receivers may hold at once, shared by all of them.
///
/// Callers reserve before they hold and release what they reserved; over the limit nothing is reserved. Whoever has not
/// begun to hold anything may wait in `line` until there is room. Any thread.
package final class MemoryBudget: Sendable {
    private let limitBytes: Atomic<Int>
    /// Who waits for room; told of everything that is released.
    package let line: WaitingLine

    let holders = MemoryHolders()
    private let held = Atomic<Int>(0)
    private let missed = Atomic<Int>(0)
    /// What may come ahead at least, in bytes.
    private static let aheadMin = 65_536

    /// - Parameters:
    ///   - limit: The most that is held at once.
    ///   - waiting: Counts who waits for room.
    package init(limit: ByteCount, waiting: Counter? = nil) {
        limitBytes = Atomic(limit.bytes)
        line = WaitingLine(bytesMax: limit, held: waiting)
    }

    /// The most that is held at once.
    package var limit: ByteCount { ByteCount(bytes: limitBytes.load(ordering: .relaxed)) }

    /// Another limit from now on; what is reserved over it stays until it is released.
    package func change(limit: ByteCount) {
        limitBytes.store(limit.bytes, ordering: .relaxed)
        line.change(bytesMax: limit)
    }

    /// What a client holds, counted over all its connections; to be kept for as long as it has one.
    package func holder(of sender: Sender) -> MemoryHolder { holders.holder(of: sender, in: self) }

    /// Whether so much could be reserved now.
    package func hasRoom(for bytes: Int) -> Bool { bytes <= limit.bytes - inUse }

    /// Whether more than three quarters are reserved, or somebody waits for room.
    package var isShort: Bool { inUse > limit.bytes / 4 * 3 || !line.isEmpty }

    /// Requests that were turned away because others held the room that they needed.
    package var shortages: Int { missed.load(ordering: .relaxed) }

    /// A request is turned away although nothing was reserved for it.
    package func noteShortage() { missed.wrappingAdd(1, ordering: .relaxed) }

    /// What is reserved now, in bytes.
    package var inUse: Int { held.load(ordering: .relaxed) }

    /// Takes `bytes` from the budget; false, and nothing taken, where the limit does not allow it.
    ///
    /// What `isAhead` came already, with what waits for room; they may go over the limit by a 16th of it.
    package func reserve(_ bytes: Int, isAhead: Bool = false) -> Bool {
        guard bytes > 0 else { return true }
        let most = isAhead ? limit.bytes + max(limit.bytes / 16, Self.aheadMin) : limit.bytes
        var current = held.load(ordering: .relaxed)
        while bytes <= most - current {
            let (exchanged, original) = held.weakCompareExchange(
                expected: current,
                desired: current + bytes,
                ordering: .relaxed
            )
            if exchanged { return true }
            current = original
        }
        noteShortage()
        return false
    }

    /// Gives back what `reserve` took.
    package func release(_ bytes: Int) {
        guard bytes > 0 else { return }
        let before = held.wrappingSubtract(bytes, ordering: .relaxed).oldValue
        assert(before >= bytes, "released \(bytes) of \(before) bytes held")
        line.roomIsFreed()
    }
}
