/// What the pipeline file says of one delivery.
package struct DeliverySettings: Sendable, Equatable {
    /// What a batch may hold.
    package var limits: BatchLimits
    /// The pauses of a batch that failed, and of a destination that is down.
    package var retry: RetrySettings
    /// Bytes of records held in memory at once.
    package var bytesMax: Int
    /// Whether clients of some receiver wait for it (`answer_after`).
    package var isAwaited: Bool
    /// How long ago a span may have ended that is sent; nil for any time.
    package var ageMax: Duration?

    package init(
        limits: BatchLimits,
        retry: RetrySettings,
        bytesMax: Int,
        isAwaited: Bool = false,
        ageMax: Duration? = nil
    ) {
        self.ageMax = ageMax
        self.limits = limits
        self.retry = retry
        self.bytesMax = bytesMax
        self.isAwaited = isAwaited
    }
}
