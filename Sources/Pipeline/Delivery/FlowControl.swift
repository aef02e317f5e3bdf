import Basics

/// How a destination is treated for what it answered lately: how many requests at once, how large, or none for a while.
///
/// A state machine without a clock and without I/O; a delivery holds it under a lock.
package struct FlowControl: Sendable {
    private var circuit: Circuit
    private var concurrency: ConcurrencyLimit
    private var size: LearnedSize
    private var underWay = 0
    /// Whether an operator lets nothing go.
    package var isPaused = false
    /// Requests delivered so far, to tell whether others got through between two failures of one.
    package private(set) var successes: UInt64 = 0

    /// - Parameters:
    ///   - limits: The largest request.
    ///   - retry: The pauses while the destination is down.
    ///   - concurrency: Requests at once, at most.
    package init(limits: BatchLimits, retry: RetrySettings, concurrency: Int) {
        circuit = Circuit(retry)
        self.concurrency = ConcurrencyLimit(maximum: concurrency)
        size = LearnedSize(limits)
    }

    /// Other settings from now on; what was learned of the destination stays, but for its next probe, which `isOtherwise` lets go at once.
    package mutating func change(
        limits: BatchLimits,
        retry: RetrySettings,
        concurrency: Int,
        isOtherwise: Bool,
        now: Duration
    ) {
        size.change(limits)
        circuit.change(retry)
        self.concurrency.change(maximum: concurrency)
        if isOtherwise { circuit.hasten(now: now) }
    }

    /// Whether the destination is taken to be down.
    package var isOpen: Bool { circuit.isOpen }
    /// The same in three words.
    var state: DeliveryCondition.Circuit { circuit.isOpen ? circuit.wake == nil ? .probing : .open : .closed }
    /// Requests that went out and did not come back.
    var requestsUnderWay: Int { underWay }
    /// How large the next request may be.
    package var limits: BatchLimits { size.limits }
    /// When a request may go that may not go now, without a further event.
    package var wake: Duration? { circuit.wake }

    /// Whether a destination that is taken to be down may be asked now whether it is back.
    package func mayProbe(now: Duration) -> Bool { circuit.admits(now: now) }

    /// Whether one more request may go now.
    package func admits(now: Duration) -> Bool {
        !isPaused && underWay < concurrency.current && circuit.admits(now: now)
    }

    /// A batch goes out.
    package mutating func begin() {
        underWay += 1
        circuit.begin()
    }

    /// A batch came back, whatever became of it.
    package mutating func end(now: Duration) {
        underWay -= 1
        if underWay == 0 { circuit.abstained(now: now) }
    }

    /// Takes in what one request got.
    package mutating func note(
        _ outcome: DeliveryOutcome,
        of request: PendingRequest,
        now: Duration,
        using generator: inout some RandomNumberGenerator
    ) {
        switch outcome {
        case .delivered:
            successes += 1
            circuit.succeeded()
            concurrency.succeeded()
            size.taken(bytes: request.batch.payload.count)
        case .unavailable(_, let after):
            concurrency.overloaded()
            fail(now, atLeast: after ?? .zero, &generator)
        case .timedOut:
            concurrency.overloaded()
            size.timedOut(items: request.batch.items)
            fail(now, atLeast: .zero, &generator)
        case .failed:
            // Only the first failure of a batch speaks of the destination: the next ones may all be one bad span's.
            if request.history.isFirstFailure {
                fail(now, atLeast: .zero, &generator)
            } else {
                circuit.abstained(now: now)
            }
        case .tooLarge:
            size.tooLarge(bytes: request.batch.payload.count)
            circuit.answered()
        case .refused: circuit.refused(now: now, using: &generator)
        case .parked: circuit.answered()
        case .unsendable, .cancelled: circuit.abstained(now: now)
        }
    }

    private mutating func fail(
        _ now: Duration,
        atLeast pause: Duration,
        _ generator: inout some RandomNumberGenerator
    ) {
        circuit.failed(now: now, atLeast: pause, using: &generator)
        if circuit.isOpen { concurrency.startOver() }
    }
}
