import Basics
import Journal
import OTLP
import TestKit
import Testing

@testable import Pipeline

@Suite struct SplitTests {
    private func batch(_ payload: [UInt8], items: Int, signal: Signal = .traces) -> PendingBatch {
        PendingBatch(
            key: MergeKey(signal: signal, route: .experimentName("a"), headers: []),
            records: [
                QueuedRecord(id: 1, items: UInt32(items), metadata: RecordMetadata(signal: signal), payload: payload)
            ],
            backoff: Backoff(initial: .seconds(1), maximum: .seconds(1))
        )
    }

    /// Sends everything, and splits what `isTaken` does not take; nil where something alone is not taken.
    private func send(
        _ batch: PendingBatch,
        items: Int,
        isTaken: (Batch) -> Bool = { _ in true }
    ) -> (taken: [Batch], left: [Batch]) {
        var batch = batch
        batch.prepare(limits: BatchLimits(items: items, bytes: .mebibytes(64), linger: .zero))
        var (taken, left): ([Batch], [Batch]) = ([], [])
        while let request = batch.nextRequest() {
            if isTaken(request.batch) {
                taken.append(request.batch)
            } else if batch.splitNextRequest() {
                continue
            } else {
                left.append(request.batch)
            }
            batch.completeNextRequest()
        }
        #expect(batch.isDone)
        return (taken, left)
    }

    @Test func `a request is split by trace and nothing is lost`() throws {
        let spans = (0..<10).map { TestSpan(id: UInt64($0 + 1), trace: UInt64($0 % 5 + 1)) }
        let parts = send(batch(tracesRequest(spans), items: 10), items: 4).taken
        #expect(parts.map(\.items) == [4, 4, 2])
        let ids = try parts.map { try SpanBatch($0.payload).spans.map(\.spanID.value).sorted() }
        #expect(ids == [[1, 2, 6, 7], [3, 4, 8, 9], [5, 10]])
    }

    /// Field 1 of a request, which holds field 2 of a resource, which holds those units.
    private func request(_ units: [[UInt8]]) -> [UInt8] {
        let scope = units.flatMap { unit -> [UInt8] in [0x12, UInt8(unit.count)] + unit }
        return [0x0A, UInt8(scope.count + 2), 0x12, UInt8(scope.count)] + scope
    }

    @Test(
        arguments: [
            // A log record of one severity each; a gauge of one data point each.
            (Signal.logs, [[0x10, 1], [0x10, 2]]), (.metrics, [[0x2A, 4, 0x0A, 2, 0x40, 1], [0x2A, 2, 0x0A, 0]]),
        ] as [(Signal, [[UInt8]])]
    )
    func `what has no traces is split one by one`(signal: Signal, units: [[UInt8]]) {
        let parts = send(batch(request(units), items: 2, signal: signal), items: 1).taken
        #expect(parts.map(\.payload) == units.map { request([$0]) })
        #expect(parts.map(\.items) == [1, 1])
    }

    @Test func `a payload that cannot be read is not split`() {
        #expect(send(batch([0x0A, 9], items: 2), items: 1).taken.map(\.payload) == [[0x0A, 9]])
    }

    @Test(arguments: [1, 3, 400])
    func `a large resource is repeated a bounded number of times, however much is refused`(poisons: Int) throws {
        let spans = (1...400 as ClosedRange<UInt64>).map { TestSpan("span", id: $0, trace: $0) }
        let body = tracesRequest(spans, resource: ["padding": .string(String(repeating: "x", count: 1 << 20))])
        var sent = 0
        let (taken, left) = send(batch(body, items: 400), items: 10) { request in
            sent += request.payload.count
            let ids = (try? SpanBatch(request.payload).spans.map(\.spanID.value)) ?? []
            return !ids.contains { $0 <= UInt64(poisons) }
        }
        #expect(sent <= 6 * body.count, "\(Double(sent) / Double(body.count)) times the body")
        let ids = try (taken + left).flatMap { try SpanBatch($0.payload).spans.map(\.spanID.value) }
        #expect(ids.sorted() == Array(1...400))
    }

    @Test func `one poison among small resources is alone in the end`() throws {
        let spans = (1...400 as ClosedRange<UInt64>).map { TestSpan("span", id: $0, trace: $0) }
        let (taken, left) = send(batch(tracesRequest(spans), items: 400), items: 500) { request in
            !((try? SpanBatch(request.payload).spans.contains { $0.spanID.value == 77 }) ?? true)
        }
        #expect(left.map(\.items) == [1])
        #expect(taken.reduce(0) { $0 + $1.items } == 399)
    }

    @Test func `only the next request of a record over the limits is in memory`() throws {
        var batch = batch(try Fixtures.bytes("payloads/large.pb"), items: 512)
        batch.prepare(limits: BatchLimits(items: 100, bytes: .mebibytes(4), linger: .zero))
        let first = batch.nextRequest()
        batch.pause()
        #expect(first != nil && !batch.isDone)
        let again = batch.nextRequest()
        #expect(again?.batch.payload == first?.batch.payload)
    }
}

/// What is over the size of a request is put into several records before it is journaled.
struct DivisionTests {
    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 7])
    func `every route is divided by itself, whole traces together, and nothing is lost`(seed: UInt64) throws {
        for round in 0..<60 {
            var generator = SeededGenerator(seed: seed &+ UInt64(round))
            let spans = (1...80 as ClosedRange<UInt64>).map { id in
                TestSpan("span", id: id, trace: UInt64.random(in: 1...20, using: &generator))
            }
            let source = RequestSource(receiver: "otlp")
            var work = SpanWork(
                batch: try SpanBatch(tracesRequest(spans)),
                source: source,
                receivedAt: UnixTime(nanoseconds: 0)
            )
            let routes: [Route] = [.none, .experimentName("a"), .experimentName("b")]
            for span in work.batch.spans.indices {
                work.assign(routes[Int(spans[span].trace % 3)], to: span)
                if Int.random(in: 0..<5, using: &generator) == 0 { work.batch.remove(span, as: .filtered) }
            }
            let kept = work.batch.spans.indices.filter { work.batch.removal(of: $0) == nil }
            let itemsMax = Int.random(in: 1...30, using: &generator)
            work.divide(itemsMax: itemsMax)
            var seen: [UInt64] = []
            var places: [TraceID: UInt16] = [:]
            for (group, encoded) in try work.batch.encodedByGroup() {
                let written = try SpanBatch(encoded.payload).spans
                let traces = Set(written.map(\.traceID))
                #expect(written.count <= itemsMax || traces.count == 1, "seed \(seed), round \(round)")
                for span in written {
                    #expect(
                        work.routes[Int(group)] == routes[Int(span.traceID.low % 3)],
                        "seed \(seed), round \(round)"
                    )
                    #expect(places[span.traceID] ?? group == group, "seed \(seed), round \(round)")
                    places[span.traceID] = group
                    seen.append(span.spanID.value)
                }
            }
            #expect(seen.sorted() == kept.map { UInt64($0 + 1) }, "seed \(seed), round \(round)")
        }
    }

    @Test func `a request within the size stays one record, byte for byte`() throws {
        let small = try Fixtures.bytes("payloads/small.pb")
        var work = SpanWork(
            batch: try SpanBatch(small),
            source: RequestSource(receiver: "otlp"),
            receivedAt: UnixTime(nanoseconds: 0)
        )
        work.divide(itemsMax: 10)
        #expect(try work.batch.encodedByGroup().map(\.spans.payload) == [small])
        #expect(work.routes == [.none])
    }

    @Test func `where numbers of groups end the last one takes the rest`() throws {
        let spans = (1...10 as ClosedRange<UInt64>).map { TestSpan("span", id: $0, trace: $0) }
        var batch = try SpanBatch(tracesRequest(spans))
        #expect(batch.divide(itemsMax: 1, groups: Int(UInt16.max) - 1) == [0, 0])
        let groups: [UInt16] = try batch.encodedByGroup().map(\.group)
        #expect(groups == [0, UInt16.max - 1, UInt16.max])
        #expect(try batch.encodedByGroup().map(\.spans.items) == [1, 1, 8])
    }

    @Test(arguments: [0, 100, 1000, 100_000])
    func `what stands around the spans at most doubles the bytes`(size: Int) throws {
        let spans = (1...200 as ClosedRange<UInt64>).map { TestSpan("span", id: $0, trace: $0) }
        let body = tracesRequest(spans, resource: ["padding": .string(String(repeating: "x", count: size))])
        var work = SpanWork(
            batch: try SpanBatch(body),
            source: RequestSource(receiver: "otlp"),
            receivedAt: UnixTime(nanoseconds: 0)
        )
        work.divide(itemsMax: 1)
        let parts = try work.batch.encodedByGroup()
        #expect(parts.reduce(0) { $0 + $1.spans.payload.count } <= 2 * body.count + 16 * parts.count)
        #expect(parts.reduce(0) { $0 + $1.spans.items } == 200)
        #expect((parts.count > 1) == (size < 10_000))
    }

    @Test func `a request of 512 spans is two records`() async throws {
        let bench = try PipelineBench(to: ScriptedExporter())
        #expect(try await bench.send(Fixtures.bytes("payloads/large.pb")) == .accepted)
        let records = try await bench.reader.next(bytesMax: 8 << 20, recordsMax: 10)
        #expect(records.map(\.items) == [500, 12])
    }
}
