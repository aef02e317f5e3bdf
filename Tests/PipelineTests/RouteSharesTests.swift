import Basics
import Journal
import Logging
import OTLP
import Pipeline
import Synchronization
import TestKit
import Testing

/// A pipeline that routes by the receiver's name, whose deliveries are played by the test.
private final class SharedPipeline: Sendable {
    let journal: Journal
    let shares: RouteShares
    let condition = JournalCondition()
    let meters = Meters()
    let line = WaitingLine(bytesMax: .mebibytes(16))
    private let gateway: Gateway
    private let observer = AnswerCollector()

    init(
        budget: ByteCount,
        journalBytes: ByteCount = .mebibytes(64),
        whenFull: FullPolicy = .reject,
        clock: WallClock = .system,
        hold: Duration = .zero
    ) throws {
        var settings = JournalSettings()
        settings.storage = .memory
        settings.maxBytes = journalBytes
        settings.whenFull = whenFull
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let readers = ["quick", "slow"].map { ReaderDefinition(name: $0) }
        journal = try Journal.open(
            settings,
            logs: [LogDefinition(LogID("traces"), readers: readers)],
            clock: clock,
            logger: logger,
            onRoom: { [line] in line.roomIsFreed() }
        )
        shares = RouteShares(budget: budget, logs: journal.logs)
        let front = PipelineFront(
            log: LogID("traces"),
            processors: [ByReceiver()],
            forwardedHeaders: [],
            itemsMax: 500,
            tally: IntakeTally(meters, pipeline: "traces", receiver: "otlp", signal: .traces)
        )
        gateway = Gateway(
            fronts: [front],
            journal: journal,
            clock: clock,
            deviations: DeviationLog(meters: meters, logger: logger),
            shares: shares,
            condition: condition,
            line: line,
            hold: hold
        )
    }

    func send(_ body: [UInt8], to route: String, from address: SourceAddress = .unknown) async -> IntakeAnswer {
        let source = RequestSource(receiver: route, address: address)
        let request = IncomingRequest(signal: .traces, encoding: .protobuf, body: body, source: source)
        return await observer.answer { gateway.accept(request, ticket: $0, observer: observer) }
    }

    /// Sends until the answer is another than success.
    func fill(
        _ route: String,
        with body: [UInt8],
        atMost limit: Int = 10_000
    ) async -> (taken: Int, last: IntakeAnswer) {
        for taken in 0..<limit {
            let answer = await send(body, to: route)
            guard answer == .accepted else { return (taken, answer) }
        }
        return (limit, .accepted)
    }

    /// Delivers everything to both destinations.
    func deliverAll() async throws {
        for name in ["quick", "slow"] { try await deliverAll(to: name) }
    }

    /// Delivers everything that one destination has not got.
    func deliverAll(to name: String) async throws {
        let reader = try #require(journal.logs[0].reader(named: name))
        let share = try #require(shares.destination(name, of: LogID("traces")))
        while reader.hasUnread {
            let records = try await reader.next(bytesMax: 1 << 20, recordsMax: 100)
            reader.finish(
                records.map { record in
                    var outcomes = OutcomeCounts()
                    outcomes[.delivered] = UInt64(record.items)
                    return SettledRecord(id: record.id, items: record.items, outcomes: outcomes)
                }
            )
            for record in records {
                guard let metadata = RecordMetadata(decoding: record.metadata) else { continue }
                share.settled(record.sharedBytes, of: metadata, wasParked: false)
            }
        }
    }
}

/// Routes by the receiver that a request came from.
private struct ByReceiver: SpanProcessor {
    func process(_ work: inout SpanWork) {
        for span in work.batch.spans.indices { work.assign(.experimentName(work.source.receiver), to: span) }
    }
}

@Suite struct RouteSharesTests {
    private let small: [UInt8]

    init() throws {
        small = try Fixtures.bytes("payloads/small.pb")
    }

    private func isThrottled(_ answer: IntakeAnswer) -> Bool {
        if case .throttled = answer { true } else { false }
    }

    /// By themselves each of its two records would have room.
    @Test func `a request of several records counts as one`() async throws {
        let large = try Fixtures.bytes("payloads/large.pb")
        let pipeline = try SharedPipeline(budget: ByteCount(bytes: large.count * 4))
        #expect(await pipeline.send(small, to: "quiet") == .accepted)
        let (taken, answer) = await pipeline.fill("noisy", with: large)
        #expect(taken == 1)
        #expect(isThrottled(answer))
    }

    @Test func `a noisy route is held to half while others are there, and they get in`() async throws {
        let pipeline = try SharedPipeline(budget: ByteCount(bytes: small.count * 100))
        #expect(await pipeline.send(small, to: "quiet") == .accepted)
        let (taken, answer) = await pipeline.fill("noisy", with: small)
        #expect((46...50).contains(taken))
        guard case .throttled(let message, let retryAfter) = answer else {
            Issue.record("not throttled: \(answer)")
            return
        }
        #expect(message.hasPrefix(#"experiment "noisy" has "#))
        #expect(message.contains("its share of the journal is \(ByteCount(bytes: small.count * 50))"))
        #expect(retryAfter == .seconds(3))
        #expect(await pipeline.send(small, to: "quiet") == .accepted)
        #expect(await pipeline.send(small, to: "new") == .accepted)
        let metrics = pipeline.meters.prometheusText()
        #expect(metrics.contains(#"reason="over_share",receiver="otlp",signal="traces"} 10"#))
    }

    @Test func `a thousand names of one address leave another address its half`() async throws {
        let pipeline = try SharedPipeline(budget: ByteCount(bytes: small.count * 100))
        let (victim, noisy) = (SourceAddress(bits: 1), SourceAddress(bits: 2))
        #expect(await pipeline.send(small, to: "shop", from: victim) == .accepted)
        var taken = 0
        for name in 0..<1000 {
            let answer = await pipeline.send(small, to: "\(name)", from: noisy)
            if answer == .accepted { taken += 1 }
        }
        #expect((46...50).contains(taken))
        for _ in 0..<40 { #expect(await pipeline.send(small, to: "shop", from: victim) == .accepted) }
        guard case .throttled(let message, _) = await pipeline.send(small, to: "new", from: noisy) else {
            Issue.record("not throttled")
            return
        }
        #expect(message.hasPrefix("this client, with all its routes, has "))
        // What is settled comes from the journal's records, which tell who sent them.
        for destination in ["quick", "slow"] { try await pipeline.deliverAll(to: destination) }
        #expect(pipeline.shares.held == 0)
    }

    @Test func `a route that is alone is bounded by the journal only`() async throws {
        let pipeline = try SharedPipeline(budget: ByteCount(bytes: small.count * 10))
        for _ in 0..<50 { #expect(await pipeline.send(small, to: "only") == .accepted) }
    }

    @Test func `room comes back when the slowest destination has settled`() async throws {
        let pipeline = try SharedPipeline(budget: ByteCount(bytes: small.count * 100))
        #expect(await pipeline.send(small, to: "quiet") == .accepted)
        let (taken, _) = await pipeline.fill("noisy", with: small)
        try await pipeline.deliverAll(to: "quick")
        #expect(isThrottled(await pipeline.send(small, to: "noisy")))
        try await pipeline.deliverAll(to: "slow")
        #expect(pipeline.shares.held == 0)
        #expect(await pipeline.fill("noisy", with: small).taken == taken)
    }

    @Test func `a request that the full journal refuses holds nothing`() async throws {
        let pipeline = try SharedPipeline(budget: .mebibytes(64), journalBytes: .kibibytes(512))
        let (taken, answer) = await pipeline.fill("only", with: small)
        #expect(answer == .unavailable("the journal is full", retryAfter: .seconds(3)))
        #expect(pipeline.condition.reason == "the journal is full")
        let held = pipeline.shares.held
        #expect(held / small.count == taken)
        _ = await pipeline.send(small, to: "only")
        #expect(pipeline.shares.held == held)
    }

    @Test func `a request waits for room in the journal while room becomes free`() async throws {
        let pipeline = try SharedPipeline(budget: .mebibytes(64), journalBytes: .kibibytes(512), hold: .seconds(60))
        let (taken, first) = await pipeline.fill("only", with: small)
        #expect(first == .unavailable("the journal is full", retryAfter: .seconds(3)), "nothing has become free yet")
        try await pipeline.deliverAll()
        #expect(await until { pipeline.journal.logs[0].statistics.segments <= 1 })
        let delivering = Task {
            while !Task.isCancelled {
                try await pipeline.deliverAll()
                await Task.yield()
            }
        }
        let (again, last) = await pipeline.fill("only", with: small, atMost: taken * 4)
        delivering.cancel()
        #expect(again == taken * 4 && last == .accepted)
    }

    @Test func `a request waits for its route's share, and another route waits for nobody`() async throws {
        let pipeline = try SharedPipeline(budget: ByteCount(bytes: small.count * 100), hold: .seconds(60))
        #expect(await pipeline.send(small, to: "quiet") == .accepted)
        let (taken, first) = await pipeline.fill("noisy", with: small)
        #expect(isThrottled(first), "nothing has become free yet")
        try await pipeline.deliverAll()
        #expect(await pipeline.send(small, to: "quiet") == .accepted)
        for _ in 0..<taken { #expect(await pipeline.send(small, to: "noisy") == .accepted) }
        async let waiting = [pipeline.send(small, to: "noisy"), pipeline.send(small, to: "noisy")]
        #expect(await pipeline.send(small, to: "quiet") == .accepted)
        try await pipeline.deliverAll()
        #expect(await waiting == [.accepted, .accepted])
    }

    @Test func `a request larger than the journal is answered 413, also while its route holds something`() async throws
    {
        let large = try Fixtures.bytes("payloads/large.pb")
        let pipeline = try SharedPipeline(
            budget: ByteCount(bytes: small.count * 8),
            journalBytes: ByteCount(bytes: large.count)
        )
        #expect(await pipeline.send(small, to: "quiet") == .accepted)
        #expect(await pipeline.send(small, to: "noisy") == .accepted)
        let held = pipeline.shares.held
        guard case .tooLarge(let message) = await pipeline.send(large, to: "noisy") else {
            Issue.record("it is to be sent again for ever")
            return
        }
        #expect(message.contains("journal.max_bytes, \(ByteCount(bytes: large.count))"))
        #expect(pipeline.condition.reason == nil)
        #expect(pipeline.shares.held == held)
        #expect(pipeline.meters.prometheusText().contains(#"reason="too_large",receiver="otlp",signal="traces"} "#))
        #expect(await pipeline.send(small, to: "noisy") == .accepted)
    }

    @Test func `what the journal gave up counts no more`() async throws {
        let pipeline = try SharedPipeline(
            budget: .mebibytes(2),
            journalBytes: .kibibytes(512),
            whenFull: .dropOldest,
            clock: .ticking
        )
        #expect(await pipeline.send(small, to: "quiet") == .accepted)
        for _ in 0..<(8 << 20) / small.count { #expect(await pipeline.send(small, to: "noisy") == .accepted) }
        #expect(pipeline.journal.logs[0].readers[0].account.outcomes[.expired] > 0)
        // Half of the budget is the noisy route's, and what the quiet one sent may still be held.
        #expect(pipeline.shares.held <= (1 << 20) + 2 * small.count)
    }

    @Test func `what an earlier process left is held by those who have not got it`() async throws {
        let pipeline = try SharedPipeline(budget: ByteCount(bytes: small.count * 100))
        let metadata = RecordMetadata(signal: .traces, route: .experimentName("noisy")).encoded()
        for id in 0..<60 {
            let record = StoredRecord(
                id: UInt64(id),
                items: 1,
                kind: .items,
                receivedAt: UnixTime(nanoseconds: 1),
                metadata: metadata,
                payload: small
            )
            pipeline.shares.restore(record, of: LogID("traces"), pending: id < 20 ? [] : ["slow"])
        }
        #expect(pipeline.shares.held == 40 * (small.count + metadata.count))
        #expect(pipeline.shares.destination("nobody", of: LogID("traces")) == nil)
    }
}

extension WallClock {
    /// A second passes with each look at it.
    fileprivate static var ticking: WallClock {
        let seconds = Atomic<UInt64>(1_795_341_600)
        return WallClock {
            UnixTime(nanoseconds: seconds.wrappingAdd(1, ordering: .relaxed).newValue * 1_000_000_000)
        }
    }
}
