import Basics
import Journal

/// What one sender holds of the journal, by log and route.
struct SenderAccount: Sendable {
    private var routes: [ShareTable.Key: RouteUsage] = [:]
    /// How many destinations each log has.
    private let destinations: [LogID: Int]
    /// By log: all routes that are not tracked, as if they were one.
    private var others: [LogID: RouteUsage]
    /// What all its routes hold together.
    private(set) var held = 0
    /// How many of its routes hold something.
    private(set) var holders = 0
    /// When something of it was accepted last.
    private(set) var lastSeen = UnixTime(nanoseconds: 0)

    /// When something of it was settled last, by the monotonic clock; nil before.
    private var freedAt: Duration?

    /// - Parameter destinations: How many each log has.
    init(destinations: [LogID: Int]) {
        self.destinations = destinations
        others = destinations.mapValues(RouteUsage.init(destinations:))
    }

    /// Routes tracked now.
    var tracked: Int { routes.count }

    /// What a route holds, or all that are not tracked where it is one of them.
    func held(by key: ShareTable.Key) -> Int { (routes[key] ?? others[key.log])?.held ?? 0 }

    /// Whether all that is known of the sender, and the request, is one route.
    func isAlone(_ parts: [ShareTable.Part]) -> Bool {
        guard let first = parts.first?.key else { return true }
        let isSame = { (key: ShareTable.Key) in key.route == first.route && key.service == first.service }
        return parts.allSatisfy { isSame($0.key) } && routes.keys.allSatisfy(isSame)
            && others.values.allSatisfy { $0.held == 0 }
    }

    /// Adds a record for the destinations at `pending`; `mayTrack` says whether there is room for a route of its own.
    mutating func accept(
        _ key: ShareTable.Key,
        _ bytes: Int,
        at now: UnixTime,
        pending: some Sequence<Int>,
        mayTrack: Bool
    ) {
        lastSeen = max(lastSeen, now)
        var place = routes.index(forKey: key)
        if place == nil, mayTrack {
            routes[key] = RouteUsage(destinations: destinations[key.log] ?? 0)
            place = routes.index(forKey: key)
        }
        update(place, of: key.log) { $0.accept(bytes, at: now, pending: pending) }
    }

    /// A destination is done with a record; returns the bytes of it that were not counted here.
    mutating func settle(_ key: ShareTable.Key, _ bytes: Int, by settlement: ShareTable.Settlement) -> Int {
        freedAt = settlement.time ?? freedAt
        let place = routes.index(forKey: key)
        let rest = update(place, of: key.log) { $0.settle(bytes, by: settlement) }
        guard place != nil, rest > 0 else { return rest }
        // Accepted while the route was not tracked.
        return update(nil, of: key.log) { $0.settle(rest, by: settlement) }
    }

    /// A destination has put a record into its parked log; returns the bytes of it that were not counted here.
    mutating func park(_ key: ShareTable.Key, _ bytes: Int, by destination: Int, at time: UnixTime) -> Int {
        let place = routes.index(forKey: key)
        let rest = update(place, of: key.log) { $0.park(bytes, by: destination, at: time) }
        guard place != nil, rest > 0 else { return rest }
        return update(nil, of: key.log) { $0.park(rest, by: destination, at: time) }
    }

    /// When something of a route, or of all of them, was settled last; nil before.
    func freedAt(_ key: ShareTable.Key?) -> Duration? { key.map { (routes[$0] ?? others[$0.log])?.freedAt } ?? freedAt }

    /// A destination of a log has nothing left that was accepted before `time`, nor moved before `moveTime`.
    mutating func forget(
        before time: UnixTime,
        movedBefore moveTime: UnixTime,
        by destination: Int,
        of log: LogID
    ) {
        updateAll(of: log) { $0.forget(before: time, movedBefore: moveTime, by: destination) }
    }

    private mutating func updateAll(of log: LogID, _ change: (inout RouteUsage) -> Void) {
        var index = routes.startIndex
        while index < routes.endIndex {
            if routes[index].key.log == log { update(index, of: log, change) }
            routes.formIndex(after: &index)
        }
        update(nil, of: log, change)
    }

    /// Forgets routes that hold nothing and were not seen since then.
    mutating func sweep(notSeenSince limit: UnixTime) {
        routes = routes.filter { $0.value.held > 0 || $0.value.lastSeen > limit }
    }

    /// Changes one usage and what is counted over all.
    @discardableResult
    private mutating func update<Result>(
        _ index: Dictionary<ShareTable.Key, RouteUsage>.Index?,
        of log: LogID,
        _ change: (inout RouteUsage) -> Result
    ) -> Result {
        let before: Int
        let after: Int
        let result: Result
        if let index {
            before = routes.values[index].held
            result = change(&routes.values[index])
            after = routes.values[index].held
        } else {
            before = others[log]?.held ?? 0
            result = change(&others[log, default: RouteUsage(destinations: destinations[log] ?? 0)])
            after = others[log]?.held ?? 0
        }
        held += after - before
        holders += (after > 0 ? 1 : 0) - (before > 0 ? 1 : 0)
        return result
    }
}
