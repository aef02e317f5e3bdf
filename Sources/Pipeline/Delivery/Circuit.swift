import Basics

/// Keeps requests away from a destination that is down, and asks it again with one at a time.
///
/// A state machine without a clock. It opens after failures in a row, whoever caused them, and after many refusals in a
/// row, because a destination that refuses everything is set up wrongly and must not be asked about every single span.
/// While it is open one probe goes after each pause; any answer that shows the destination at work closes it. The pauses
/// grow while it fails, and stay the first one while it refuses: it works then, and what it takes must not wait for what it
/// refuses.
package struct Circuit: Sendable {
    /// Failures in a row that open it.
    package static let failuresMax = 3
    /// Refusals in a row that open it.
    package static let refusalsMax = 16

    private enum State {
        case closed
        /// Nothing goes before that moment.
        case open(until: Duration)
        /// One request is under way to see whether the destination is back.
        case probing
    }

    private var state = State.closed
    private var failures = 0
    private var refusals = 0
    private var backoff: Backoff

    package init(_ retry: RetrySettings) {
        backoff = Backoff(initial: retry.initial, maximum: retry.max)
    }

    /// Other pauses from now on.
    package mutating func change(_ retry: RetrySettings) {
        backoff = Backoff(initial: retry.initial, maximum: retry.max)
    }

    /// The next probe may go at once: the destination is another one, or is asked otherwise.
    package mutating func hasten(now: Duration) {
        if case .open = state { state = .open(until: now) }
    }

    /// Whether the destination is taken to be down.
    package var isOpen: Bool {
        if case .closed = state { false } else { true }
    }

    /// When the next probe may go; nil where nothing has to be waited for.
    package var wake: Duration? {
        if case .open(let until) = state { until } else { nil }
    }

    /// Whether a request may go now.
    package func admits(now: Duration) -> Bool {
        switch state {
        case .closed: true
        case .open(let until): until <= now
        case .probing: false
        }
    }

    /// A request that was admitted is on its way.
    package mutating func begin() {
        if isOpen { state = .probing }
    }

    /// The destination took a request.
    package mutating func succeeded() {
        failures = 0
        refusals = 0
        close()
    }

    /// The destination said something about one request that shows it at work.
    package mutating func answered() {
        failures = 0
        if case .probing = state { close() }
    }

    /// The destination failed; it is not asked again within `pause`.
    package mutating func failed(
        now: Duration,
        atLeast pause: Duration = .zero,
        using generator: inout some RandomNumberGenerator
    ) {
        failures += 1
        guard failures >= Self.failuresMax || isOpen else { return }
        open(now, pause, &generator)
    }

    /// The destination will never take what it was sent.
    package mutating func refused(now: Duration, using generator: inout some RandomNumberGenerator) {
        refusals += 1
        failures = 0
        guard refusals >= Self.refusalsMax else { return answered() }
        backoff.reset()
        open(now, .zero, &generator)
    }

    /// Nothing is known of a request that had begun.
    package mutating func abstained(now: Duration) {
        if case .probing = state { state = .open(until: now) }
    }

    private mutating func close() {
        state = .closed
        backoff.reset()
    }

    private mutating func open(_ now: Duration, _ pause: Duration, _ generator: inout some RandomNumberGenerator) {
        state = .open(until: now + max(pause, backoff.next(using: &generator)))
    }
}
