import Basics
import Journal
import OTLP
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

    private mutating func moved(oldest: [RecordSource: UInt64] = [:]) -> [ParkedRoutes.Move] {
        routes.excess(oldest: oldest, strays: .seconds(300))
    }

    @Test mutating func `a parked route is probed with a batch once its time has come, again and again`() {
        routes.park(key("a"), records(0..<10), until: .seconds(60), since: start)
        let early = recall(at: 59)
        #expect(early == nil)
        #expect(routes.wake == .seconds(60))
        let (first, again) = (recall(at: 60, items: 4), recall(at: 60))
        #expect(first == [0, 1, 2, 3])
        #expect(again == nil)
        let second = recall(at: 120, bytes: 250)
        #expect(second == [4, 5])
        #expect(routes.isParked(key("a")))
        #expect(routes.count == 4)
        #expect(routes.recalledBytes == 600)
        let isKept = routes.keep(records(10..<11)[0], of: key("b"))
        #expect(isKept == nil, "the route is open")
    }

    @Test mutating func `all that waits is recalled once the route is open`() {
        routes.park(key("a"), records(0..<10), until: .seconds(60), since: start)
        let wasParked = routes.open(key("a"))
        #expect(wasParked)
        #expect(!routes.isParked(key("a")))
        let (first, second) = (recall(at: 0, items: 6), recall(at: 0, items: 6))
        #expect((first ?? []) + (second ?? []) == Array(0..<10))
        #expect(routes.isEmpty)
        #expect(routes.wake == nil)
        let isStillParked = routes.open(key("a"))
        #expect(!isStillParked)
    }

    @Test mutating func `places of several logs are recalled one log after the other`() {
        routes.park(key("a"), records(0..<3) + records(7..<9, of: .deadLetters), until: .zero, since: start)
        #expect(routes.items(of: .deadLetters) == 2)
        let (first, second) = (recall(at: 0), recall(at: 60))
        #expect(first == [0, 1, 2])
        #expect(second == [7, 8])
        #expect(routes.items(of: .deadLetters) == 0)
    }

    @Test mutating func `too many places leave but the first of each route`() {
        for route in ["a", "b"] { routes.park(key(route), records(0..<500), until: .seconds(60), since: start) }
        let none = moved()
        #expect(none.isEmpty)
        let isCrowded = routes.keep(records(500..<501)[0], of: key("a"))
        #expect(isCrowded == true)
        let moves = moved()
        #expect(moves.map(\.places.count).sorted() == [499, 500])
        #expect(routes.count == 2)
        let probe = recall(at: 60)
        #expect(probe == [0])
    }

    @Test mutating func `what keeps the oldest segment on the disk leaves, few or not`() {
        routes.park(key("a"), records(5..<8), until: .seconds(60), since: start)
        let none = moved(oldest: [.pipeline: 5, .deadLetters: 100])
        #expect(none.isEmpty)
        let moves = moved(oldest: [.pipeline: 7])
        #expect(moves.flatMap(\.places).map(\.id) == [5, 6])
        #expect(routes.places(of: .pipeline) == 1)
    }

    @Test mutating func `a route of which everything has moved is tried with what the parked log has`() {
        routes.park(key("a"), records(5..<8), until: .seconds(60), since: start)
        let moves = moved(oldest: [.pipeline: 8])
        #expect(moves.flatMap(\.places).count == 3)
        let (recalled, isDue) = (recall(at: 60), routes.passesStrays(now: .seconds(60)))
        #expect(recalled == nil)
        #expect(isDue)
        #expect(routes.isEmpty)
    }

    @Test mutating func `of too many routes some are not kept, and are tried later`() {
        for route in 0...ParkedRoutes.routesMax {
            routes.park(key("\(route)"), records(0..<1), until: .seconds(600), since: start)
        }
        let moves = moved()
        #expect(moves.flatMap(\.places).count == 1)
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

    func export(_ batch: Batch) async -> DeliveryOutcome { await inner.export(batch) }
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

    private func bench() throws -> PipelineBench {
        try PipelineBench(processors: [ByReceiver()], to: exporter, bytesMax: 64 << 10)
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
}
