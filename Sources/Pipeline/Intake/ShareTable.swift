import Basics
import Journal

/// Who holds how much of the journal's budget, and whether somebody may have more: the rule, without threads or files.
///
/// Until half of the budget is held, everything is admitted. From then on the budget is divided twice. A sender may hold
/// the budget divided by the number of senders that hold something, and never more than half; a sender that holds nothing
/// is let in with one request, and one that has been alone for ten minutes may hold everything. What a sender may hold is
/// divided in the same way among its routes, whose names it chooses: they take nothing from other senders.
struct ShareTable: Sendable {
    /// A route of one sender in one log; before a window, where nothing has a route, one of its services.
    struct Key: Hashable, Sendable {
        let log: LogID
        let sender: Sender
        let route: Route
        var service = ""
    }

    /// What a request adds to one route.
    struct Part: Equatable, Sendable {
        let key: Key
        let bytes: Int
    }

    /// A destination is done with a record.
    struct Settlement: Sendable {
        let destination: Int
        /// Whether the record lay in the destination's parked log.
        var wasParked = false
        /// When it frees room for others, by the monotonic clock; nil for what frees none.
        var time: Duration?
    }

    /// Whose share it is: a sender's with all its routes, or that of one route.
    struct Claim: Hashable, Sendable {
        let sender: Sender
        /// Nil for the sender with all its routes.
        var key: Key?
    }

    /// A sender or a route of it that takes more than its share.
    struct Excess: Equatable, Sendable {
        let claim: Claim
        let held: Int
        let share: Int
    }

    /// How long somebody who holds nothing is still somebody to share with.
    static let remembered: UInt64 = 600_000_000_000
    /// How often senders and routes are forgotten.
    private static let sweepInterval: UInt64 = 60_000_000_000

    private let budget: Int
    /// Those of each log that get what is accepted.
    private var destinations: [LogID: [Int]]
    private let routesMax: Int
    private let sendersMax: Int
    /// Nil for all senders that are not tracked, as if they were one.
    private(set) var accounts: [Sender?: SenderAccount] = [:]
    private var nextSweep = UnixTime(nanoseconds: 0)
    /// What all senders hold together.
    private(set) var held = 0
    /// Senders that hold something.
    private var holders = 0
    /// Routes tracked now.
    private(set) var tracked = 0

    /// - Parameters:
    ///   - budget: Bytes to be shared.
    ///   - destinations: How many each log has.
    ///   - routesMax: Routes tracked, at most; the others of a sender count as one for each log.
    ///   - sendersMax: Senders tracked, at most; the others count as one.
    init(budget: Int, destinations: [LogID: Int], routesMax: Int, sendersMax: Int) {
        self.budget = budget
        self.destinations = destinations.mapValues { Array(0..<$0) }
        self.routesMax = routesMax
        self.sendersMax = sendersMax
    }

    /// Other destinations from now on, by log; a new one has a number that none had before.
    mutating func change(destinations: [LogID: [Int]]) {
        self.destinations = destinations
    }

    /// Adds a request whole, or says what of it takes too much; all parts are of one sender.
    mutating func admit(_ parts: [Part], at now: UnixTime) -> Excess? {
        let bytes = parts.reduce(0) { $0 + $1.bytes }
        if held + bytes > budget / 2, let excess = excess(of: parts, bytes, at: now) { return excess }
        for part in parts { accept(part, at: now, pending: destinations[part.key.log] ?? []) }
        return nil
    }

    /// Adds a record of an earlier process, for those of its log's destinations that have not settled it.
    mutating func restore(_ part: Part, receivedAt: UnixTime, pending: [Int]) {
        guard !pending.isEmpty else { return }
        accept(part, at: receivedAt, pending: pending)
    }

    /// A destination has put a record into its parked log: it is held as before.
    mutating func park(_ part: Part, by destination: Int, at time: UnixTime) {
        var rest = part.bytes
        for sender in [part.key.sender, nil] where rest > 0 {
            guard let index = accounts.index(forKey: sender) else { continue }
            rest = update(index) { $0.park(part.key, rest, by: destination, at: time) }
        }
    }

    /// A request that was admitted did not get into the journal.
    mutating func withdraw(_ parts: [Part]) {
        for part in parts {
            for destination in destinations[part.key.log] ?? [] {
                settle(part, by: Settlement(destination: destination))
            }
        }
    }

    /// A destination is done with a record.
    mutating func settle(_ part: Part, by settlement: Settlement) {
        var rest = part.bytes
        // A sender that is tracked only now was one of the others when the record was accepted.
        for sender in [part.key.sender, nil] where rest > 0 {
            guard let index = accounts.index(forKey: sender) else { continue }
            rest = update(index) { $0.settle(part.key, rest, by: settlement) }
        }
    }

    /// When something of that share was settled last; nil before.
    func freedAt(_ claim: Claim) -> Duration? { account(of: claim.sender)?.freedAt(claim.key) }

    /// How a share stands that others wait for.
    func position(of claim: Claim) -> Excess {
        let account = account(of: claim.sender)
        let held = claim.key.map { account?.held(by: $0) ?? 0 } ?? account?.held ?? 0
        let divisor = claim.key == nil ? holders : holders * (account?.holders ?? 1)
        return Excess(claim: claim, held: held, share: budget / max(2, divisor))
    }

    private func account(of sender: Sender) -> SenderAccount? { accounts[sender] ?? accounts[nil] }

    /// A destination has nothing left that was accepted before `time`, nor put into its parked log before `moveTime`: the
    /// journal gave up what was not settled.
    mutating func forget(
        before time: UnixTime,
        movedBefore moveTime: UnixTime,
        by destination: Int,
        of log: LogID
    ) {
        updateAll { $0.forget(before: time, movedBefore: moveTime, by: destination, of: log) }
    }

    private mutating func accept(_ part: Part, at now: UnixTime, pending: some Sequence<Int>) {
        sweep(at: now)
        let isTracked = accounts[part.key.sender] != nil || accounts.count < sendersMax
        let sender = isTracked ? part.key.sender : nil
        let index: Dictionary<Sender?, SenderAccount>.Index
        if let known = accounts.index(forKey: sender) {
            index = known
        } else {
            accounts[sender] = SenderAccount(destinations: destinations.mapValues(\.count))
            guard let new = accounts.index(forKey: sender) else { return }
            index = new
        }
        let hasRoom = isTracked && tracked < routesMax
        update(index) { $0.accept(part.key, part.bytes, at: now, pending: pending, mayTrack: hasRoom) }
    }

    private mutating func excess(of parts: [Part], _ bytes: Int, at now: UnixTime) -> Excess? {
        sweep(at: now)
        guard let sender = parts.first?.key.sender else { return nil }
        let known = accounts[sender] ?? (accounts.count < sendersMax ? nil : accounts[nil])
        let account = known ?? SenderAccount(destinations: destinations.mapValues(\.count))
        var room = budget
        if accounts.keys.contains(where: { $0 != sender }) {
            room = budget / max(2, holders + (account.held == 0 ? 1 : 0))
            if account.held > 0, account.held + bytes > room {
                return Excess(claim: Claim(sender: sender), held: account.held, share: room)
            }
        }
        guard !account.isAlone(parts) else { return nil }
        let newcomers = parts.count { account.held(by: $0.key) == 0 }
        let share = room / max(2, account.holders + newcomers)
        for part in parts {
            let held = account.held(by: part.key)
            if held > 0, held + part.bytes > share {
                return Excess(claim: Claim(sender: sender, key: part.key), held: held, share: share)
            }
        }
        return nil
    }

    /// Changes one account and what is counted over all.
    @discardableResult
    private mutating func update<Result>(
        _ index: Dictionary<Sender?, SenderAccount>.Index,
        _ change: (inout SenderAccount) -> Result
    ) -> Result {
        let (before, trackedBefore) = (accounts.values[index].held, accounts.values[index].tracked)
        let result = change(&accounts.values[index])
        let after = accounts.values[index].held
        held += after - before
        holders += (after > 0 ? 1 : 0) - (before > 0 ? 1 : 0)
        tracked += accounts.values[index].tracked - trackedBefore
        return result
    }

    private mutating func updateAll(_ change: (inout SenderAccount) -> Void) {
        var index = accounts.startIndex
        while index < accounts.endIndex {
            update(index, change)
            accounts.formIndex(after: &index)
        }
    }

    /// Forgets routes and senders that hold nothing and were not seen for a while.
    private mutating func sweep(at now: UnixTime) {
        guard now >= nextSweep else { return }
        nextSweep = UnixTime(nanoseconds: now.nanoseconds + Self.sweepInterval)
        let limit = UnixTime(nanoseconds: now.nanoseconds - min(now.nanoseconds, Self.remembered))
        updateAll { $0.sweep(notSeenSince: limit) }
        accounts = accounts.filter { $0.value.held > 0 || $0.value.lastSeen > limit }
    }
}
