import Basics
import Journal
import OTLP
import TestKit
import Testing

@testable import Pipeline

/// What a window does where the journal takes nothing, or not this.
@Suite struct WindowRoomTests {
    /// Makes more than the journal takes of traces of at least so many records.
    private struct Inflation: WindowedProcessor {
        let partsMin: Int
        var window = WindowSettings()
        let joinsLogs = false

        func joins(_ unit: Int, of logs: Envelope) -> Bool { false }

        func restore(_ key: TraceKey, route: Route, receivedAt: UnixTime) {}

        func show(_: [WholeTrace.Part], of _: TraceKey, amid _: [WholeTrace.Part]?) -> AssembledTrace? { nil }

        func assemble(_ trace: WholeTrace) -> AssembledTrace {
            var payload = trace.parts.flatMap(\.payload)
            let items = SpanHead.all(in: payload).count
            if trace.key.trace.low == 7, trace.parts.count >= partsMin {
                payload += [UInt8](repeating: 0, count: 2 << 20)
            }
            return AssembledTrace(route: .experimentName("a"), payload: payload, items: items)
        }
    }

    @Test(arguments: [1, 2])
    func `a trace too large for the journal goes on as it came, and others with it`(partsMin: Int) async throws {
        let exporter = ScriptedExporter(exclusive: true)
        let bench = try WindowBench(window: Inflation(partsMin: partsMin), to: exporter, maxBytes: .mebibytes(1))
        #expect(await bench.send([TestSpan(id: 2, parent: 1)]) == .accepted)
        #expect(await bench.send([TestSpan(id: 1), TestSpan(id: 8, trace: 8)]) == .accepted)
        await bench.decide()
        #expect(bench.stage.trouble == nil)
        await bench.deliver()
        let spans = try exporter.batches.flatMap { try SpanBatch($0.payload).spans.map(\.spanID.value) }
        #expect(spans.sorted() == [1, 2, 8])
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 3) && bench.isBalanced)
        #expect(bench.shares.held == 0)
        await bench.journal.close()
    }

    @Test func `a full disk is said, and all moves once there is room`() async throws {
        let files = FaultyFileSystem()
        let bench = try WindowBench(on: files, to: ScriptedExporter(exclusive: true))
        for trace in 1...3 as ClosedRange<UInt64> {
            #expect(await bench.send([TestSpan(id: 1, trace: trace)]) == .accepted)
        }
        files.setCapacity(0)
        await withTaskGroup { group in
            group.addTask { await bench.decide() }
            while bench.stage.trouble == nil { await Task.yield() }
            #expect(bench.stage.trouble == "whole of pipeline traces cannot move traces: the journal is full")
            #expect(bench.row.account.queued == 3 && bench.isBalanced)
            files.setCapacity(nil)
        }
        #expect(bench.stage.trouble == nil)
        await bench.deliver()
        #expect(bench.row.account.outcomes == OutcomeCounts(delivered: 3) && bench.isBalanced)
        await bench.journal.close()
    }

    @Test func `open traces that keep what is delivered are decided before anybody is refused`() async throws {
        let exporter = ScriptedExporter(exclusive: true)
        var window = Concatenation()
        window.window.afterRoot = .zero
        let bench = try WindowBench(window: window, to: exporter, maxBytes: .mebibytes(1))
        let large = TestValue.string(String(repeating: "r", count: 30_000))
        await withTaskGroup { group in
            group.addTask { await bench.stage.run() }
            group.addTask { await bench.delivery.run() }
            // Of one trace a span without its root lies in every segment.
            for number in 0..<50 as Range<UInt64> {
                let open = await bench.send([TestSpan(id: 100 + number, parent: 1, trace: 500)])
                let span = TestSpan(id: 1, trace: 1000 + number)
                let whole = await bench.send(tracesRequest([span], resource: ["service.name": "shop", "large": large]))
                #expect(open == .accepted && whole == .accepted)
                while bench.row.account.outcomes[.delivered] < number + 1 { await Task.yield() }
                bench.stage.relieve()
            }
            group.cancelAll()
        }
        #expect(exporter.batches.contains { $0.route == .experimentName("trace 500") })
        #expect(bench.isBalanced)
        await bench.journal.close()
    }

    @Test func `what will never move does not keep others from being decided early`() {
        var state = WindowStage.State(window: TraceWindow(WindowSettings()), cache: RecordCache(bytesMax: 0))
        #expect(!state.hasMovable)
        state.putOff([.passing(1)], until: .seconds(1), because: [.tooLarge("larger than a limit that was lowered")])
        #expect(!state.hasMovable)
        state.putOff([.passing(1)], until: .seconds(1), because: [.tooLarge("larger"), .full(retryAfter: .seconds(1))])
        #expect(state.hasMovable)
    }

    @Test func `parts of one trace that are made one by one are one trace to a sampler`() throws {
        var (reader, seen) = (MetadataReader(), [Bool]())
        let records = try (1...3 as ClosedRange<UInt64>).map { id in
            var metadata = RecordMetadata(signal: .traces)
            metadata.trace = TraceMark(trace: TraceID(high: 0, low: id < 3 ? 7 : 8))
            let stored = StoredRecord(
                id: id,
                items: 1,
                kind: .items,
                receivedAt: UnixTime(nanoseconds: 1),
                metadata: metadata.encoded(),
                payload: tracesRequest([TestSpan(id: id, trace: id < 3 ? 7 : 8)])
            )
            return try #require(WindowRecord(stored, &reader))
        }
        let moved = MovedTrace(dividing: records, to: WindowBench.behind, []) { trace in
            seen.append(trace.isContinued)
            return AssembledTrace(route: .none, payload: trace.parts[0].payload, items: 1)
        }
        #expect(seen == [false, true, false] && moved.records.count == 3)
    }

    @Test func `log records that were sampled out before the window stay so, also after a restart`() throws {
        var origin = TraceOrigin(spans: [0..<1], logs: [0..<3, 5..<8], joined: 2)
        origin.sampledOut = 3
        var metadata = RecordMetadata(signal: .traces)
        metadata.origin = origin
        let read = try #require(RecordMetadata(decoding: metadata.encoded())?.origin)
        let settled = TraceOrigin.joined(read.logs, read).reduce(OutcomeCounts()) { $0 + $1.outcomes }
        #expect(settled == [.delivered: 2, .sampledOut: 3, .filtered: 1])
    }

    @Test func `what its client may not write becomes a dead letter, and goes to others`() async throws {
        for usesRoutes in [true, false] {
            let exporter = ScriptedExporter(exclusive: usesRoutes)
            let bench = try WindowBench(window: Forbidding(), to: exporter)
            #expect(await bench.send([TestSpan(id: 1), TestSpan(id: 2, trace: 8)]) == .accepted)
            await bench.decide()
            await bench.deliver()
            let expected =
                exporter.usesRoutes ? OutcomeCounts(delivered: 1, deadLettered: 1) : OutcomeCounts(delivered: 2)
            #expect(bench.row.account.outcomes == expected && bench.isBalanced)
            #expect(bench.shares.held == 0)
            await bench.journal.close()
        }
    }
}

/// Refuses trace 7.
private struct Forbidding: WindowedProcessor {
    var window = WindowSettings()
    let joinsLogs = false

    func joins(_ unit: Int, of logs: Envelope) -> Bool { false }

    func restore(_ key: TraceKey, route: Route, receivedAt: UnixTime) {}

    func show(_: [WholeTrace.Part], of _: TraceKey, amid _: [WholeTrace.Part]?) -> AssembledTrace? { nil }

    func assemble(_ trace: WholeTrace) -> AssembledTrace {
        let payload = trace.parts.flatMap(\.payload)
        var made = AssembledTrace(route: .experimentName("a"), payload: payload, items: SpanHead.all(in: payload).count)
        if trace.key.trace.low == 7 { made.refusal = "not for them" }
        return made
    }
}
