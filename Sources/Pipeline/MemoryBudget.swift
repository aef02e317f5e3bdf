package import Basics
import Synchronization

/// The bytes that receivers may hold at once, shared by all of them.
///
/// Callers reserve before they hold and release what they reserved. There is no waiting: over the limit a receiver answers
/// that there is no room now. Any thread.
package final class MemoryBudget: Sendable {
    /// The most that is held at once.
    package let limit: ByteCount

    private let held = Atomic<Int>(0)

    package init(limit: ByteCount) {
        self.limit = limit
    }

    /// What is reserved now, in bytes.
    package var inUse: Int { held.load(ordering: .relaxed) }

    /// Takes `bytes` from the budget; false, and nothing taken, where the limit does not allow it.
    package func reserve(_ bytes: Int) -> Bool {
        guard bytes > 0 else { return true }
        var current = held.load(ordering: .relaxed)
        while bytes <= limit.bytes - current {
            let (exchanged, original) = held.weakCompareExchange(
                expected: current,
                desired: current + bytes,
                ordering: .relaxed
            )
            if exchanged { return true }
            current = original
        }
        return false
    }

    /// Gives back what `reserve` took.
    package func release(_ bytes: Int) {
        guard bytes > 0 else { return }
        let before = held.wrappingSubtract(bytes, ordering: .relaxed).oldValue
        assert(before >= bytes, "released \(bytes) of \(before) bytes held")
    }
}
