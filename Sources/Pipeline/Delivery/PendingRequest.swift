package import Basics
package import OTLP

/// One request on its way, and what became of it and of those it was split from.
package struct PendingRequest: Sendable {
    package let batch: Batch
    /// Its spans among those of its record; nil for all of them.
    package let part: EnvelopeDivision.Part?
    package var history: AttemptHistory

    package init(batch: Batch, part: EnvelopeDivision.Part? = nil, history: AttemptHistory = AttemptHistory()) {
        self.batch = batch
        self.part = part
        self.history = history
    }
}

/// What was tried with some spans so far.
package struct AttemptHistory: Sendable {
    /// Failures after which a request of several spans is split, also where nothing else got through meanwhile.
    package static let failuresBeforeSplit = 3

    package private(set) var attempts = 0
    /// Nil before the first.
    package private(set) var firstAttempt: UnixTime?
    /// Nil before the first.
    package private(set) var lastAttempt: UnixTime?
    /// Answers that left open whether the destination or the spans are at fault.
    package private(set) var failures = 0
    /// Whether the request was once part of a larger one.
    package var isPart = false
    private var successesAtFailure: UInt64 = 0
    /// Nil before the first time-out.
    private var successesAtTimeOut: UInt64?

    /// - Parameter since: When the route of the spans turned them away first, in this process or one before.
    package init(since: UnixTime? = nil) {
        firstAttempt = since
    }

    /// Notes that the request goes out.
    package mutating func begin(at time: UnixTime) {
        attempts += 1
        firstAttempt = firstAttempt ?? time
        lastAttempt = time
    }

    /// Notes a failure.
    ///
    /// - Parameter successes: Requests that the destination took so far.
    /// - Returns: Whether others got through since the failure before, which makes it the fault of these spans.
    package mutating func fail(successes: UInt64) -> Bool {
        defer {
            failures += 1
            successesAtFailure = successes
        }
        return failures > 0 && successes > successesAtFailure
    }

    /// Notes a time-out, which says how much is done in time, and is never held against the spans.
    ///
    /// - Parameter successes: Requests that the destination took so far.
    /// - Returns: Whether others got through since the time-out before, so that less at a time may get through, too.
    package mutating func timeOut(successes: UInt64) -> Bool {
        defer { successesAtTimeOut = successes }
        return successesAtTimeOut.map { successes > $0 } ?? false
    }

    /// Whether this was the first failure of a request that nobody split.
    package var isFirstFailure: Bool { failures == 1 && !isPart }

    /// How long ago the first attempt was; nil before it.
    package func age(at now: UnixTime) -> Duration? { firstAttempt.map { now.since($0) } }
}
