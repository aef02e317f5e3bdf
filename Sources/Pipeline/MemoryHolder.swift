import Basics
import Synchronization

/// What one client holds of a memory budget, and what it may hold while others are there.
///
/// Until half of the budget is reserved, everybody takes what there is. From then on a client may hold the budget divided by one
/// more than there are clients that hold something, so that a newcomer finds room; where no other client has a connection it may
/// hold everything, and one request alone is let in whatever it needs. It lives as long as connections and requests of its client do,
/// so that nobody gets a new share by connecting again while something is held. Any thread.
package final class MemoryHolder: Sendable {
    /// The client.
    package let sender: Sender
    private let number: UInt64
    private let budget: MemoryBudget
    private let held = Atomic<Int>(0)
    private let claimed = Atomic<Int>(0)

    fileprivate init(_ sender: Sender, _ number: UInt64, _ budget: MemoryBudget) {
        self.sender = sender
        self.number = number
        self.budget = budget
    }

    deinit {
        budget.holders.forget(sender, number)
    }

    /// Whether it would hold more than its share by so many bytes more.
    ///
    /// `own` of what it holds or waits for are the request's that needs them: a request that is its only one is never too much.
    package func isOverShare(adding bytes: Int, besides own: Int = 0) -> Bool {
        guard bytes > budget.limit.bytes / 2 - budget.inUse, budget.holders.count > 1 else { return false }
        let used = held.load(ordering: .relaxed) + claimed.load(ordering: .relaxed)
        return used > own && used + bytes > share
    }

    /// The bytes that it may hold.
    package var share: Int { budget.limit.bytes / (max(1, budget.holders.active) + 1) }

    /// What it is told when it would hold more.
    package var excess: String {
        "the requests of this client in flight hold more than their share of the memory limit, \(ByteCount(bytes: share))"
    }

    /// Something is reserved for it.
    func add(_ bytes: Int) {
        if bytes > 0, held.wrappingAdd(bytes, ordering: .relaxed).oldValue == 0 { budget.holders.activate(1) }
    }

    /// Something of it is given back.
    func subtract(_ bytes: Int) {
        if bytes > 0, held.wrappingSubtract(bytes, ordering: .relaxed).newValue == 0 { budget.holders.activate(-1) }
    }

    fileprivate func claim(_ bytes: Int) {
        claimed.wrappingAdd(bytes, ordering: .relaxed)
    }
}

/// What a request that waits for memory will need, counted against its client's share.
package final class MemoryClaim: Sendable {
    /// Bytes.
    package let bytes: Int
    private let holder: MemoryHolder

    package init(_ bytes: Int, of holder: MemoryHolder) {
        self.bytes = bytes
        self.holder = holder
        holder.claim(bytes)
    }

    deinit {
        holder.claim(-bytes)
    }
}

/// The clients of a memory budget.
///
/// Any thread.
final class MemoryHolders: Sendable {
    private struct Entry {
        let number: UInt64
        weak var holder: MemoryHolder?
    }

    private struct State {
        var entries: [Sender: Entry] = [:]
        var nextNumber: UInt64 = 0
    }

    private let state = Mutex(State())
    private let connected = Atomic<Int>(0)
    private let holding = Atomic<Int>(0)

    /// Clients that have a connection or a request.
    var count: Int { connected.load(ordering: .relaxed) }
    /// Clients that hold something.
    var active: Int { holding.load(ordering: .relaxed) }

    func holder(of sender: Sender, in budget: MemoryBudget) -> MemoryHolder {
        state.withLock { state in
            if let holder = state.entries[sender]?.holder { return holder }
            let holder = MemoryHolder(sender, state.nextNumber, budget)
            state.entries[sender] = Entry(number: state.nextNumber, holder: holder)
            state.nextNumber += 1
            connected.wrappingAdd(1, ordering: .relaxed)
            return holder
        }
    }

    /// The holder of that number goes; another one may have taken its place.
    fileprivate func forget(_ sender: Sender, _ number: UInt64) {
        connected.wrappingSubtract(1, ordering: .relaxed)
        state.withLock { state in
            if state.entries[sender]?.number == number { state.entries[sender] = nil }
        }
    }

    fileprivate func activate(_ change: Int) {
        holding.wrappingAdd(change, ordering: .relaxed)
    }
}
