import Basics
import OTLP
import Pipeline
import TestKit
import Testing

@Suite struct `The circuit of a destination` {
    private var generator = SeededGenerator(seed: 1)
    private static let retry = RetrySettings(initial: .seconds(1), max: .seconds(60))
    private var circuit = Circuit(Self.retry)

    private mutating func fail(_ times: Int, at now: Duration = .zero, atLeast pause: Duration = .zero) {
        for _ in 0..<times { circuit.failed(now: now, atLeast: pause, using: &generator) }
    }

    @Test mutating func `opens after failures in a row, and only then`() {
        fail(Circuit.failuresMax - 1)
        circuit.succeeded()
        fail(Circuit.failuresMax - 1)
        #expect(!circuit.isOpen)
        #expect(circuit.admits(now: .zero))
        fail(1)
        #expect(circuit.isOpen)
    }

    @Test mutating func `lets one probe through after each pause, which is at least what the destination asked for`()
        throws
    {
        fail(Circuit.failuresMax, atLeast: .seconds(30))
        #expect(circuit.wake == .seconds(30))
        #expect(!circuit.admits(now: .seconds(29)))
        #expect(circuit.admits(now: .seconds(30)))
        circuit.begin()
        #expect(!circuit.admits(now: .seconds(1000)))
        #expect(circuit.wake == nil)
        fail(1, at: .seconds(31), atLeast: .seconds(5))
        #expect(circuit.isOpen)
        #expect(try #require(circuit.wake) >= .seconds(36))
    }

    @Test mutating func `closes with the first success`() {
        fail(Circuit.failuresMax)
        circuit.begin()
        circuit.succeeded()
        #expect(!circuit.isOpen)
        #expect(circuit.admits(now: .zero))
    }

    @Test mutating func `closes when the probe shows that the destination is at work, whatever it said`() {
        fail(Circuit.failuresMax)
        circuit.begin()
        circuit.answered()
        #expect(!circuit.isOpen)
    }

    @Test mutating func `a probe that nothing is known of gives way to another at once`() {
        fail(Circuit.failuresMax)
        circuit.begin()
        circuit.abstained(now: .seconds(7))
        #expect(circuit.isOpen)
        #expect(circuit.admits(now: .seconds(7)))
    }

    @Test mutating func `a destination that refuses everything is asked slowly`() {
        for _ in 1..<Circuit.refusalsMax { circuit.refused(now: .zero, using: &generator) }
        #expect(!circuit.isOpen)
        circuit.refused(now: .zero, using: &generator)
        #expect(circuit.isOpen)
        for second in 1...20 {
            circuit.begin()
            circuit.refused(now: .seconds(second), using: &generator)
            #expect(circuit.isOpen)
            #expect(circuit.admits(now: .seconds(second) + Self.retry.initial), "what it takes must not wait")
        }
        circuit.begin()
        circuit.succeeded()
        #expect(!circuit.isOpen)
    }
}

@Suite struct `What a destination gets at once` {
    @Test func `begins with one request and grows by one after each round of successes`() {
        var limit = ConcurrencyLimit(maximum: 4)
        var seen: [Int] = []
        for _ in 0..<12 {
            seen.append(limit.current)
            limit.succeeded()
        }
        #expect(seen == [1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 4])
    }

    @Test func `is halved by an overload, down to one`() {
        var limit = ConcurrencyLimit(maximum: 8)
        for _ in 0..<100 { limit.succeeded() }
        let halves = (0..<5).map { _ in
            limit.overloaded()
            return limit.current
        }
        #expect(halves == [4, 2, 1, 1, 1])
    }

    private static let limits = BatchLimits(items: 160, bytes: .kibibytes(64), linger: .zero)

    @Test func `is below the smallest request that was too large, and above the largest that was taken`() {
        var size = LearnedSize(Self.limits)
        #expect(size.limits == Self.limits)
        size.tooLarge(bytes: 40_000)
        #expect(size.limits.bytes == ByteCount(bytes: 20_000))
        size.taken(bytes: 18_000)
        size.taken(bytes: 30_000)
        #expect(size.limits.bytes == ByteCount(bytes: 30_000))
        size.tooLarge(bytes: 25_000)
        #expect(size.limits.bytes == ByteCount(bytes: 12_500), "what was once taken is too large now")
    }

    @Test func `is as configured again once the destination takes what was too large`() {
        var size = LearnedSize(Self.limits)
        size.tooLarge(bytes: 40_000)
        size.taken(bytes: 40_000)
        #expect(size.limits == Self.limits)
    }

    @Test func `is halved by each time-out and comes back by sixteenths`() {
        var size = LearnedSize(Self.limits)
        size.timedOut(items: 160)
        size.timedOut(items: 80)
        #expect(size.limits.items == 40)
        size.taken(bytes: 1)
        #expect(size.limits.items == 50)
        for _ in 0..<20 { size.taken(bytes: 1) }
        #expect(size.limits.items == 160)
    }
}

@Suite struct `The flow control of a delivery` {
    private var generator = SeededGenerator(seed: 2)
    private var flow = FlowControl(limits: .standard, retry: .standard, concurrency: 8)

    private func request(failures: Int = 0) -> PendingRequest {
        let batch = Batch(signal: .traces, route: .none, headers: [], payload: [1], items: 1)
        var request = PendingRequest(batch: batch)
        for _ in 0..<failures { _ = request.history.fail(successes: 0) }
        return request
    }

    private mutating func note(_ outcome: DeliveryOutcome, _ request: PendingRequest) {
        flow.note(outcome, of: request, now: .zero, using: &generator)
    }

    @Test mutating func `a lone span that fails again and again does not open the circuit`() {
        for failures in 1...20 {
            note(.failed(Rejection(status: 500, reason: "poison")), request(failures: failures))
        }
        #expect(!flow.isOpen)
    }

    @Test mutating func `requests that fail for the first time, one after the other, open it`() {
        for _ in 0..<Circuit.failuresMax { note(.failed(Rejection(status: 500, reason: "down")), request(failures: 1)) }
        #expect(flow.isOpen)
    }

    @Test mutating func `a request that cannot be sent says nothing of the destination`() {
        for _ in 0..<100 { note(.unsendable(reason: "its address is too long"), request()) }
        #expect(!flow.isOpen)
        for _ in 0..<Circuit.failuresMax { note(.unavailable(reason: "gone", after: nil), request()) }
        #expect(flow.isOpen)
        flow.begin()
        note(.unsendable(reason: "its address is too long"), request())
        #expect(flow.isOpen, "nobody answered")
    }

    @Test mutating func `after an outage one request goes at a time`() {
        for _ in 0..<20 { note(.delivered, request()) }
        flow.begin()
        #expect(flow.admits(now: .zero))
        flow.end(now: .zero)
        for _ in 0..<Circuit.failuresMax { note(.unavailable(reason: "gone", after: nil), request()) }
        note(.delivered, request())
        flow.begin()
        flow.begin()
        #expect(!flow.admits(now: .zero), "one success gives room for a second request, not for eight")
    }
}
