package import Basics
import Synchronization

extension Log {
    /// What a visit holds at once: as much as this, or one larger record.
    private static let blockBytes = 1 << 20
    private static let blockRecords = 1024

    /// Gives `visit` every record that the log still has, oldest first, whatever its readers have done with it.
    ///
    /// Dead letters too: this is how they are found. Changes nothing. Any thread, which waits for the disk meanwhile;
    /// records that are appended or deleted meanwhile may be among them or not. Damaged ones are left out and not
    /// reported: recovery and the readers do that.
    ///
    /// - Parameters:
    ///   - since: Records received before are left out.
    ///   - bytesMax: Of a log that is longer, only the newest segments are read, no more than this together; always the
    ///     newest one.
    ///   - visit: Gets one record at a time.
    package func visitRetained(since: UnixTime, bytesMax: ByteCount, _ visit: (StoredRecord) -> Void) {
        let plans = core.state.withLock { state in
            state.retainedPlans(since: since.nanoseconds, bytesMax: bytesMax.bytes, recordsMax: Self.blockRecords)
        }
        for plan in plans { read(plan, visit) }
    }

    private func read(_ plan: ReadPlan, _ visit: (StoredRecord) -> Void) {
        var plan = plan
        while plan.position.offset < plan.segment.endOffset {
            let finding = SegmentVisit(plan, bytesMax: Self.blockBytes, in: core.fileSystem).find()
            guard finding.openFailure == nil else { return }
            for record in finding.records { visit(record) }
            plan.position = finding.position
        }
    }
}

extension LogState {
    /// How to read all records received at or after `since`, one plan a segment, oldest first.
    fileprivate func retainedPlans(since: UInt64, bytesMax: Int, recordsMax: Int) -> [ReadPlan] {
        var plans: [ReadPlan] = []
        var bytes = 0
        for segment in segments.reversed() where segment.lastReceivedAt >= since {
            bytes += segment.endOffset
            guard bytes <= bytesMax || plans.isEmpty else { break }
            plans.append(
                ReadPlan(
                    segment: segment,
                    position: start(of: segment),
                    resume: IDSet(),
                    recordsMax: recordsMax,
                    since: since
                )
            )
        }
        return plans.reversed()
    }
}
