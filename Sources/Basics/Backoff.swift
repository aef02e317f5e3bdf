/// The pauses between attempts: full jitter below a ceiling that doubles each time, up to a maximum.
///
/// Never ends by itself: giving up is decided by age or budget, not by a count.
package struct Backoff: Sendable {
    private let initial: Duration
    private let maximum: Duration
    private var ceiling: Duration

    /// - Parameters:
    ///   - initial: The ceiling of the first pause.
    ///   - maximum: The highest ceiling.
    package init(initial: Duration, maximum: Duration) {
        self.initial = initial
        self.maximum = maximum
        self.ceiling = min(initial, maximum)
    }

    /// The next pause: uniformly between nothing and the ceiling, which then doubles.
    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        defer { ceiling = min(ceiling * 2, maximum) }
        return .nanoseconds(Int64.random(in: 0...max(1, ceiling.wholeNanoseconds), using: &generator))
    }

    /// Starts over, after a success.
    package mutating func reset() {
        ceiling = min(initial, maximum)
    }
}
