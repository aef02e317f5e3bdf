package import Basics
import Logging
import Synchronization

/// One reader of a log: what it has read, and its account.
package struct LogReader: Sendable {
    /// How many records may be handed out and not settled; beyond it `next` waits.
    ///
    /// Bounds the finished ranges of the cursor: between two of them lies a record in flight.
    package static let inFlightMax = CursorSlot.ordinary.rangesMax - 1

    package let name: String
    private let core: LogCore
    /// Where its log's state has it.
    private let index: Int
    private let term: Int

    init(_ state: ReaderState, core: LogCore, index: Int) {
        self.name = state.name
        self.core = core
        self.index = index
        self.term = state.term
    }

    /// The records behind the last ones it returned, in order.
    ///
    /// Suspends until there is at least one and returns as many as fit, at least one. One caller at a time.
    ///
    /// - Parameters:
    ///   - bytesMax: Of metadata and payload together.
    ///   - recordsMax: How many.
    /// - Returns: At least one record.
    /// - Throws: When the task is cancelled, the reader is retired or the journal is closed.
    package func next(bytesMax: Int, recordsMax: Int) async throws(CancellationError) -> [StoredRecord] {
        while true {
            let plan = try await nextPlan(recordsMax: max(1, recordsMax))
            let finding = await core.readThread.run { [core] in
                SegmentVisit(plan, bytesMax: bytesMax, passesHeld: core.role != .items, in: core.fileSystem).find()
            }
            report(finding, in: plan.segment)
            let records = core.update { $0.apply(finding, for: index, term: term) }
            if !records.isEmpty { return records }
            if finding.openFailure != nil { try await pause() }
        }
    }

    /// Whether items lie behind what `next` has returned; dead letters, which it never returns, aside.
    package var hasUnread: Bool {
        core.state.withLock { !$0.isClosed && $0.hasUnread(index) }
    }

    /// How many records `next` has returned or is about to return, and whether more can be read; at one moment.
    ///
    /// Any thread.
    package var progress: (handedOut: Int, hasUnread: Bool) {
        core.state.withLock { ($0.readers[index].handedOut, !$0.isClosed && $0.hasUnread(index)) }
    }

    /// The id after the last item that can be read now.
    ///
    /// Any thread.
    package var endID: UInt64 { core.state.withLock { $0.end(for: index) } }

    /// Whether it is about to be retired (`Journal.leave`).
    package var isLeaving: Bool { core.state.withLock { $0.readers[index].leavesAt != nil } }

    /// How many items below `id` this reader has not finished, in whatever way.
    ///
    /// Any thread.
    package func unfinished(below id: UInt64) -> UInt64 {
        core.state.withLock { id - $0.readers[index].cursor.finished.count(below: id) }
    }

    /// When the first item came that this reader has not finished, `ids` aside; nil without one.
    ///
    /// Any thread, never blocks.
    package func oldestUnfinished(besides ids: [Range<UInt64>]) -> UnixTime? {
        var aside = IDSet()
        for range in ids.sorted(by: { $0.lowerBound < $1.lowerBound }) { aside.insert(range) }
        return core.state.withLock { $0.oldestUnfinished(of: index, besides: aside) }.map(UnixTime.init(nanoseconds:))
    }

    /// Records that `next` returned and that are not settled.
    package var unsettled: Int { core.state.withLock { $0.readers[index].inFlight } }

    private func nextPlan(recordsMax: Int) async throws(CancellationError) -> ReadPlan {
        while true {
            if Task.isCancelled { throw CancellationError() }
            let plan: ReadPlan? = try core.update { state throws(CancellationError) in
                if hasEnded(state) { throw CancellationError() }
                return state.plan(for: index, recordsMax: recordsMax)
            }
            if let plan { return plan }
            await waitForMore()
        }
    }

    /// Whether `next` will never return anything again.
    private func hasEnded(_ state: borrowing LogState) -> Bool {
        state.isClosed || state.readers[index].term != term
    }

    private func waitForMore() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = core.state.withLock { state in
                    // Asked again under the lock, so that no wake-up falls between the question and the wait.
                    if Task.isCancelled || hasEnded(state) || state.canRead(index) { return true }
                    precondition(state.readers[index].waiter == nil, "one caller of next at a time")
                    state.readers[index].waiter = continuation
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            core.state.withLock { $0.takeWaiter(of: index) }?.resume()
        }
    }

    /// Between attempts to open a segment that is there but cannot be opened now.
    private func pause() async throws(CancellationError) {
        do {
            try await Task.sleep(for: .seconds(1))
        } catch {
            throw CancellationError()
        }
    }

    private func report(_ finding: ReadFinding, in segment: SegmentState) {
        if let failure = finding.openFailure {
            core.logger.warning("A segment cannot be opened.", metadata: ["cause": "\(failure)"])
        }
        for range in finding.damage {
            core.logger.error(
                "Damaged bytes were skipped.",
                metadata: ["segment": "\(segment.path)", "from": "\(range.lowerBound)", "to": "\(range.upperBound)"]
            )
        }
        for range in finding.missing where !range.isEmpty {
            core.logger.error(
                "Items are missing from a segment.",
                metadata: [
                    "segment": "\(segment.path)", "reader": "\(name)",
                    "items": "\(range.upperBound - range.lowerBound)",
                ]
            )
        }
    }

    /// Settles records that it has returned.
    ///
    /// Any thread, never blocks. The journal's thread writes it to the cursor within a second.
    package func finish(_ settled: [SettledRecord]) {
        guard !settled.isEmpty else { return }
        let (waiter, passedSegment) = core.update { $0.finish(settled, for: index, term: term) }
        waiter?.resume()
        if passedSegment { core.signal.signal() }
    }

    /// Settles records that `next` did not return: dead letters, or records found by `Log.visitRetained`.
    ///
    /// One that `next` would have returned later is not returned any more; one that is finished already counts once.
    /// Any thread, never blocks. The journal's thread writes it to the cursor within a second.
    package func settleHeld(_ settled: [SettledRecord]) {
        guard !settled.isEmpty else { return }
        if core.update({ $0.settle(settled, for: index) }) { core.signal.signal() }
    }

    /// Settles what a group moves, on the journal's thread, while the target's state is locked.
    ///
    /// - Returns: What is to be called once no lock is held, and whether the reader has passed a segment by that.
    func move(_ settled: [SettledRecord]) -> (calls: [SettlementCall], passedSegment: Bool) {
        core.state.withLock { state in
            let (_, passedSegment) = state.finish(settled, for: index, term: term)
            return (state.followed.takeCalls(), passedSegment)
        }
    }

    /// The first of these records that this reader is done with already; nil where it is with none.
    func firstFinished(among settled: [SettledRecord]) -> UInt64? {
        core.state.withLock { state in
            let finished = state.readers[index].cursor.finished
            return settled.first { record in
                finished.contains(record.id) || (finished.start(ofRangeAfter: record.id) ?? .max) < record.endID
            }?.id
        }
    }

    /// Whether it settles in an order of its own (`ReaderDefinition.isWindow`).
    package var isWindow: Bool { core.state.withLock { $0.readers[index].isWindow } }

    /// The log that it reads.
    var logID: LogID { core.id }

    /// Whether this reader is done with an item: settled, expired or lost it, or began behind it.
    ///
    /// Any thread, never blocks.
    package func isFinished(_ id: UInt64) -> Bool {
        core.state.withLock { $0.readers[index].cursor.finished.contains(id) }
    }

    /// Balanced at every moment.
    package var account: ReaderAccount { core.state.withLock { $0.account(of: index) } }
}
