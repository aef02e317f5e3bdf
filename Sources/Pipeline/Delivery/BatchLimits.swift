package import Basics

/// How large a batch may grow, and how long it may wait for more.
package struct BatchLimits: Sendable, Hashable {
    /// Spans, data points or log records in a request, at most; a single trace may exceed it.
    package var items: Int
    /// Bytes of a request before compression, at most; a single span may exceed it.
    package var bytes: ByteCount
    /// How long the first record of a batch waits for others.
    package var linger: Duration
    /// Whether a trace that is over them is divided before it is refused.
    package var dividesTraces = false

    /// 500 items, 4 MiB, 200 ms.
    package static let standard = BatchLimits(items: 500, bytes: .mebibytes(4), linger: .milliseconds(200))

    package init(items: Int, bytes: ByteCount, linger: Duration) {
        self.items = items
        self.bytes = bytes
        self.linger = linger
    }
}

/// How failed deliveries are tried again: with full jitter, for ever unless told otherwise.
package struct RetrySettings: Sendable, Hashable {
    /// The longest first pause.
    package var initial: Duration
    /// The longest pause.
    package var max: Duration
    /// How long after the first attempt spans become dead letters; nil for never.
    package var giveUpAfter: Duration?

    /// From 1 s up to 60 s.
    package static let standard = RetrySettings(initial: .seconds(1), max: .seconds(60))

    package init(initial: Duration, max: Duration, giveUpAfter: Duration? = nil) {
        self.initial = initial
        self.max = max
        self.giveUpAfter = giveUpAfter
    }
}
