package import Basics
package import Journal
import Synchronization

/// Keeps one noisy sender or route from taking the journal's whole budget (the rule: ShareTable.swift).
///
/// The gateway asks before it appends a request, and deliveries tell what they have settled; a route holds what the
/// slowest destination of its pipeline has not settled. What the journal gives up by age or budget is found out from
/// its readers before anybody is refused. One object for all pipelines, because they share the budget. Any thread.
package final class RouteShares: Sendable {
    /// Routes tracked by default, at most; further ones of a sender share one entry for each log.
    package static let routesMax = 10_000
    /// Senders tracked, at most; further ones count as one.
    private static let sendersMax = 4096
    /// When a client whose route is over its share may come back.
    private static let retryAfter = Duration.seconds(3)
    /// How often the journal is asked what it gave up.
    private static let reviewInterval: UInt64 = 1_000_000_000
    /// How long a request may be on its way into the journal, whose readers do not know it yet.
    private static let commitTime: UInt64 = 10_000_000_000

    /// Routes that requests wait for at once, at most.
    private static let linesMax = 256

    private let table: Mutex<ShareTable>
    private let lines: Mutex<ShareLines>
    /// Whether any request waits; read on every way in and out.
    private let lineCount = Atomic<Int>(0)
    private let heldMax: ByteCount
    private let waiting: Counter?
    private let clock: MonotonicClock
    /// By the log that requests are accepted in, in the order in which the table counts destinations.
    private let destinations: Mutex<[LogID: [ShareDestination]]>
    private let nextReview = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - budget: The journal's `max_bytes`.
    ///   - logs: The logs of all pipelines, with a reader for each destination; what lies before a window is held by who reads
    ///     behind it, too.
    ///   - parkedLogs: Those of their exporters.
    ///   - routesMax: Routes tracked, at most.
    ///   - heldMax: Bytes of requests that may wait for one route's share.
    ///   - waiting: Counts requests that wait.
    ///   - clock: For how long they wait.
    package init(
        budget: ByteCount,
        logs: [Log],
        parkedLogs: [Log] = [],
        routesMax: Int = RouteShares.routesMax,
        heldMax: ByteCount = .mebibytes(16),
        waiting: Counter? = nil,
        clock: MonotonicClock = .system
    ) {
        lines = Mutex(ShareLines())
        self.heldMax = heldMax
        self.waiting = waiting
        self.clock = clock
        let destinations = ShareDestination.all(of: logs, parkedLogs)
        self.destinations = Mutex(destinations)
        table = Mutex(
            ShareTable(
                budget: budget.bytes,
                destinations: destinations.mapValues(\.count),
                routesMax: routesMax,
                sendersMax: Self.sendersMax
            )
        )
    }

    /// Other logs and readers from now on; what a reader holds that leaves is counted until it has settled that.
    package func change(logs: [Log], parkedLogs: [Log]) {
        let new = ShareDestination.all(of: logs, parkedLogs)
        let active = destinations.withLock { known -> [LogID: [Int]] in
            for log in Set(known.keys).union(new.keys) {
                known[log] = ShareDestination.merged(known[log] ?? [], new[log] ?? [])
            }
            return known.mapValues { all in all.indices.filter { all[$0].takesMore } }
        }
        table.withLock { $0.change(destinations: active) }
    }

    /// What all routes hold together, in bytes.
    package var held: Int { table.withLock { $0.held } }

    /// Counts a record that an earlier process accepted; before the first request.
    ///
    /// - Parameters:
    ///   - record: As the journal has it.
    ///   - log: The pipeline's log.
    ///   - pending: The destinations that have not settled it.
    package func restore(_ record: StoredRecord, of log: LogID, pending: [String]) {
        guard let destinations = destinations.withLock({ $0[log.front] }), record.kind == .items,
            let metadata = RecordMetadata(decoding: record.metadata)
        else { return }
        // Who reads behind the window holds what lies before it.
        let isBefore = destinations.contains { $0.window.map { pending.contains($0.name) } ?? false }
        let holders = destinations.indices.filter { index in
            pending.contains(destinations[index].reader.name) || isBefore && destinations[index].window != nil
        }
        let parts = metadata.parts(of: metadata.parked?.sharedBytes ?? record.sharedBytes, in: log.front)
        table.withLock { table in
            for part in parts {
                table.restore(part, receivedAt: record.receivedAt, pending: holders)
                guard metadata.parked != nil else { continue }
                for destination in holders { table.park(part, by: destination, at: record.receivedAt) }
            }
        }
    }

    /// Where the delivery to one destination tells what it has settled; nil for a destination that the log has not.
    package func destination(_ name: String, of log: LogID) -> DestinationShares? {
        destinations.withLock { $0[log.front] }?.firstIndex { $0.reader.name == name && $0.takesMore }.map { index in
            DestinationShares(shares: self, log: log.front, index: index)
        }
    }

    /// Adds the records of one request, or says why it has to wait.
    ///
    /// - Parameters:
    ///   - parts: All of one request, each route of a log once.
    ///   - now: When it came.
    ///   - isNew: Whether it goes behind those that wait for one of its routes.
    /// - Returns: Whether it is added, or what it is answered and which route is to blame.
    func admit(_ parts: [ShareTable.Part], at now: UnixTime, isNew: Bool = true) -> Admission {
        if isNew, let awaited = parts.lazy.flatMap(\.claims).first(where: { line(for: $0)?.isEmpty == false }) {
            let excess = table.withLock { $0.position(of: awaited) }
            return .refused(excess.answer(retryAfter: Self.retryAfter), awaited)
        }
        guard let excess = table.withLock({ $0.admit(parts, at: now) }) else { return .admitted }
        guard review(at: now) else { return .refused(excess.answer(retryAfter: Self.retryAfter), excess.claim) }
        guard let excess = table.withLock({ $0.admit(parts, at: now) }) else { return .admitted }
        return .refused(excess.answer(retryAfter: Self.retryAfter), excess.claim)
    }

    /// Where requests wait for a share; nil where nothing waits and nothing may.
    func line(for claim: ShareTable.Claim, creating: Bool = false) -> WaitingLine? {
        guard creating || lineCount.load(ordering: .relaxed) > 0 else { return nil }
        let freedAt = creating ? table.withLock { $0.freedAt(claim) } : nil
        return lines.withLock { lines in
            if let line = lines.byClaim[claim] { return line }
            guard creating, !lines.isClosed else { return nil }
            if lines.byClaim.count >= Self.linesMax { lines.byClaim = lines.byClaim.filter { !$0.value.isEmpty } }
            guard lines.byClaim.count < Self.linesMax else { return nil }
            let line = WaitingLine(bytesMax: heldMax, held: waiting, freedAt: freedAt, clock: clock)
            lines.byClaim[claim] = line
            lineCount.store(lines.byClaim.count, ordering: .relaxed)
            return line
        }
    }

    /// Refuses who waits, and lets nobody wait from now on.
    package func closeLines() {
        let open = lines.withLock { lines in
            lines.isClosed = true
            return Array(lines.byClaim.values)
        }
        for line in open { line.close() }
    }

    /// What was admitted did not get into the journal.
    func withdraw(_ parts: [ShareTable.Part]) {
        table.withLock { $0.withdraw(parts) }
    }

    fileprivate func park(_ part: ShareTable.Part, by destination: Int, at time: UnixTime) {
        table.withLock { $0.park(part, by: destination, at: time) }
    }

    fileprivate func settle(_ part: ShareTable.Part, by settlement: ShareTable.Settlement) {
        var settlement = settlement
        settlement.time = clock.now()
        table.withLock { $0.settle(part, by: settlement) }
        for claim in part.claims {
            guard let line = line(for: claim) else { continue }
            line.roomIsFreed()
            guard line.isEmpty else { continue }
            lines.withLock { lines in
                if lines.byClaim[claim]?.isEmpty == true { lines.byClaim[claim] = nil }
                lineCount.store(lines.byClaim.count, ordering: .relaxed)
            }
        }
    }

    /// Learns from the readers what they will never settle; false where they were asked a moment ago.
    private func review(at now: UnixTime) -> Bool {
        let due = nextReview.load(ordering: .relaxed)
        let next = now.nanoseconds + Self.reviewInterval
        guard now.nanoseconds >= due,
            nextReview.compareExchange(expected: due, desired: next, ordering: .relaxed).exchanged
        else { return false }
        let committed = now.nanoseconds - min(now.nanoseconds, Self.commitTime)
        for (log, destinations) in destinations.withLock({ $0 }) {
            for (index, destination) in destinations.enumerated() {
                // What was accepted or moved lately may be on its way to the disk.
                let oldest = destination.reader.oldest(committed)
                let before = destination.window.map { min(oldest, $0.oldest(committed)) } ?? oldest
                let oldestMoved = destination.parked?.oldest(committed) ?? UnixTime(nanoseconds: 0)
                table.withLock { $0.forget(before: before, movedBefore: oldestMoved, by: index, of: log) }
            }
        }
        return true
    }
}

/// Where one destination of a pipeline reads.
private struct ShareDestination {
    var reader: LogReader
    /// That of the exporter's parked log; nil for one that has none.
    var parked: LogReader?
    /// The window before it; nil for one that reads what came as it came.
    var window: LogReader?
    /// Whether it gets what is accepted from now on.
    var takesMore = true

    /// By the log that requests are accepted in.
    static func all(of logs: [Log], _ parkedLogs: [Log]) -> [LogID: [ShareDestination]] {
        Dictionary(grouping: logs, by: \.id.front).mapValues { logs in
            let window = logs.first { $0.id.isWindow }?.id
            return logs.flatMap { log in
                let parkedLogs = parkedLogs.filter { $0.id.main == log.id }
                let source = log.id == window ? logs.first { $0.id == log.id.front }?.readers.first : nil
                return log.readers.filter { !$0.isLeaving }.map { reader in
                    ShareDestination(reader: reader, parked: reader.parked(among: parkedLogs), window: source)
                }
            }
        }
    }

    /// Those that are known, each where it was, with the new ones behind them.
    static func merged(_ known: [ShareDestination], _ new: [ShareDestination]) -> [ShareDestination] {
        var merged = known
        for index in merged.indices {
            let name = merged[index].reader.name
            let same = new.first { $0.reader.name == name }
            merged[index] = same ?? merged[index]
            merged[index].takesMore = same != nil
        }
        return merged + new.filter { destination in !known.contains { $0.reader.name == destination.reader.name } }
    }
}

/// One destination's account with the shares of its pipeline's routes.
package struct DestinationShares: Sendable {
    fileprivate let shares: RouteShares
    fileprivate let log: LogID
    fileprivate let index: Int

    /// The destination is done with a record of `bytes` (`StoredRecord.sharedBytes`), whatever became of it.
    ///
    /// - Parameters:
    ///   - bytes: As they were counted.
    ///   - metadata: Of the record.
    ///   - wasParked: Whether it lay in the destination's parked log.
    package func settled(_ bytes: Int, of metadata: RecordMetadata, wasParked: Bool) {
        let settlement = ShareTable.Settlement(destination: index, wasParked: wasParked)
        for part in metadata.parts(of: bytes, in: log) { shares.settle(part, by: settlement) }
    }

    /// The destination is done with records that were in no parked log.
    func settled(_ records: some Sequence<(bytes: Int, metadata: RecordMetadata)>) {
        var sums: [ShareTable.Part] = []
        for (bytes, metadata) in records {
            for part in metadata.parts(of: bytes, in: log) {
                // Most are of one client and service.
                if let last = sums.last, last.key == part.key {
                    sums[sums.count - 1] = ShareTable.Part(key: part.key, bytes: last.bytes + part.bytes)
                } else {
                    sums.append(part)
                }
            }
        }
        let settlement = ShareTable.Settlement(destination: index, wasParked: false)
        for part in sums { shares.settle(part, by: settlement) }
    }

    /// The destination has put a record into its parked log, where it is held as before.
    package func park(_ bytes: Int, of metadata: RecordMetadata, at time: UnixTime) {
        for part in metadata.parts(of: bytes, in: log) { shares.park(part, by: index, at: time) }
    }
}

extension RecordMetadata {
    /// Whose share of a log a record takes that a client sent.
    func key(in log: LogID) -> ShareTable.Key {
        ShareTable.Key(log: log, sender: sender, route: route, service: trace?.service ?? "")
    }

    /// What a record of so many bytes holds of shares; what is behind a window holds what it was made of.
    fileprivate func parts(of bytes: Int, in log: LogID) -> [ShareTable.Part] {
        guard let origin else { return [ShareTable.Part(key: key(in: log), bytes: bytes)] }
        return origin.holdings.map { holding in
            let key = ShareTable.Key(
                log: log,
                sender: holding.sender,
                route: holding.route,
                service: holding.service
            )
            return ShareTable.Part(key: key, bytes: holding.bytes)
        }
    }
}

extension LogReader {
    /// When its oldest queued item was received, at the latest `committed`.
    fileprivate func oldest(_ committed: UInt64) -> UnixTime {
        UnixTime(nanoseconds: min(account.oldestQueued?.nanoseconds ?? .max, committed))
    }

    /// The same exporter's reader of its parked log; nil where it has none.
    fileprivate func parked(among logs: [Log]) -> LogReader? {
        logs.first { $0.id.exporter == name }?.reader(named: name)
    }
}

extension StoredRecord {
    /// What it counts against its route's share.
    package var sharedBytes: Int { kind == .items ? metadata.count + payload.count : 0 }
}

extension ShareTable.Part {
    /// The shares that it counts against.
    fileprivate var claims: [ShareTable.Claim] {
        [ShareTable.Claim(sender: key.sender), ShareTable.Claim(sender: key.sender, key: key)]
    }

    /// One for each log and route, of which a request may have several records.
    static func sums(_ parts: [ShareTable.Part]) -> [ShareTable.Part] {
        guard parts.count > 1 else { return parts }
        var places: [ShareTable.Key: Int] = [:]
        var sums: [ShareTable.Part] = []
        for part in parts {
            if let place = places[part.key] {
                sums[place] = ShareTable.Part(key: part.key, bytes: sums[place].bytes + part.bytes)
            } else {
                places[part.key] = sums.count
                sums.append(part)
            }
        }
        return sums
    }
}

extension ShareTable.Key {
    /// For people.
    fileprivate var holder: String {
        service.isEmpty ? "\(route)" : "service \"\(service.excerpt(max: 80))\""
    }
}

/// Whether a request may go into the journal.
enum Admission {
    /// It may, and holds that much until it is settled or withdrawn.
    case admitted
    /// It may not now, nor any part of it, because of that share.
    case refused(IntakeAnswer, ShareTable.Claim)
}

/// Requests that wait, by the share that they wait for: one route never waits for another.
private struct ShareLines {
    var byClaim: [ShareTable.Claim: WaitingLine] = [:]
    var isClosed = false
}

extension ShareTable.Excess {
    /// For the whole request: a partial success would forbid its client to send the rest again.
    fileprivate func answer(retryAfter: Duration) -> IntakeAnswer {
        let (held, share) = (ByteCount(bytes: held), ByteCount(bytes: share))
        let holder = claim.key.map(\.holder) ?? "this client, with all its routes,"
        return .throttled(
            "\(holder) has \(held) that are not delivered yet; its share of the journal is \(share)",
            retryAfter: retryAfter
        )
    }
}
