/// Time that only goes forward, and waiting for it; tests pass one they drive themselves.
package struct MonotonicClock: Sendable {
    /// The time since some fixed moment; callable on any thread.
    package let now: @Sendable () -> Duration
    /// Suspends for at least that long; throws `CancellationError` when the task is cancelled.
    package let sleep: @Sendable (Duration) async throws -> Void

    package init(now: @escaping @Sendable () -> Duration, sleep: @escaping @Sendable (Duration) async throws -> Void) {
        self.now = now
        self.sleep = sleep
    }

    /// Any standard clock, counted from now.
    package init<C: Clock>(_ clock: C) where C.Duration == Duration {
        let start = clock.now
        self.init(now: { start.duration(to: clock.now) }, sleep: { try await clock.sleep(for: $0) })
    }

    /// The machine's clock; goes on while it is suspended.
    package static let system = MonotonicClock(ContinuousClock())
}
