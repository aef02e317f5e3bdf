import Basics
import Logging
import NATS
import Synchronization
import TestKit
import Testing

@testable import Receivers

@Suite struct ConfirmationsTests {
    @Test func `while the servers are away an answer waits as long as its message is under way`() async throws {
        let (clock, done) = (ManualClock(), Done())
        let client = NATSClient(NATSSettings(), name: "test", logger: Logger(label: "test"))
        let confirmations = Confirmations(client, within: .seconds(10), MonotonicClock(clock))
        confirmations.send([answer(1, done), answer(2, done)])
        try await clock.sleep(for: .seconds(5))
        confirmations.send([answer(3, done)])
        try await clock.sleep(for: .milliseconds(4999))
        confirmations.sendAgain()
        #expect(done.numbers == [])
        try await clock.sleep(for: .milliseconds(1))
        confirmations.sendAgain()
        #expect(done.numbers == [1, 2])
        confirmations.close()
        confirmations.send([answer(4, done)])
        confirmations.sendAgain()
        #expect(done.numbers == [1, 2, 3, 4])
        await client.close()
    }

    private func answer(_ number: Int, _ done: Done) -> Confirmations.Answer {
        Confirmations.Answer(reply: "r.\(number)", partition: 0, word: .acknowledged) { done.add(number) }
    }
}

private final class Done: Sendable {
    private let state = Mutex<[Int]>([])
    var numbers: [Int] { state.withLock { $0 }.sorted() }
    func add(_ number: Int) { state.withLock { $0.append(number) } }
}
