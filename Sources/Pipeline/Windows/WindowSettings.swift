package import Basics

/// When a window takes a trace for complete, and what it may hold.
package struct WindowSettings: Sendable, Equatable {
    /// How long after the root came and no parent but remote ones is missing.
    package var afterRoot = Duration.seconds(2)
    /// How long without a new span where there is no root and every missing parent is remote.
    package var wait = Duration.seconds(30)
    /// How long without a new span while a parent is missing.
    package var openWait = Duration.seconds(600)
    /// Spans of a trace; a trace with more is decided at once, as far as it has come.
    package var spansMax = 10_000
    /// Payload bytes of a trace; a trace with more is decided at once, as far as it has come.
    package var bytesMax = ByteCount.mebibytes(64)
    /// After how long an open trace is shown as far as it has come; nil for never.
    package var showAfter: Duration?
    /// Whether only traces are shown of which it is certain that they are kept.
    package var showsOnlyKept = false
    /// How long one of which that is certain waits after its root, where that is less than the others wait.
    package var afterRootKept = Duration.seconds(2)
    /// How long a decided trace is remembered, so that its late spans wait for nothing.
    package var remember = Duration.seconds(3600)
    /// Bytes of the index; over it the oldest traces are decided early.
    package var memoryMax = ByteCount.mebibytes(64)

    package init() {}
}
