package import Basics
import Synchronization

/// What came from which service for which experiment since the process started, for people who look.
///
/// Any thread; one short lock a request. Of 1,000 services and experiments each has a row of its own; where there are more, a
/// row that was idle for an hour gives way, and what finds none is counted in one row for all.
package final class ServiceActivity: Sendable {
    /// Rows, at most.
    package static let rowsMax = 1000
    /// How long a row keeps its place after it was last used.
    private static let idleTime = Duration.seconds(3600)

    /// Whose spans a row counts.
    package struct Key: Hashable, Sendable {
        /// The pipeline that took them.
        package let pipeline: String
        /// The resource's `service.name`; empty where there is none.
        package let service: ExactText
        /// Where they go.
        package let route: Route

        package init(pipeline: String, service: ExactText, route: Route) {
            (self.pipeline, self.service, self.route) = (pipeline, service, route)
        }
    }

    /// What was counted of some spans.
    package struct Sums: Sendable, Equatable {
        package var spans = 0
        /// Spans whose status is an error.
        package var errors = 0
        /// All tokens of their model calls, as `mlflow_map` found them.
        package var tokens: Int64 = 0
        /// What their model calls cost, as their app says, in its currency.
        package var cost = 0.0

        package init() {}

        static func += (sums: inout Sums, more: Sums) {
            sums.spans += more.spans
            sums.errors += more.errors
            sums.tokens &+= more.tokens
            sums.cost += more.cost
        }
    }

    /// One service and experiment.
    package struct Row: Sendable {
        /// Nil for the row of all that found no room.
        package let key: Key?
        package fileprivate(set) var sums = Sums()
        package let firstSeen: UnixTime
        package fileprivate(set) var lastSeen: UnixTime
    }

    fileprivate struct State {
        var rows: [Key: Row] = [:]
        var others: Row?
        /// Nothing is idle before that moment.
        var nextLook = UnixTime(nanoseconds: 0)
    }

    private let state = Mutex(State())

    package init() {}

    /// Adds what one request brought, when it is in the journal; what is of no service is counted with all others.
    package func add(_ counts: [ServiceCount], in pipeline: String, at now: UnixTime) {
        add(
            counts.map { count in
                (count.service.map { Key(pipeline: pipeline, service: $0, route: count.route) }, count.sums)
            },
            at: now
        )
    }

    /// Adds what was counted; what has no key is counted with all others.
    package func add(_ counted: [(key: Key?, sums: Sums)], at now: UnixTime) {
        guard !counted.isEmpty else { return }
        state.withLock { state in
            for (key, sums) in counted {
                if let key, let index = state.rows.index(forKey: key) {
                    state.rows.values[index].add(sums, at: now)
                } else if let key, state.hasRoom(at: now, idleTime: Self.idleTime) {
                    var row = Row(key: key, firstSeen: now, lastSeen: now)
                    row.sums = sums
                    state.rows[key] = row
                } else {
                    state.others = state.others ?? Row(key: nil, firstSeen: now, lastSeen: now)
                    state.others?.add(sums, at: now)
                }
            }
        }
    }

    /// All rows, the one used last first; that of all others at the end.
    package var rows: [Row] {
        let (rows, others) = state.withLock { (Array($0.rows.values), $0.others) }
        return rows.sorted { $0.lastSeen > $1.lastSeen } + (others.map { [$0] } ?? [])
    }
}

extension ServiceActivity.Row {
    fileprivate mutating func add(_ more: ServiceActivity.Sums, at now: UnixTime) {
        sums += more
        lastSeen = max(lastSeen, now)
    }
}

extension ServiceActivity.State {
    /// Whether one more row fits, where need be after idle ones are taken out.
    fileprivate mutating func hasRoom(at now: UnixTime, idleTime: Duration) -> Bool {
        if rows.count < ServiceActivity.rowsMax { return true }
        guard now >= nextLook else { return false }
        rows = rows.filter { now.since($0.value.lastSeen) < idleTime }
        let oldest = rows.values.lazy.map(\.lastSeen).min() ?? now
        nextLook = UnixTime(nanoseconds: oldest.nanoseconds &+ UInt64(clamping: idleTime.wholeNanoseconds))
        return rows.count < ServiceActivity.rowsMax
    }
}
