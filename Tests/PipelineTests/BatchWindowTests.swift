import Basics
import OTLP
import Pipeline
import Testing

@Suite struct BatchWindowTests {
    private static let limits = BatchLimits(items: 10, bytes: .kibibytes(1), linger: .milliseconds(200))

    private func window(exclusive: Bool = false, bytesMax: Int = 10_000) -> BatchWindow {
        BatchWindow(limits: Self.limits, retry: .standard, isExclusive: exclusive, bytesMax: bytesMax)
    }

    private func key(_ route: String) -> MergeKey {
        MergeKey(signal: .traces, route: .experimentName(route), headers: [])
    }

    private func record(
        _ id: UInt64,
        items: UInt32 = 1,
        bytes: Int = 10,
        headers: [HTTPHeader] = []
    ) -> QueuedRecord {
        QueuedRecord(
            id: id,
            items: items,
            metadata: RecordMetadata(signal: .traces, headers: headers),
            payload: [UInt8](repeating: 0, count: bytes)
        )
    }

    /// A record of trace 7: spans that went ahead, or its end.
    private func record(_ id: UInt64, _ showing: TraceShowing?, service: String = "") -> QueuedRecord {
        var metadata = RecordMetadata(signal: .traces)
        metadata.trace = TraceMark(trace: TraceID(high: 0, low: 7), service: service)
        metadata.showing = showing
        return QueuedRecord(id: id, items: 1, metadata: metadata, payload: [0])
    }

    @Test func `the end of a trace goes behind what went ahead of it, never with it or before it`() throws {
        var window = window(exclusive: true)
        window.isDraining = true
        for record in [record(1, .ahead), record(2, nil), record(3, .end(.init())), record(4, nil)] {
            window.add(record, key: key("a"), now: .zero)
        }
        var failed = try next(&window)
        #expect(failed.records.map(\.id) == [1, 2, 4])
        failed.notBefore = .seconds(5)
        window.putBack([failed])
        #expect(window.next(now: .seconds(1)) == nil)
        #expect(window.wake == .seconds(5))
        let again = window.next(now: .seconds(5))
        #expect(again?.records.map(\.id) == [1, 2, 4])
        window.settle(try #require(again))
        #expect(try next(&window).records.map(\.id) == [3])
        // Forwarded headers and services keep records of a trace apart, and what was parked comes back in any order.
        window.add(record(7, .end(.init())), key: key("b"), now: .zero)
        window.add(record(6, .ahead, service: "pay"), key: key("b"), now: .zero)
        window.add(record(5, .ahead), key: key("c"), now: .zero)
        let first = [try next(&window), try next(&window)]
        #expect(Set(first.flatMap { $0.records.map(\.id) }) == [5, 6])
        #expect(window.next(now: .zero) == nil)
        for batch in first { window.settle(batch) }
        #expect(try next(&window).records.map(\.id) == [7])
    }

    private func next(_ window: inout BatchWindow) throws -> PendingBatch {
        let batch = window.next(now: .zero)
        return try #require(batch)
    }

    @Test func `a record waits for others as long as linger says`() {
        var window = window()
        window.add(record(1), key: key("a"), now: .zero)
        window.add(record(2), key: key("a"), now: .milliseconds(100))
        #expect(window.next(now: .milliseconds(199)) == nil)
        #expect(window.wake == .milliseconds(200))
        #expect(window.next(now: .milliseconds(200))?.records.map(\.id) == [1, 2])
    }

    @Test func `a record that a client waits for takes the others of its lane along at once`() {
        var window = window()
        window.add(record(1), key: key("a"), now: .zero)
        var awaited = record(2)
        awaited.isAwaited = true
        window.add(awaited, key: key("a"), now: .zero)
        window.add(record(3), key: key("b"), now: .zero)
        #expect(window.wake == .zero)
        #expect(window.next(now: .zero)?.records.map(\.id) == [1, 2])
        window.add(record(4), key: key("a"), now: .zero)
        #expect(window.next(now: .milliseconds(199)) == nil)
        #expect(window.wake == .milliseconds(200))
    }

    @Test func `a full batch goes at once and the rest waits`() {
        var window = window()
        for id in 0..<12 { window.add(record(UInt64(id)), key: key("a"), now: .zero) }
        #expect(window.next(now: .zero)?.records.count == 10)
        #expect(window.next(now: .zero) == nil)
        #expect(window.next(now: .milliseconds(200))?.records.map(\.id) == [10, 11])
    }

    @Test func `bytes fill a batch as items do`() {
        var window = window()
        for id in 0..<3 { window.add(record(UInt64(id), bytes: 500), key: key("a"), now: .zero) }
        #expect(window.next(now: .zero)?.records.map(\.id) == [0, 1])
    }

    @Test func `a record over the limits goes alone`() {
        var window = window()
        window.add(record(1, items: 50), key: key("a"), now: .zero)
        window.add(record(2), key: key("a"), now: .zero)
        #expect(window.next(now: .zero)?.records.map(\.id) == [1])
    }

    @Test func `lanes take turns`() {
        var window = window()
        for id in 0..<20 { window.add(record(UInt64(id)), key: key("busy"), now: .zero) }
        window.add(record(100), key: key("quiet"), now: .zero)
        let order = (0..<3).compactMap { _ in window.next(now: .seconds(1))?.key.route }
        #expect(order == [.experimentName("busy"), .experimentName("quiet"), .experimentName("busy")])
    }

    @Test func `an exclusive lane has one request under way`() throws {
        var window = window(exclusive: true)
        for id in 0..<20 { window.add(record(UInt64(id)), key: key("a"), now: .zero) }
        let first = try next(&window)
        #expect(window.next(now: .zero) == nil)
        #expect(window.wake == nil)
        window.settle(first)
        #expect(window.next(now: .zero) != nil)
    }

    @Test func `what failed is passed by newer records while it pauses, and then goes before them`() throws {
        var window = window(exclusive: true)
        for id in 0..<30 { window.add(record(UInt64(id)), key: key("a"), now: .zero) }
        var failed = try next(&window)
        failed.notBefore = .seconds(5)
        window.putBack([failed])
        let passing = window.next(now: .seconds(4))
        #expect(passing?.records.first?.id == 10)
        window.settle(try #require(passing))
        #expect(window.next(now: .seconds(5))?.records.first?.id == 0)
    }

    @Test func `what fails again and again takes turns with what was never tried`() throws {
        var window = window(exclusive: true)
        for id in 0..<30 { window.add(record(UInt64(id)), key: key("a"), now: .zero) }
        let failing = try next(&window)
        window.putBack([failing])
        let again = try next(&window)
        #expect(again.records.first?.id == 0)
        window.putBack([again])
        #expect(try next(&window).records.first?.id == 10)
    }

    @Test func `a time-out is no failure, and others that get through between two say that less may`() {
        var history = AttemptHistory()
        let first = history.timeOut(successes: 3)
        let second = history.timeOut(successes: 3)
        let third = history.timeOut(successes: 4)
        #expect([first, second, third] == [false, false, true])
        let isHeldAgainst = history.fail(successes: 5)
        #expect(!isHeldAgainst)
        #expect(history.failures == 1)
    }

    @Test func `what waits in a lane is taken out, and other lanes go on`() throws {
        var window = window(exclusive: true)
        for route in ["a", "b"] {
            for id in 0..<20 { window.add(record(UInt64(id)), key: key(route), now: .zero) }
        }
        let batch = try next(&window)
        let waiting = window.removeWaiting(batch.key)
        window.settle(batch)
        #expect((batch.records + waiting).map(\.id) == Array(0..<20))
        let other = try next(&window)
        #expect(other.key != batch.key)
        #expect(other.records.first?.id == 0)
        window.settle(other)
        #expect(window.removeWaiting(other.key).count + other.records.count == 20)
        #expect(window.isEmpty)
        #expect(window.bytes == 0)
    }

    @Test func `memory is counted until a batch is settled`() throws {
        var window = window(bytesMax: 1000)
        window.add(record(1, bytes: 2000), key: key("a"), now: .zero)
        #expect(window.room < 0)
        let batch = try next(&window)
        #expect(window.room < 0)
        window.settle(batch)
        #expect(window.room == 1000)
        #expect(window.isEmpty)
    }

    @Test func `headers count as memory`() {
        var window = window(bytesMax: 10_000)
        for id in 0..<4 as Range<UInt64> {
            let headers = [HTTPHeader("x-tenant", String(repeating: "\(id)", count: 4000))]
            window.add(record(id, headers: headers), key: key("a"), now: .zero)
        }
        #expect(window.room < 0)
    }

    @Test func `lanes are bounded, and over the bound nothing lingers and nothing more comes in`() throws {
        var window = window(bytesMax: 100 << 20)
        for lane in 0..<BatchWindow.lanesMax {
            #expect(window.room > 0)
            window.add(record(UInt64(lane)), key: key("\(lane)"), now: .zero)
        }
        #expect(window.room == 0)
        let batch = try next(&window)
        window.settle(batch)
        #expect(window.room > 0)
        #expect(window.next(now: .zero) == nil, "what is left lingers again")
    }

    @Test func `any lane may end, and the others are found`() throws {
        var window = window()
        for id in 0..<4 as Range<UInt64> { window.add(record(id, items: 10), key: key("\(id)"), now: .zero) }
        let batches = (0..<4).compactMap { _ in window.next(now: .zero) }
        #expect(batches.count == 4)
        for batch in batches.dropLast() { window.settle(batch) }
        window.putBack([batches[3]])
        #expect(window.next(now: .zero)?.records.map(\.id) == batches[3].records.map(\.id))
        window.settle(batches[3])
        #expect(window.isEmpty)
    }

    @Test func `draining waits for nothing`() {
        var window = window()
        window.add(record(1), key: key("a"), now: .zero)
        window.isDraining = true
        #expect(window.next(now: .zero) != nil)
    }

    @Test func `a refused batch is halved until one record is left`() throws {
        var window = window(exclusive: true)
        for id in 0..<4 { window.add(record(UInt64(id)), key: key("a"), now: .zero) }
        var alone: [UInt64] = []
        while let batch = window.next(now: .seconds(1)) {
            if let halves = batch.halved() {
                window.putBack([halves.0, halves.1])
            } else {
                alone.append(batch.records[0].id)
                window.settle(batch)
            }
        }
        #expect(alone == [0, 1, 2, 3])
        #expect(window.isEmpty)
    }
}
