import Basics
import Synchronization

/// What one request holds of the memory budget, given back when the last reference goes.
///
/// One thread at a time.
package final class Reservation: Sendable {
    private let budget: MemoryBudget
    /// Whom it counts for; nil for nobody.
    package let holder: MemoryHolder?
    private let held = Atomic<Int>(0)

    /// Nothing is reserved yet.
    package init(_ budget: MemoryBudget, of holder: MemoryHolder? = nil) {
        self.budget = budget
        self.holder = holder
    }

    deinit {
        release(bytes)
    }

    /// Bytes reserved now.
    package var bytes: Int { held.load(ordering: .relaxed) }

    /// Bytes that nobody has reserved.
    package var available: Int { max(0, budget.limit.bytes - budget.inUse) }

    /// The most that it could ever be.
    package var limit: Int { budget.limit.bytes }

    /// Whether nobody else has reserved anything.
    package var isAlone: Bool { budget.inUse <= bytes }

    /// The request is turned away because others hold what it needs.
    package func noteShortage() { budget.noteShortage() }

    /// Makes it at least `total` bytes; false, and nothing changed, where the budget does not allow it.
    ///
    /// `isAhead` is as in `MemoryBudget.reserve`.
    package func grow(to total: Int, isAhead: Bool = false) -> Bool {
        let bytes = bytes
        guard total > bytes else { return true }
        guard budget.reserve(total - bytes, isAhead: isAhead) else { return false }
        held.store(total, ordering: .relaxed)
        holder?.add(total - bytes)
        return true
    }

    /// Makes it at most `total` bytes.
    package func shrink(to total: Int) {
        let bytes = bytes
        guard total < bytes else { return }
        held.store(total, ordering: .relaxed)
        release(bytes - total)
    }

    /// Whether its client would hold more than its share by that much more, and not by this alone.
    package func isOverShare(adding bytes: Int) -> Bool {
        holder?.isOverShare(adding: bytes, besides: self.bytes) ?? false
    }

    private func release(_ bytes: Int) {
        // Those who wait are told of it, and ask what is held.
        holder?.subtract(bytes)
        budget.release(bytes)
    }
}
