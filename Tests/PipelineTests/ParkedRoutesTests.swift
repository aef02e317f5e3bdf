import Basics
import Journal
import OTLP
import Synchronization
import TestKit
import Testing

@testable import Pipeline

@Suite struct ParkedRoutesTests {
    private var routes = ParkedRoutes()
    private let start = UnixTime(nanoseconds: 1)

    private func key(_ route: String) -> MergeKey {
        MergeKey(signal: .traces, route: .experimentName(route), headers: [])
    }

    private func records(
        _ ids: Range<UInt64>,
        of source: RecordSource = .pipeline,
        bytes: Int = 100
    ) -> [QueuedRecord] {
        let metadata = RecordMetadata(signal: .traces)
        let payload = [UInt8](repeating: 0, count: bytes)
        return ids.map { QueuedRecord(source: source, id: $0, items: 1, metadata: metadata, payload: payload) }
    }

    /// The ids of what is recalled; nil where nothing is.
    private mutating func recall(at seconds: Int, items: Int = 500, bytes: Int = 1 << 20) -> [UInt64]? {
        routes.recall(now: .seconds(seconds), itemsMax: items, bytesMax: bytes, pause: .seconds(60))?.places.map(\.id)
    }

    /// The ids of what has to leave.
    private mutating func moved(pinned: [RecordSource: UInt64] = [:]) -> [UInt64] {
        routes.excess(pinned: pinned, strays: .seconds(300)).flatMap(\.entries).map(\.place.id)
    }

    @Test mutating func `a parked route is probed with a record once its time has come, again and again`() {
        routes.park(key("a"), records(0..<10), until: .seconds(60), since: start)
        let early = recall(at: 59)
        #expect(early == nil)
        #expect(routes.wake == .seconds(60))
        let (first, again, second) = (recall(at: 60), recall(at: 60), recall(at: 120))
        #expect(first == [0])
        #expect(again == nil)
        #expect(second == [1])
        #expect(routes.isParked(key("a")))
        #expect(routes.count == 8)
        #expect(routes.recalledBytes == 200)
        let isKept = routes.keep(records(10..<11)[0], of: key("b"))
        #expect(!isKept, "the route is open")
    }

    @Test mutating func `all that waits is recalled once the route is open, in batches`() {
        routes.park(key("a"), records(0..<10), until: .seconds(60), since: start)
        let readsLog = routes.open(key("a"))
        #expect(!readsLog, "nothing of it has moved")
        #expect(!routes.isParked(key("a")))
        let (first, second) = (recall(at: 0, items: 6), recall(at: 0, bytes: 1000))
        #expect(first == Array(0..<6))
        #expect(second == Array(6..<10))
        #expect(routes.isEmpty)
        #expect(routes.wake == nil)
    }

    @Test mutating func `a route that is given up is tried at once`() {
        routes.park(key("a"), records(0..<2), until: .seconds(60), since: start)
        routes.hasten(key("a"), now: .seconds(1))
        let first = recall(at: 1)
        #expect(first == [0])
        #expect(routes.wake == .seconds(61))
    }

    @Test mutating func `places of several logs are recalled one log after the other`() {
        routes.park(key("a"), records(0..<3) + records(7..<9, of: .deadLetters), until: .zero, since: start)
        #expect(routes.items(of: .deadLetters) == 2)
        _ = routes.open(key("a"))
        let (first, second) = (recall(at: 0), recall(at: 0))
        #expect(first == [0, 1, 2])
        #expect(second == [7, 8])
        #expect(routes.items(of: .deadLetters) == 0)
    }

    @Test mutating func `too many places leave but the first of each route, in the order of the log`() {
        for route in ["a", "b"] { routes.park(key(route), records(0..<500), until: .seconds(60), since: start) }
        let none = moved()
        #expect(none.isEmpty)
        let isKept = routes.keep(records(500..<501)[0], of: key("a"))
        #expect(isKept && routes.isCrowded)
        let ids = moved()
        #expect(ids.count == 999 && ids == ids.sorted())
        #expect(routes.count == 2)
        let probes = [recall(at: 60), recall(at: 60)]
        #expect(probes == [[0], [0]])
        let readsLog = routes.open(key("a"))
        #expect(readsLog)
    }

    @Test mutating func `what keeps a segment on the disk leaves, few or not`() {
        routes.park(key("a"), records(5..<8), until: .seconds(60), since: start)
        let (none, ids) = (moved(pinned: [.pipeline: 5, .deadLetters: 100]), moved(pinned: [.pipeline: 7]))
        #expect(none.isEmpty)
        #expect(ids == [5, 6])
        #expect(routes.places(of: .pipeline) == 1)
    }

    @Test mutating func `a route of which everything has moved is tried with what the parked log has`() {
        routes.park(key("a"), records(5..<8), until: .seconds(60), since: start)
        let ids = moved(pinned: [.pipeline: 8])
        #expect(ids == [5, 6, 7])
        let (recalled, isDue) = (recall(at: 60), routes.passesStrays(now: .seconds(60)))
        #expect(recalled == nil)
        #expect(isDue)
        #expect(routes.isEmpty)
    }

    @Test mutating func `of too many routes some are not kept, and are tried later`() {
        for route in 0...ParkedRoutes.routesMax {
            routes.park(key("\(route)"), records(0..<1), until: .seconds(600), since: start)
        }
        let moves = routes.excess(pinned: [:], strays: .seconds(300))
        #expect(moves.flatMap(\.entries).map(\.isStray) == [true])
        #expect(routes.wake == .seconds(300))
        let (early, due) = (routes.passesStrays(now: .seconds(299)), routes.passesStrays(now: .seconds(300)))
        #expect([early, due] == [false, true])
        #expect(routes.wake == .seconds(600))
    }
}

/// An exporter for which a route is closed until somebody opens it.
private final class RoutedExporter: Exporter {
    private let inner: ScriptedExporter
    let usesRoutes = true

    init(closed: Switch) {
        inner = ScriptedExporter(
            refusing: { closed.isOn && $0.route == .experimentName("closed") },
            as: .parked(reason: "no such experiment")
        )
    }

    var batches: [Batch] { inner.batches }
    /// Items of requests that were taken.
    var deliveredItems: Int { delivered.withLock { $0 } }
    private let delivered = Mutex(0)

    /// Returns once `count` attempts were made.
    func attempts(_ count: Int) async { await inner.attempts(count) }

    func export(_ batch: Batch) async -> DeliveryOutcome {
        let outcome = await inner.export(batch)
        if case .delivered = outcome { delivered.withLock { $0 += batch.items } }
        return outcome
    }
}

/// Routes by the receiver that a request came from.
private struct ByReceiver: SpanProcessor {
    func process(_ work: inout SpanWork) {
        for span in work.batch.spans.indices { work.assign(.experimentName(work.source.receiver), to: span) }
    }
}

@Suite struct ParkingTests {
    private let closed = Switch(true)
    private let exporter: RoutedExporter
    private let small: [UInt8]

    init() throws {
        exporter = RoutedExporter(closed: closed)
        small = try Fixtures.bytes("payloads/small.pb")
    }

    private func bench(
        bytesMax: Int = 64 << 10,
        limits: BatchLimits = BatchLimits(items: 500, bytes: .mebibytes(4), linger: .zero)
    ) throws -> PipelineBench {
        try PipelineBench(processors: [ByReceiver()], to: exporter, limits: limits, bytesMax: bytesMax)
    }

    /// Sends to the closed route and to the other in turns.
    private func send(_ count: Int, to bench: PipelineBench) async {
        for _ in 0..<count {
            for route in ["closed", "open"] { #expect(await bench.send(small, from: route) == .accepted) }
        }
    }

    private func delivered(_ route: String) -> Int {
        exporter.batches.reduce(0) { $1.route == .experimentName(route) ? $0 + $1.items : $0 }
    }

    @Test(.timeLimit(.minutes(10)))
    func `requests for a closed route hold up no others, and arrive when it opens`() async throws {
        let bench = try bench()
        let count = 3000
        await send(count, to: bench)
        await withTaskGroup { group in
            group.addTask { await bench.delivery.run() }
            await bench.delivery.drain(stopsWhileDown: true)
            #expect(bench.account.outcomes[.delivered] == UInt64(count * 10))
            #expect(bench.account.queued == UInt64(count * 10))
            #expect(bench.isBalanced)
            #expect(bench.account.outcomes[.deadLettered] == 0)
            closed.isOn = false
            await bench.delivery.drain()
            group.cancelAll()
        }
        #expect(bench.account.outcomes[.delivered] == UInt64(2 * count * 10))
        #expect(bench.account.queued == 0)
        #expect(bench.isBalanced)
        #expect(delivered("open") == count * 10)
    }

    @Test(.timeLimit(.minutes(10)))
    func `records of which few fit into one read arrive once each, also after probes`() async throws {
        let bench = try bench(bytesMax: 8 << 20)
        let body = tracesRequest([TestSpan("large", ["text": .string(String(repeating: "x", count: 150_000))])])
        let count = 1100
        for _ in 0..<count { #expect(await bench.send(body, from: "closed") == .accepted) }
        await withTaskGroup { group in
            group.addTask { await bench.delivery.run() }
            await exporter.attempts(20)
            await bench.delivery.drain(stopsWhileDown: true)
            #expect(bench.account.queued == UInt64(count) && bench.isBalanced)
            closed.isOn = false
            await bench.delivery.drain()
            group.cancelAll()
        }
        #expect(bench.account.outcomes[.delivered] == UInt64(count))
        #expect(bench.isBalanced && bench.account.queued == 0)
        let taken = exporter.deliveredItems
        #expect(taken == count, "\(taken) sent of \(count)")
    }

    @Test(.timeLimit(.minutes(10)))
    func `a request that is larger than the window and divided holds up no others`() async throws {
        let limits = BatchLimits(items: 100, bytes: .mebibytes(4), linger: .zero)
        let bench = try bench(bytesMax: 64 << 10, limits: limits)
        let large = try Fixtures.bytes("payloads/large.pb")
        for _ in 0..<3 { #expect(await bench.send(large, from: "closed") == .accepted) }
        await send(20, to: bench)
        await withTaskGroup { group in
            group.addTask { await bench.delivery.run() }
            await bench.delivery.drain(stopsWhileDown: true)
            group.cancelAll()
        }
        #expect(bench.account.outcomes[.delivered] == 200)
        #expect(bench.account.queued == 3 * 512 + 200)
        #expect(bench.isBalanced)
    }
}
