package import Basics
package import Journal
package import Logging
import Synchronization

/// The back half of a pipeline for one destination: reads its log, batches, sends, tries again, settles.
///
/// Nothing here blocks: reading and sending suspend. What one destination does touches only its own cursor.
package final class Delivery: Sendable {
    private let name: String
    private let exporter: any Exporter
    private let reader: LogReader
    private let limits: BatchLimits
    private let clock: MonotonicClock
    private let logger: Logger
    private let meters: DeliveryMeters
    private let window: Mutex<BatchWindow>
    /// How many more requests may be under way.
    private let slots: Mutex<Int>
    /// Records that stay in the journal unsettled, because the destination refuses them alone.
    private let held = Mutex(0)
    private let complaints: Mutex<Complaints>
    /// Rings when a batch may be due.
    private let due = Doorbell()
    /// Rings when a record may fit.
    private let room = Doorbell()
    /// Rings when something was settled.
    private let settled = Doorbell()

    /// - Parameters:
    ///   - name: The exporter's key in the pipeline file.
    ///   - exporter: Sends the batches.
    ///   - reader: The exporter's cursor on the pipeline's log.
    ///   - limits: What a batch may hold.
    ///   - retry: The pauses of a batch that failed.
    ///   - bytesMax: Bytes of records held in memory at once.
    ///   - clock: For lingering and pauses.
    ///   - meters: Counts outcomes.
    ///   - logger: Tells of failures, at most once a minute each.
    package init(
        name: String,
        exporter: any Exporter,
        reader: LogReader,
        limits: BatchLimits,
        retry: RetrySettings,
        bytesMax: Int,
        clock: MonotonicClock,
        meters: DeliveryMeters,
        logger: Logger
    ) {
        self.name = name
        self.exporter = exporter
        self.reader = reader
        self.limits = limits
        self.clock = clock
        self.meters = meters
        self.logger = logger
        self.window = Mutex(
            BatchWindow(
                limits: limits,
                retry: retry,
                isExclusive: exporter.deliversOneAtATimePerRoute,
                bytesMax: bytesMax
            )
        )
        self.slots = Mutex(exporter.concurrency)
        self.complaints = Mutex(Complaints())
    }

    /// Works until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.read() }
            await self.dispatch(in: &group)
        }
    }

    /// Sends without lingering from now on, and returns once all that was readable is settled.
    ///
    /// Waits for ever where a destination does not answer: the caller sets the time.
    package func drain() async {
        window.withLock { $0.isDraining = true }
        due.ring()
        while !Task.isCancelled, reader.hasUnread || reader.unsettled > held.withLock({ $0 }) {
            await settled.wait()
        }
    }

    private func read() async {
        while !Task.isCancelled {
            let space = window.withLock { $0.room }
            guard space > 0 else {
                await room.wait()
                continue
            }
            guard let records = try? await reader.next(bytesMax: space, recordsMax: Self.recordsMax) else { return }
            for record in records { take(record) }
            due.ring()
            if records.count < Self.recordsMax { try? await clock.sleep(limits.linger / Self.readsPerLinger) }
        }
    }

    /// A reader that has caught up reads so often while a batch lingers, and not once for every record.
    private static let readsPerLinger = 8

    /// Records read in one go, at most; bounds what small records cost beside their bytes.
    private static let recordsMax = 1024

    private func take(_ record: StoredRecord) {
        guard let metadata = RecordMetadata(decoding: record.metadata) else {
            complain("record \(record.id) has metadata this version cannot read; it stays queued")
            held.withLock { $0 += 1 }
            settled.ring()
            return
        }
        let queued = QueuedRecord(id: record.id, items: record.items, metadata: metadata, payload: record.payload)
        guard queued.payloadItems > 0 else {
            reader.finish([queued.settled(rejected: 0)])
            settled.ring()
            return
        }
        let key = MergeKey(
            signal: metadata.signal,
            route: exporter.usesRoutes ? metadata.route : .none,
            headers: metadata.headers
        )
        window.withLock { $0.add(queued, key: key, now: clock.now()) }
    }

    private func dispatch(in group: inout DiscardingTaskGroup) async {
        var alarm: Duration?
        while !Task.isCancelled {
            let now = clock.now()
            if let earlier = alarm, earlier <= now { alarm = nil }
            while let batch = nextBatch(now: now) {
                group.addTask { await self.send(batch) }
            }
            if let wake = window.withLock({ $0.wake }), wake > now, alarm.map({ wake < $0 }) ?? true {
                alarm = wake
                group.addTask {
                    try? await self.clock.sleep(wake - now)
                    self.due.ring()
                }
            }
            await due.wait()
        }
    }

    /// A batch that is due, and a slot for it.
    private func nextBatch(now: Duration) -> PendingBatch? {
        slots.withLock { slots in
            guard slots > 0, let batch = window.withLock({ $0.next(now: now) }) else { return nil }
            slots -= 1
            return batch
        }
    }

    private func send(_ batch: PendingBatch) async {
        await attempt(batch)
        slots.withLock { $0 += 1 }
        due.ring()
        room.ring()
        settled.ring()
    }

    private func attempt(_ batch: PendingBatch) async {
        var batch = batch
        batch.prepare(limits: limits)
        while let request = batch.requests.first {
            let start = clock.now()
            let outcome = await exporter.export(request)
            meters.observe(outcome, took: clock.now() - start)
            switch outcome {
            case .delivered(let rejected, let message):
                if rejected > 0 || !message.isEmpty {
                    complain("\(rejected) of \(request.items) items rejected: \(message)")
                }
                batch.rejected += min(rejected, request.items)
                batch.requests.removeFirst()
            case .unavailable(let reason, let after):
                return postpone(batch, atLeast: after ?? .zero, because: reason)
            case .timedOut(let reason):
                return postpone(batch, atLeast: .zero, because: reason)
            case .failed(let refusal):
                return postpone(batch, atLeast: .zero, because: refusal.reason)
            case .parked(let reason):
                return postpone(batch, atLeast: Self.parkedPause, because: "\(request.route) is parked: \(reason)")
            case .tooLarge(let refusal), .refused(let refusal):
                if let halves = batch.halved() {
                    return window.withLock { $0.putBack([halves.0, halves.1]) }
                }
                guard !batch.splitNextRequest() else { continue }
                complain("\(request.items) items stay in the journal, the destination refuses them: \(refusal.reason)")
                batch.refused += request.items
                batch.requests.removeFirst()
            case .cancelled:
                return
            }
        }
        finish(batch)
    }

    /// How long a route that needs somebody to act is left alone.
    private static let parkedPause = Duration.seconds(60)

    private func postpone(_ batch: PendingBatch, atLeast pause: Duration, because reason: String) {
        complain(reason)
        var batch = batch
        var generator = SystemRandomNumberGenerator()
        batch.notBefore = clock.now() + max(pause, batch.backoff.next(using: &generator))
        window.withLock { $0.putBack([batch]) }
    }

    /// A record with refused items keeps its place in the journal, as a hole below the cursor; the others are settled.
    private func finish(_ batch: PendingBatch) {
        if batch.refused > 0 {
            held.withLock { $0 += batch.records.count }
        } else {
            var rejected = batch.rejected
            reader.finish(
                batch.records.map { record in
                    let share = min(rejected, record.payloadItems)
                    rejected -= share
                    return record.settled(rejected: share)
                }
            )
            meters.delivered(batch)
        }
        window.withLock { $0.settle(batch) }
    }

    /// Logs a failure, the same one at most once a minute.
    private func complain(_ message: String) {
        guard let repeats = complaints.withLock({ $0.admit(message, now: clock.now()) }) else { return }
        logger.warning("\(message)", metadata: ["exporter": "\(name)", "repeated": "\(repeats)"])
    }
}

extension QueuedRecord {
    /// The account of a record that was sent, and of which the destination turned `rejected` items away.
    fileprivate func settled(rejected: Int) -> SettledRecord {
        var outcomes = OutcomeCounts()
        outcomes.filtered = UInt64(metadata.filtered)
        outcomes.sampledOut = UInt64(metadata.sampledOut)
        outcomes.rejected = UInt64(rejected)
        outcomes.delivered = UInt64(payloadItems - rejected)
        return SettledRecord(id: id, items: items, outcomes: outcomes)
    }
}
