import Basics
import Journal
import OTLP
import Pipeline
import TestKit
import Testing

@Suite struct `A dead letter` {
    private static let letter = DeadLetter(
        origin: DeadLetter.Origin(source: .pipeline, id: 300),
        rejection: Rejection(status: 500, reason: "no", body: [0x7B, 0x7D]),
        attempts: 3,
        firstAttempt: UnixTime(nanoseconds: 1),
        lastAttempt: UnixTime(nanoseconds: 200),
        metadata: RecordMetadata(signal: .traces, route: .experimentName("a")),
        payload: [9],
        items: 1
    )

    @Test func `has this form in the journal`() {
        let expected: [UInt8] = [
            1, 0, 0xAC, 0x02, 0xF5, 0x03, 3, 1, 0xC8, 0x01, 2, 0x6E, 0x6F, 2, 0x7B, 0x7D,
        ]
        #expect(Self.letter.encodedMetadata() == expected + Self.letter.metadata.encoded())
    }

    @Test func `comes back as it was`() {
        let bytes = Self.letter.encodedMetadata()
        #expect(DeadLetter(decoding: bytes, payload: [9], items: 1) == Self.letter)
        for count in 0..<bytes.count - 1 {
            #expect(DeadLetter(decoding: Array(bytes.prefix(count)), payload: [9], items: 1) == nil)
        }
        #expect(DeadLetter(decoding: [2] + bytes.dropFirst(), payload: [9], items: 1) == nil, "another version")
    }

    @Test func `keeps the first 4 KiB of the answer`() {
        let rejection = Rejection(status: 400, reason: "no", body: [UInt8](repeating: 65, count: 9000))
        #expect(rejection.body.count == 4096)
    }
}

@Suite struct `The box of dead letters` {
    private let small: [UInt8]
    private let large: [UInt8]

    init() throws {
        small = try Fixtures.bytes("payloads/small.pb")
        large = try Fixtures.bytes("payloads/large.pb")
    }

    /// Refuses the first trace of the large payload for as long as it is `ill`.
    private func refusing(_ ill: Switch, with status: Int = 400) throws -> ScriptedExporter {
        let poison = try SpanBatch(large).spans[0].traceID
        return ScriptedExporter(refusing: { batch in
            ill.isOn && TraceID.all(in: batch.payload, signal: .traces).contains(poison)
        })
    }

    private func spans(ofFirstTraceIn payload: [UInt8]) throws -> UInt64 {
        let spans = try SpanBatch(payload).spans
        return UInt64(spans.filter { $0.traceID == spans[0].traceID }.count)
    }

    @Test func `takes what is refused alone, and the rest is delivered`() async throws {
        let bench = try PipelineBench(to: refusing(Switch(true)))
        #expect(await bench.send(large) == .accepted)
        #expect(await bench.send(small) == .accepted)
        await bench.deliverAll()
        let dead = try spans(ofFirstTraceIn: large)
        #expect(bench.account.outcomes[.deadLettered] == dead)
        #expect(bench.account.outcomes[.delivered] == 522 - dead)
        #expect(bench.account.queued == 0)
    }

    @Test func `lists what it holds with trace, service and reason`() async throws {
        let bench = try PipelineBench(to: refusing(Switch(true)))
        _ = await bench.send(large)
        await bench.deliverAll()
        let letters = try await bench.listing()
        #expect(!letters.isEmpty)
        for letter in letters {
            #expect(letter["reason"]?.string == "poison")
            #expect(letter["status"]?.integer == 400)
            let ids = letter["trace_ids"]?.elements?.compactMap(\.string)
            #expect(ids == [try "\(SpanBatch(large).spans[0].traceID)"])
            #expect(letter["services"]?.elements?.isEmpty == false)
            #expect(letter["request"] == nil, "a listing has no content")
        }
        let id = try #require(letters.first?["id"]?.string)
        let shown = try await bench.listing(.init(.show, id: id))
        #expect(shown.first?["request"]?["resourceSpans"]?.elements?.count == 1)
    }

    @Test func `are listed in pages, and those that were purged are left out`() async throws {
        let bench = try PipelineBench(to: refusing(Switch(true)))
        for _ in 0..<3 { #expect(await bench.send(large) == .accepted) }
        await bench.deliverAll()
        let all = try await bench.listing().compactMap { $0["id"]?.string }
        #expect(all.count >= 3)
        var (pages, after): ([[String]], String?) = ([], nil)
        repeat {
            let answer = await bench.office.answer(.init(.list, after: after, limit: 2))
            guard case .done(let bytes) = answer else {
                Issue.record("\(answer)")
                return
            }
            let json = try JSONNode(parsing: bytes)
            pages.append((json["dead_letters"]?.elements ?? []).compactMap { $0["id"]?.string })
            after = json["next"]?.string
        } while after != nil
        #expect(pages.flatMap(\.self) == all)
        #expect(pages.dropLast().allSatisfy { $0.count == 2 })
        _ = await bench.office.answer(.init(.purge, id: all[0]))
        #expect(try await bench.listing(.init(.list, limit: 1)).first?["id"]?.string == all[1])
        #expect(await bench.office.answer(.init(.show, id: all[0])) == .unknown("there is no dead letter \(all[0])"))
        #expect(await bench.office.answer(.init(.list, limit: 0)) == .unknown("limit 0 is not allowed: 1 to 10000"))
        let unknown = "there is no dead letter traces/out; an id is PIPELINE/EXPORTER/NUMBER"
        #expect(await bench.office.answer(.init(.list, after: "traces/out")) == .unknown(unknown))
    }

    @Test func `a replay queues them again, and delivery settles them`() async throws {
        let ill = Switch(true)
        let bench = try PipelineBench(to: refusing(ill))
        _ = await bench.send(large)
        await bench.deliverAll()
        let dead = bench.account.outcomes[.deadLettered]
        ill.isOn = false
        guard case .done = await bench.office.answer(.init(.replay)) else {
            Issue.record("nothing was replayed")
            return
        }
        #expect(bench.account.queued == dead)
        #expect(bench.account.outcomes[.deadLettered] == 0)
        #expect(bench.isBalanced)
        await bench.deliverAll()
        #expect(bench.account.outcomes[.delivered] == 512)
        #expect(bench.account.queued == 0)
        #expect(try await bench.listing().isEmpty)
    }

    @Test func `what is refused again after a replay is a dead letter again`() async throws {
        let bench = try PipelineBench(to: refusing(Switch(true)))
        _ = await bench.send(large)
        await bench.deliverAll()
        let (dead, letters) = (bench.account.outcomes[.deadLettered], try await bench.listing().count)
        _ = await bench.office.answer(.init(.replay))
        await bench.deliverAll()
        #expect(bench.account.outcomes[.deadLettered] == dead)
        #expect(bench.account.queued == 0)
        #expect(try await bench.listing().count == letters)
        #expect(bench.isBalanced)
    }

    @Test func `a purge gives them up`() async throws {
        let bench = try PipelineBench(to: refusing(Switch(true)))
        _ = await bench.send(large)
        await bench.deliverAll()
        let dead = bench.account.outcomes[.deadLettered]
        let id = try #require(try await bench.listing().first?["id"]?.string)
        _ = await bench.office.answer(.init(.purge, id: id))
        #expect(bench.account.outcomes[.expired] + bench.account.outcomes[.deadLettered] == dead)
        _ = await bench.office.answer(.init(.purge, exporter: "out"))
        #expect(bench.account.outcomes[.expired] == dead)
        #expect(bench.account.outcomes[.deadLettered] == 0)
        #expect(bench.isBalanced)
    }

    @Test func `says which exporter and which letter it does not know`() async throws {
        let bench = try PipelineBench(to: ScriptedExporter())
        let missing = "there is no dead letter traces/out/7"
        #expect(await bench.office.answer(.init(.show, id: "traces/out/7")) == .unknown(missing))
        #expect(await bench.office.answer(.init(.purge, id: "traces/out/7")) == .unknown(missing))
        let wrong = "there is no dead letter 7; an id is PIPELINE/EXPORTER/NUMBER"
        #expect(await bench.office.answer(.init(.replay, id: "7")) == .unknown(wrong))
        let exporter = #"no exporter "in" has dead letters; those that may: out"#
        #expect(await bench.office.answer(.init(.list, exporter: "in")) == .unknown(exporter))
        #expect(await bench.office.answer(.init(.show)) == .unknown("show needs the id of a dead letter"))
    }

    @Test func `after give_up_after everything that is left becomes dead letters`() async throws {
        let outage = DeliveryOutcome.unavailable(reason: "down", after: nil)
        let exporter = ScriptedExporter(Array(repeating: outage, count: 50))
        let retry = RetrySettings(initial: .seconds(1), max: .seconds(2), giveUpAfter: .nanoseconds(1))
        let bench = try PipelineBench(to: exporter, retry: retry)
        _ = await bench.send(small)
        await bench.deliverAll()
        #expect(bench.account.outcomes[.deadLettered] == 10)
        #expect(try await bench.listing().first?["reason"]?.string == "given up after 1ns: down")
    }
}

@Suite struct `Whose fault a failure is` {
    private let small: [UInt8]
    private let large: [UInt8]

    init() throws {
        small = try Fixtures.bytes("payloads/small.pb")
        large = try Fixtures.bytes("payloads/large.pb")
    }

    /// Fails on one span, as MLflow does on a time over 2^63.
    private func failing(on span: SpanID) -> ScriptedExporter {
        ScriptedExporter(
            refusing: { batch in
                (try? SpanBatch(batch.payload).spans.contains { $0.spanID == span }) ?? true
            },
            as: .failed(Rejection(status: 500, reason: "too large to convert"))
        )
    }

    @Test func `one span that the destination fails on is found among many and set aside`() async throws {
        let exporter = failing(on: try SpanBatch(large).spans[100].spanID)
        let bench = try PipelineBench(to: exporter)
        _ = await bench.send(large)
        await bench.deliverAll()
        #expect(bench.account.outcomes[.deadLettered] == 1)
        #expect(bench.account.outcomes[.delivered] == 511)
        #expect(exporter.batches.count < 60, "the number of requests grows with the logarithm")
    }

    @Test func `records behind it are delivered meanwhile`() async throws {
        let exporter = failing(on: try SpanBatch(large).spans[0].spanID)
        let bench = try PipelineBench(to: exporter, limits: BatchLimits(items: 10, bytes: .mebibytes(1), linger: .zero))
        _ = await bench.send(large)
        for _ in 0..<3 { _ = await bench.send(small) }
        await bench.deliverAll()
        #expect(bench.account.outcomes[.delivered] == 541)
        #expect(bench.account.outcomes[.deadLettered] == 1)
    }

    @Test func `a failure that nothing else disproves is never held against the spans`() async throws {
        let failure = DeliveryOutcome.failed(Rejection(status: 500, reason: "in trouble"))
        let exporter = ScriptedExporter(Array(repeating: failure, count: 40))
        let bench = try PipelineBench(to: exporter)
        _ = await bench.send(small)
        await bench.deliverAll()
        #expect(bench.account.outcomes[.delivered] == 10)
        #expect(bench.account.outcomes[.deadLettered] == 0)
    }

    @Test func `a request that is too large is sent in parts, and the limit is remembered`() async throws {
        let exporter = ScriptedExporter(
            refusing: { $0.payload.count > 100_000 },
            as: .tooLarge(Rejection(status: 413, reason: "big"))
        )
        let bench = try PipelineBench(
            to: exporter,
            limits: BatchLimits(items: 5000, bytes: .mebibytes(4), linger: .zero)
        )
        _ = await bench.send(large)
        await bench.deliverAll()
        #expect(bench.account.outcomes[.delivered] == 512)
        let tooLarge = exporter.batches.filter { $0.payload.count > 100_000 }.count
        _ = await bench.send(large)
        await bench.deliverAll()
        #expect(bench.account.outcomes[.delivered] == 1024)
        #expect(exporter.batches.filter { $0.payload.count > 100_000 }.count == tooLarge, "it is not tried again")
    }
}
