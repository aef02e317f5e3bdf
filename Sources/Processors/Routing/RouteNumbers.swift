import Basics
import Pipeline

/// Numbers for routes, which traces are remembered with instead of names.
///
/// A number is never given twice: a trace that is remembered with the number of a forgotten route is itself forgotten. The
/// routes that the pipeline file names have numbers of their own and are never forgotten.
struct RouteNumbers: Sendable {
    /// The default, where the sources chose it or nothing.
    static let chosenDefault: UInt32 = 0
    /// The default in place of a route that has no number.
    static let insteadOfOther: UInt32 = 1

    private let fixed: [Route]
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
        fixed = [defaultRoute, defaultRoute] + named
        numbers = Dictionary(fixed.enumerated().map { ($1, UInt32($0)) }) { first, _ in first }
        routes = IdleTable(countMax: countMax, idleTime: idleTime)
        next = UInt32(fixed.count)
    }

    /// The number of a route; nil for a new one where there is no room.
    mutating func number(of route: Route, at now: UnixTime) -> UInt32? {
        if let number = numbers[route] {
            _ = routes.use(number, at: now)
            return number
        }
        for (_, idle) in routes.makeRoom(at: now) {
            numbers[idle] = nil
            forgotten += 1
        }
        guard !routes.isFull, next < .max else { return nil }
        let number = next
        next += 1
        numbers[route] = number
        routes.insert(route, for: number, at: now)
        return number
    }

    /// The route of a number; nil for one that is forgotten.
    mutating func route(of number: UInt32, at now: UnixTime) -> Route? {
        number < fixed.count ? fixed[Int(number)] : routes.use(number, at: now)
    }
}
