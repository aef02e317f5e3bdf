import Basics

/// Who holds how much of the journal's budget, and whether somebody may have more: the rule, without threads or files.
///
/// Until half of the budget is held, everything is admitted. From then on a route may hold the budget divided by the
/// number of routes that hold something, and never more than half. A route that holds nothing is let in with one
/// request, and a route that has been alone for ten minutes may hold everything.
struct ShareTable: Sendable {
    /// A route of one log.
    struct Key: Hashable, Sendable {
        let log: Int
        let route: Route
    }

    /// What a request adds to one route.
    struct Part: Equatable, Sendable {
        let key: Key
        let bytes: Int
    }

    /// A route that takes more than its share.
    struct Excess: Equatable, Sendable {
        let route: Route
        let held: Int
        let share: Int
        var log = 0

        var key: Key { Key(log: log, route: route) }
    }

    /// How long a route that holds nothing is still somebody to share with.
    static let remembered: UInt64 = 600_000_000_000
    /// How often routes are forgotten.
    private static let sweepInterval: UInt64 = 60_000_000_000

    private let budget: Int
    private let routesMax: Int
    private var usages: [Key: RouteUsage] = [:]
    /// By log: all routes that are not tracked, as if they were one.
    private var others: [RouteUsage]
    private var nextSweep = UnixTime(nanoseconds: 0)
    /// What all routes hold together.
    private(set) var held = 0
    /// How many routes hold something.
    private(set) var holders = 0

    /// - Parameters:
    ///   - budget: Bytes to be shared.
    ///   - destinations: How many each log has.
    ///   - routesMax: Routes tracked, at most; the others of a log count as one.
    init(budget: Int, destinations: [Int], routesMax: Int) {
        self.budget = budget
        self.routesMax = routesMax
        others = destinations.map(RouteUsage.init(destinations:))
    }

    /// Routes tracked now.
    var tracked: Int { usages.count }

    /// What a route holds, or all that are not tracked where it is one of them.
    func held(by key: Key) -> Int { (usages[key] ?? others[key.log]).held }

    /// Adds a request whole, or says which of its routes takes too much.
    mutating func admit(_ parts: [Part], at now: UnixTime) -> Excess? {
        let bytes = parts.reduce(0) { $0 + $1.bytes }
        if held + bytes > budget / 2, let excess = excess(of: parts, at: now) { return excess }
        for part in parts {
            update(place(of: part.key, at: now), of: part.key) { usage in
                usage.accept(part.bytes, at: now, pending: usage.unsettled.indices)
            }
        }
        return nil
    }

    /// Adds a record of an earlier process, for those of its log's destinations that have not settled it.
    mutating func restore(_ part: Part, receivedAt: UnixTime, pending: [Int]) {
        guard !pending.isEmpty else { return }
        update(place(of: part.key, at: receivedAt), of: part.key) { usage in
            usage.accept(part.bytes, at: receivedAt, pending: pending)
        }
    }

    /// A request that was admitted did not get into the journal.
    mutating func withdraw(_ parts: [Part]) {
        for part in parts { update(usages.index(forKey: part.key), of: part.key) { $0.withdraw(part.bytes) } }
    }

    /// A destination is done with a record.
    mutating func settle(_ part: Part, by destination: Int) {
        let place = usages.index(forKey: part.key)
        let rest = update(place, of: part.key) { $0.settle(part.bytes, by: destination) }
        guard place != nil, rest > 0 else { return }
        // Accepted while the route was not tracked.
        update(nil, of: part.key) { _ = $0.settle(rest, by: destination) }
    }

    /// A destination has settled something of a route at that moment.
    mutating func noteFreed(_ key: Key, at now: Duration) {
        if let index = usages.index(forKey: key) {
            usages.values[index].freedAt = now
        } else {
            others[key.log].freedAt = now
        }
    }

    /// When something of a route was settled last; nil before.
    func freedAt(_ key: Key) -> Duration? { (usages[key] ?? others[key.log]).freedAt }

    /// A destination has nothing left that was accepted before `time`: the journal gave up what was not settled.
    mutating func forget(before time: UnixTime, by destination: Int, of log: Int) {
        for key in usages.keys where key.log == log {
            update(usages.index(forKey: key), of: key) { $0.forget(before: time, by: destination) }
        }
        update(nil, of: Key(log: log, route: .none)) { $0.forget(before: time, by: destination) }
    }

    /// How a route stands that others wait for.
    func position(of key: Key) -> Excess {
        Excess(route: key.route, held: held(by: key), share: budget / max(2, holders), log: key.log)
    }

    private mutating func excess(of parts: [Part], at now: UnixTime) -> Excess? {
        sweep(at: now)
        guard !isAlone(parts) else { return nil }
        let newcomers = parts.count { held(by: $0.key) == 0 }
        let share = budget / max(2, holders + newcomers)
        for part in parts {
            let held = held(by: part.key)
            if held > 0, held + part.bytes > share {
                return Excess(route: part.key.route, held: held, share: share, log: part.key.log)
            }
        }
        return nil
    }

    /// Whether all that is known, and the request, is one route.
    private func isAlone(_ parts: [Part]) -> Bool {
        guard let route = parts.first?.key.route else { return true }
        return parts.allSatisfy { $0.key.route == route } && usages.keys.allSatisfy { $0.route == route }
            && others.allSatisfy { $0.held == 0 }
    }

    /// Where a route is tracked from now on; nil where it is one of the others.
    private mutating func place(of key: Key, at now: UnixTime) -> Dictionary<Key, RouteUsage>.Index? {
        if let index = usages.index(forKey: key) { return index }
        sweep(at: now)
        guard usages.count < routesMax else { return nil }
        usages[key] = RouteUsage(destinations: others[key.log].unsettled.count)
        return usages.index(forKey: key)
    }

    /// Changes one usage and what is counted over all.
    @discardableResult
    private mutating func update<Result>(
        _ index: Dictionary<Key, RouteUsage>.Index?,
        of key: Key,
        _ change: (inout RouteUsage) -> Result
    ) -> Result {
        let before: Int
        let after: Int
        let result: Result
        if let index {
            before = usages.values[index].held
            result = change(&usages.values[index])
            after = usages.values[index].held
        } else {
            before = others[key.log].held
            result = change(&others[key.log])
            after = others[key.log].held
        }
        held += after - before
        holders += (after > 0 ? 1 : 0) - (before > 0 ? 1 : 0)
        return result
    }

    /// Forgets routes that hold nothing and were not seen for a while.
    private mutating func sweep(at now: UnixTime) {
        guard now >= nextSweep else { return }
        nextSweep = UnixTime(nanoseconds: now.nanoseconds + Self.sweepInterval)
        usages = usages.filter {
            $0.value.held > 0 || $0.value.lastSeen.nanoseconds + Self.remembered > now.nanoseconds
        }
    }
}
