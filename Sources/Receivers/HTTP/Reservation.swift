import Pipeline

/// A share of the memory budget, given back when the last reference goes.
final class Reservation {
    private let budget: MemoryBudget
    private(set) var bytes = 0

    init(_ budget: MemoryBudget) {
        self.budget = budget
    }

    deinit {
        budget.release(bytes)
    }

    /// Makes the share at least `total` bytes; false, and nothing changed, where the budget does not allow it.
    func grow(to total: Int) -> Bool {
        guard total > bytes else { return true }
        guard budget.reserve(total - bytes) else { return false }
        bytes = total
        return true
    }

    /// Makes the share at most `total` bytes.
    func shrink(to total: Int) {
        guard total < bytes else { return }
        budget.release(bytes - total)
        bytes = total
    }
}
