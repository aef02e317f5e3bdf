import Basics

/// What a reader has finished and what became of it.
///
/// Balanced by construction: every finished id is counted in exactly one outcome, besides items that take no id.
struct Cursor: Sendable, Equatable {
    /// When the account was opened.
    private(set) var since: UInt64
    /// Where the account begins: `accepted` counts from here.
    ///
    /// Ids of what nobody sent move it on once they are finished.
    private(set) var startID: UInt64
    /// Where an abandoned reader's account ends; nil while it is read.
    private(set) var closedID: UInt64?
    private(set) var finished: IDSet
    private(set) var totals = OutcomeCounts()

    /// A new account.
    init(since: UnixTime, startID: UInt64) {
        self.since = since.nanoseconds
        self.startID = startID
        self.finished = IDSet(below: startID)
    }

    /// Restores an account; nil when it does not balance.
    init?(since: UInt64, startID: UInt64, closedID: UInt64?, finished: IDSet, totals: OutcomeCounts) {
        guard finished.count >= startID, closedID ?? startID >= startID,
            totals.sum >= finished.count - startID
        else { return nil }
        self.since = since
        self.startID = startID
        self.closedID = closedID
        self.finished = finished
        self.totals = totals
    }

    /// Counts ids as `outcomes`, those that are finished already left out; `created` items more where all are fresh.
    ///
    /// Ids that are `isUnsent` are no longer accepted.
    mutating func finish(
        _ ids: Range<UInt64>,
        as outcomes: OutcomeCounts,
        created: UInt64 = 0,
        isUnsent: Bool = false
    ) {
        guard closedID == nil else { return }
        let fresh = finished.insert(ids)
        let all = fresh == ids.length ? fresh + created : fresh
        if fresh > 0 { totals = totals + outcomes.fitted(to: all) }
        if isUnsent { startID += fresh }
    }

    /// Counts the ids of a record that was settled.
    mutating func finish(_ ids: Range<UInt64>, of record: SettledRecord) {
        finish(ids, as: record.outcomes, created: UInt64(record.created), isUnsent: record.isUnsent)
    }

    /// Counts what is unfinished of `ids` as lost.
    mutating func lose(_ ids: Range<UInt64>) {
        finish(ids, as: [.lost: .max])
    }

    /// Counts everything below `id` that is unfinished as expired.
    mutating func expire(below id: UInt64) {
        guard id > finished.low else { return }
        finish(finished.low..<id, as: [.expired: .max])
    }

    /// Gives up everything below `endID` and closes the account there.
    mutating func close(at endID: UInt64) {
        expire(below: endID)
        if closedID == nil { closedID = finished.low }
    }

    /// Opens a closed account again: what was accepted meanwhile is not part of it.
    mutating func reopen(at endID: UInt64) {
        guard let closedID else { return }
        let accepted = closedID - startID
        let low = max(endID, closedID)
        startID = low - accepted
        finished = IDSet(below: low)
        self.closedID = nil
    }

    /// The account of a log whose next id is `endID` and which holds back the ids `held`.
    func account(endID: UInt64, held: IDSet, receivedAt: (UInt64) -> UInt64?) -> ReaderAccount {
        let end = max(closedID ?? endID, finished.end)
        return ReaderAccount(
            since: UnixTime(nanoseconds: since),
            accepted: end - startID,
            outcomes: totals,
            queued: end - finished.count,
            held: held.count(notIn: finished),
            oldestQueued: held.firstMissing(from: finished.low, below: end, orIn: finished).flatMap(receivedAt)
                .map(UnixTime.init(nanoseconds:))
        )
    }
}
