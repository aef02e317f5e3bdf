import Basics
import Pipeline

/// Numbers for routes, which traces are remembered with instead of names.
///
/// A number is never given twice: a trace that is remembered with the number of a forgotten route is itself forgotten. The
/// routes that settings name have numbers whatever clients ask for, and are never forgotten.
struct RouteNumbers: Sendable {
    /// Routes that members are bound to by name, at most.
    private static let ownMax = 65_536

    /// The number of the default in place of a route that has none; where the sources chose the default, it has another one.
    private(set) var insteadOfOther: UInt32 = 1
    private var defaultRoute: Route
    private var fixed: [Route]
    /// Routes that their senders are bound to by name.
    private var own: [UInt32: Route] = [:]
    private var numbers: [Route: UInt32]
    private var routes: IdleTable<UInt32, Route>
    private var next: UInt32
    /// Routes whose place others took, since this was last set to zero.
    var forgotten = 0

    /// - Parameters:
    ///   - defaultRoute: For what has no number.
    ///   - named: The routes that the pipeline file names.
    ///   - countMax: Routes besides those, at most.
    ///   - idleTime: How long a route keeps its number after it was last used.
    init(defaultRoute: Route, named: [Route], countMax: Int, idleTime: Duration) {
        self.defaultRoute = defaultRoute
        fixed = [defaultRoute, defaultRoute] + named
        numbers = Dictionary(fixed.enumerated().map { ($1, UInt32($0)) }) { first, _ in first }
        routes = IdleTable(countMax: countMax, idleTime: idleTime)
        next = UInt32(fixed.count)
    }

    /// Goes on with the numbers of an earlier table under other settings: what a trace is remembered with keeps its meaning.
    init(
        continuing earlier: RouteNumbers,
        defaultRoute: Route,
        named: [Route],
        countMax: Int,
        idleTime: Duration
    ) {
        self = earlier
        routes = earlier.routes.limited(to: countMax, idleTime: idleTime)
        if defaultRoute != earlier.defaultRoute, next < .max - 1 {
            self.defaultRoute = defaultRoute
            name([defaultRoute])
            insteadOfOther = next
            own[next] = defaultRoute
            next += 1
        }
        name(named)
    }

    /// Gives numbers to further routes that the pipeline file names.
    mutating func name(_ routes: [Route]) {
        for route in routes where numbers[route] == nil && next < .max {
            numbers[route] = next
            if next == fixed.count { fixed.append(route) } else { own[next] = route }
            next += 1
        }
    }

    /// The number of a route, and whether it is a new one; nil for a new route where there is no room.
    ///
    /// There is room for one that its sender is bound to by name (`isOwn`), whatever others have taken.
    mutating func number(of route: Route, isOwn: Bool = false, at now: UnixTime) -> (number: UInt32, isNew: Bool)? {
        if let number = numbers[route] {
            _ = routes.use(number, at: now)
            return (number, false)
        }
        let number = next
        guard number < .max else { return nil }
        if isOwn, own.count < Self.ownMax {
            own[number] = route
        } else {
            for (_, idle) in routes.makeRoom(at: now) {
                numbers[idle] = nil
                forgotten += 1
            }
            guard !routes.isFull else { return nil }
            routes.insert(route, for: number, at: now)
        }
        next += 1
        numbers[route] = number
        return (number, true)
    }

    /// Takes back the numbers that a request was given for new routes, because it is refused.
    mutating func withdraw(_ refused: [UInt32]) {
        for number in refused {
            if let route = own.removeValue(forKey: number) ?? routes.remove(number) { numbers[route] = nil }
        }
    }

    /// The route of a number; nil for one that is forgotten.
    mutating func route(of number: UInt32, at now: UnixTime) -> Route? {
        number < fixed.count ? fixed[Int(number)] : own[number] ?? routes.use(number, at: now)
    }
}
