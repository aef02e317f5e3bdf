/// A trace that goes on, with everything of it that was stored.
package struct WindowDecision: Sendable, Equatable {
    /// Why a trace does not wait any longer.
    package enum Reason: String, Sendable, CaseIterable {
        /// Its root is there, and every parent that is not remote.
        case complete
        /// What is missing did not come in time.
        case waited
        /// It is open for long, and is shown as far as it has come.
        case open
        /// The trace was decided before.
        case late
        /// It has more spans or bytes than a trace may have.
        case tooLarge = "too_large"
        /// The window holds more than it may.
        case memory
        /// The journal has little room left, and deletes nothing behind it.
        case journal
        /// The window is closed.
        case closed
    }

    package let key: TraceKey
    /// The ids of its records of spans, in the order in which they came; empty where only log records came.
    package let records: [UInt64]
    /// The ids of its records of log records, in the order in which they came.
    package let logRecords: [UInt64]
    package let reason: Reason
    /// Records below this id went ahead, but for the first one and those with a root; zero for none.
    package internal(set) var shownEnd: UInt64
    /// Of an open trace: the records that go ahead now.
    package let shown: [UInt64]
    /// Whether it is a turn of a session, of which spans are made from its log records.
    package var isTurn = false
    /// Of such: whether its key is that of one turn (`TurnSighting`).
    var isOneTurn = false

    package init(
        key: TraceKey,
        records: [UInt64],
        logRecords: [UInt64] = [],
        reason: Reason,
        shownEnd: UInt64 = 0,
        shown: [UInt64] = []
    ) {
        self.key = key
        self.records = records
        self.logRecords = logRecords
        self.reason = reason
        self.shownEnd = shownEnd
        self.shown = shown
    }
}
