import Basics
import Journal
import Pipeline
import Synchronization
import TestKit
import Testing

/// Requests whose answers wait for an exporter, and which of them the journal gets.
@Suite struct DeliveryAnswersTests {
    private static let gone = IntakeAnswer.unavailable("the client is gone", retryAfter: .seconds(1))
    private let clients = (1...3).map { SourceAddress(bits: $0) }
    private let body: [UInt8]

    init() throws {
        body = try Fixtures.bytes("payloads/small.pb")
    }

    /// Sends a request of one record that is journaled and whose answer waits.
    private func wait(
        _ bench: PipelineBench,
        _ client: SourceAddress
    ) async -> (ClientPresence, Task<IntakeAnswer, Never>) {
        let (before, presence) = (bench.reader.account.accepted, ClientPresence())
        let answer = Task { await bench.send(body, address: client, presence: presence) }
        #expect(await until { bench.reader.account.accepted == before + 10 })
        return (presence, answer)
    }

    @Test func `a client takes no more than its share of the places, and gives them back when it is gone`() async throws
    {
        let bench = try PipelineBench(
            to: ScriptedExporter(),
            answers: .init(awaited: AwaitedRecords(placesMax: 6))
        )
        var first = [await wait(bench, clients[0]), await wait(bench, clients[0]), await wait(bench, clients[0])]
        guard case .throttled(let reason, _) = await bench.send(body, address: clients[0]) else {
            Issue.record("over its share")
            return
        }
        #expect(reason.contains("its share of 3 records"), "\(reason)")
        let others = [await wait(bench, clients[1]), await wait(bench, clients[1]), await wait(bench, clients[2])]
        guard case .unavailable(let full, _) = await bench.send(body, address: SourceAddress(bits: 9)) else {
            Issue.record("over all places")
            return
        }
        #expect(full.contains("6 records"), "\(full)")
        #expect(bench.reader.account.accepted == 60, "what is refused is not journaled")
        for (presence, answer) in first {
            presence.end()
            #expect(await answer.value == Self.gone)
        }
        first = [await wait(bench, clients[0])]
        await bench.deliverAll()
        for (_, answer) in first + others { #expect(await answer.value == .accepted) }
        #expect(bench.reader.account.outcomes[.delivered] == 70, "also what nobody waits for")
    }

    @Test func `more records than there are places is too large for any time`() async throws {
        let bench = try PipelineBench(to: ScriptedExporter(), answers: .init(awaited: AwaitedRecords(placesMax: 0)))
        guard case .tooLarge = await bench.send(body) else {
            Issue.record("not refused")
            return
        }
        #expect(bench.reader.account.accepted == 0)
    }

    /// What happens while a request waits for room.
    enum Event: CaseIterable {
        case nothing, timeIsOver, clientIsGone
    }

    @Test(arguments: Event.allCases)
    func `who waits for room is journaled only while somebody waits for the delivery`(event: Event) async throws {
        let now = Time()
        let clock = MonotonicClock(now: { now.value }, sleep: { try await Task.sleep(for: $0) })
        let held = Meters().counter("held", [:])
        let line = WaitingLine(bytesMax: .mebibytes(1), held: held, clock: clock)
        let answers = PipelineBench.Answers(timeout: .seconds(1), hold: .seconds(60), clock: clock, line: line)
        let bench = try PipelineBench(to: ScriptedExporter(), answers: answers)
        line.roomIsFreed()
        let first = Mutex<WaitingLine.Place?>(nil)
        let isFirst = line.enter(
            bytes: 1,
            hold: .seconds(60),
            attempt: { place in first.withLock { $0 = place } },
            refuse: {}
        )
        #expect(isFirst)
        let presence = ClientPresence()
        let answer = Task { await bench.send(body, presence: presence) }
        #expect(await until { held.value == 2 })
        switch event {
        case .nothing: break
        case .timeIsOver: now.value += .seconds(1)
        case .clientIsGone: presence.end()
        }
        line.leave(try #require(first.withLock { $0 }))
        if event == .nothing {
            #expect(await until { bench.reader.account.accepted == 10 })
            await bench.deliverAll()
            #expect(await answer.value == .accepted)
        } else {
            guard case .unavailable = await answer.value else {
                Issue.record("taken")
                return
            }
            #expect(bench.reader.account.accepted == 0)
        }
    }

    private final class Time: Sendable {
        private let now = Mutex(Duration.zero)

        var value: Duration {
            get { now.withLock { $0 } }
            set { now.withLock { $0 = newValue } }
        }
    }
}
