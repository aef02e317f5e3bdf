import OTLP

extension TraceWindow {
    /// What waits of one trace.
    ///
    /// In the order that leaves the least room between its parts.
    struct Trace: Sendable {
        let id: TraceID
        var bytes = 0
        /// Until when it waits, in nanoseconds.
        var due: Int64 = 0
        /// When it is shown, where it stands in that line.
        var showDue: Int64 = 0
        /// What is behind the last record that went ahead; zero for none.
        var shownEnd: UInt64 = 0
        /// Whose it is (`identities`).
        let identity: UInt32
        /// Who sent what came first of it (`OpenSenders`).
        let sender: UInt32
        /// Bytes that it takes in all tables.
        var memory: UInt32 = 0
        var nextInSlot = noNumber
        var records = RecordChain()
        var logs = RecordChain()
        var spanCount: UInt32 = 0
        var recordCount: UInt32 = 0
        /// How many records there were when it was found that its route may still change.
        var triedCount: UInt32 = 0
        /// In the line of those that wait the same way.
        var waiting = LinePlace()
        /// In the line of all traces.
        var ageing = LinePlace()
        /// In the line of those that are shown.
        var showing = LinePlace()
        var spans = SpanLinks.Chain()
        /// How it waits.
        var way: WaitingWay?
        var isInShowing = false
        /// Whether a root came, be it one that a filter dropped.
        var hasRoot = false
        /// Whether spans came that no filter dropped.
        var hasContent = false
        /// What its records say of the decision.
        var foresight = TraceForesight()
        /// Whether it is certain that it is kept.
        var isKept = false
        /// Whether some of it was looked at by other policies than those that are.
        var isUncertain = false

        init(_ id: TraceID, of identity: UInt32, from sender: UInt32) {
            (self.id, self.identity, self.sender) = (id, identity, sender)
        }

        /// How it waits for what is missing.
        var wait: WaitingWay {
            guard spans.missingHere == 0, spanCount > 0 else { return .open }
            // What is below spans that a filter dropped may still come.
            guard hasRoot, hasContent else { return spans.missing > 0 || hasRoot ? .remote : .open }
            return isKept ? .kept : .complete
        }
    }
}
