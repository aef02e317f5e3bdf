package import Basics
package import Journal
package import Logging
import OTLP
import Synchronization

/// The back half of a pipeline for one destination: reads its log, batches, sends, tries again, settles.
///
/// Nothing here blocks: reading and sending suspend. What one destination does touches only its own cursor. What becomes
/// of one request is decided in Delivery+Attempts.swift.
package final class Delivery: Sendable {
    package let name: String
    /// What it delivers.
    let signal: Signal
    let exporter: any Exporter
    let readers: [RecordSource: LogReader]
    let clock: MonotonicClock
    let wallClock: WallClock
    let meters: DeliveryMeters
    let deadLetters: DeadLetterBox?
    let parkedLog: ParkedLog?
    /// The log behind each reader that records are read again from.
    let logs: [RecordSource: Log]
    let shares: DestinationShares?
    /// Nil where nothing is recorded.
    let telemetry: Telemetry?
    let window: Mutex<BatchWindow>
    let flow: Mutex<FlowControl>
    let parked = Mutex(ParkedRoutes())
    /// Where reading of the parked log ends; nil while nothing of it is read.
    let parkedEnd = Mutex<UInt64?>(nil)
    /// Rings when what waits for parked routes may have to move: whenever something was read or sent.
    let crowded = Doorbell()
    private let settings: Mutex<DeliverySettings>
    private let startedAt: UnixTime
    private let logger: Logger
    /// Records of a form that this version cannot read; they stay in the journal.
    private let unreadable = Mutex<[(source: RecordSource, id: UInt64, items: UInt64)]>([])
    /// Set while it drains: where the part of the pipeline's log ends that is still delivered.
    private let drainEnd = Mutex<UInt64?>(nil)
    private let throttle = Mutex(LogThrottle<Trouble>(linesMax: 10, in: .seconds(60)))
    /// Rings when a batch may be due.
    let due = Doorbell()
    /// Rings for each reader when a record may fit.
    let room: [RecordSource: Doorbell]
    /// Rings when something was settled.
    let settled = Doorbell()

    /// - Parameters:
    ///   - name: The exporter's key in the pipeline file.
    ///   - exporter: Sends the batches.
    ///   - reader: The exporter's cursor on the pipeline's log.
    ///   - log: The pipeline's log.
    ///   - deadLetters: Where spans go that the destination refuses; without it they stay queued.
    ///   - parkedLog: Where records go that wait for parked routes, where there are many.
    ///   - shares: Told what is settled of each route.
    ///   - settings: What the pipeline file says of it.
    ///   - clock: For lingering and pauses.
    ///   - wallClock: For the times of attempts.
    ///   - telemetry: Keeps spans of attempts; nil where nothing is recorded.
    ///   - meters: Counts outcomes.
    ///   - logger: Tells of failures, at most once a minute each.
    package init(
        name: String,
        exporter: any Exporter,
        reader: LogReader,
        log: Log,
        deadLetters: DeadLetterBox? = nil,
        parkedLog: ParkedLog? = nil,
        shares: DestinationShares? = nil,
        settings: DeliverySettings,
        clock: MonotonicClock,
        wallClock: WallClock = .system,
        telemetry: Telemetry? = nil,
        meters: DeliveryMeters,
        logger: Logger
    ) {
        self.name = name
        signal = log.id.signal
        self.exporter = exporter
        var readers = [RecordSource.pipeline: reader]
        readers[.deadLetters] = deadLetters?.reader
        readers[.parked] = parkedLog?.reader
        self.readers = readers
        var logs = [RecordSource.pipeline: log]
        logs[.deadLetters] = deadLetters?.log
        logs[.parked] = parkedLog?.log
        self.logs = logs
        self.parkedLog = parkedLog
        room = readers.mapValues { _ in Doorbell() }
        self.deadLetters = deadLetters
        self.shares = shares
        self.clock = clock
        self.wallClock = wallClock
        startedAt = wallClock.now()
        self.telemetry = telemetry
        self.meters = meters
        self.logger = logger
        self.settings = Mutex(settings)
        window = Mutex(
            BatchWindow(
                limits: settings.limits,
                retry: settings.retry,
                isExclusive: exporter.deliversOneAtATimePerRoute,
                bytesMax: settings.bytesMax
            )
        )
        flow = Mutex(
            FlowControl(limits: settings.limits, retry: settings.retry, concurrency: exporter.concurrency)
        )
    }

    /// The pauses of a batch that failed, and of a destination that is down.
    var retry: RetrySettings { settings.withLock { $0.retry } }
    /// How long ago a span may have ended that is sent.
    var ageMax: Duration? { settings.withLock { $0.ageMax } }
    private var limits: BatchLimits { settings.withLock { $0.limits } }
    private var isAwaited: Bool { settings.withLock { $0.isAwaited } }

    /// Goes on with other settings: what it has read, tried and learned stays.
    ///
    /// - Parameters:
    ///   - settings: The other settings.
    ///   - isOtherwise: Whether the destination is another one now, or is asked otherwise, so that what failed is tried again at
    ///     once.
    package func change(_ settings: DeliverySettings, isOtherwise: Bool) {
        let now = clock.now()
        self.settings.withLock { $0 = settings }
        flow.withLock { flow in
            flow.change(
                limits: settings.limits,
                retry: settings.retry,
                concurrency: exporter.concurrency,
                isOtherwise: isOtherwise,
                now: now
            )
        }
        window.withLock {
            $0.change(retry: settings.retry, bytesMax: settings.bytesMax, hastening: isOtherwise, now: now)
        }
        if isOtherwise { parked.withLock { $0.hastenAll(now: now) } }
        due.ring()
        for room in room.values { room.ring() }
    }

    /// Whether it delivers what a window has decided.
    package var isBehindWindow: Bool { logs[.pipeline]?.id.isWindow ?? false }

    /// Whether the destination is taken to be down and only probed.
    package var isCircuitOpen: Bool { flow.withLock { $0.isOpen } }
    /// Whether nothing is sent now, or one request at most to see whether the destination is back.
    private var isHeldUp: Bool { flow.withLock { $0.isOpen || $0.isPaused } }

    /// Works until the task is cancelled.
    package func run() async {
        readParkedLog()
        await withDiscardingTaskGroup { group in
            group.addTask { await self.moveParked() }
            for source in readers.keys {
                group.addTask { await self.read(source) }
            }
            await self.dispatch(in: &group)
        }
        drainEnd.withLock { $0 = nil }
    }

    /// From now on sends without lingering, and only what can be read now: what comes later stays in the journal.
    ///
    /// Any thread; the second call changes nothing.
    package func beginDraining() {
        guard let reader = readers[.pipeline] else { return }
        drainEnd.withLock { end in
            if end == nil { end = reader.endID }
        }
        window.withLock { $0.isDraining = true }
        due.ring()
    }

    /// Begins to drain, and returns once all that could be read then is settled.
    ///
    /// Where a destination does not answer, waits until it is cancelled.
    ///
    /// - Parameter stopsWhileDown: Returns as well while the circuit is open.
    package func drain(stopsWhileDown: Bool = false) async {
        beginDraining()
        while !Task.isCancelled, stopsWhileDown ? canDrainOn : hasWork(countingParked: true) { await settled.wait() }
    }

    /// Whether draining has something left to do, and a destination to do it with; what waits for parked routes aside.
    package var canDrainOn: Bool { hasWork(countingParked: false) && !isHeldUp }

    /// Whether something waits that can be sent; what waits for parked routes only where that is counted.
    func hasWork(countingParked: Bool) -> Bool {
        readers.contains { hasWork($0.key, $0.value, countingParked: countingParked) }
    }

    private func hasWork(_ source: RecordSource, _ reader: LogReader, countingParked: Bool) -> Bool {
        let unreadable = unreadable.withLock { $0.filter { $0.source == source } }
        let (parkedItems, parkedPlaces): (UInt64, Int) = parked.withLock { parked in
            countingParked ? (0, 0) : (parked.items(of: source), parked.places(of: source))
        }
        if source == .pipeline, let end = drainEnd.withLock({ $0 }) {
            let stays = unreadable.reduce(parkedItems) { $1.id < end ? $0 + $1.items : $0 }
            return reader.unfinished(below: end) > stays
        }
        let isRead = source != .parked || countingParked || parkedEnd.withLock { $0 != nil }
        return isRead && reader.hasUnread || reader.unsettled > unreadable.count + parkedPlaces
    }

    private func read(_ source: RecordSource) async {
        guard let reader = readers[source], let room = room[source] else { return }
        while !Task.isCancelled {
            let space = window.withLock { $0.room }
            guard space > 0, mayRead(source) else {
                await room.wait()
                continue
            }
            guard let records = try? await reader.next(bytesMax: space, recordsMax: Self.recordsMax) else { return }
            let end = source == .pipeline ? drainEnd.withLock { $0 } : nil
            for record in records where record.id < end ?? .max { await take(record, from: source) }
            due.ring()
            if parked.withLock({ !$0.isEmpty }) { crowded.ring() }
            if source == .parked, let last = records.last { endParkedReading(at: last) }
            if let end, records.contains(where: { $0.id >= end }) { return }
            // Who waits for a record must not wait for the reader.
            let isFull = records.count == Self.recordsMax
            if !isFull, !isAwaited { try? await clock.sleep(limits.linger / Self.readsPerLinger) }
        }
    }

    /// A reader that has caught up reads so often while a batch lingers, and not once for every record.
    private static let readsPerLinger = 8

    /// Records read in one go, at most; bounds what small records cost beside their bytes.
    private static let recordsMax = 1024

    private func take(_ record: StoredRecord, from source: RecordSource) async {
        guard let metadata = RecordMetadata(decoding: record.metadata) else {
            warn(.unreadable, because: "a newer version wrote it", ["record": "\(record.id)"])
            unreadable.withLock { $0.append((source, record.id, UInt64(record.items))) }
            settled.ring()
            return
        }
        let queued = await queue(record, metadata, from: source)
        guard queued.payloadItems > 0 else {
            let outcomes = queued.metadata.removed
            let account = SettledRecord(
                id: queued.id,
                items: queued.items,
                outcomes: outcomes,
                created: queued.metadata.created,
                isUnsent: queued.metadata.isUnsent
            )
            readers[source]?.finish([account])
            // What went ahead, or goes to others only, holds its share as any other.
            if record.kind == .items { shares?.settled(queued.sharedBytes, of: metadata, wasParked: source == .parked) }
            settled.ring()
            return
        }
        let key = MergeKey(
            signal: metadata.signal,
            route: exporter.usesRoutes ? metadata.route : .none,
            headers: metadata.headers,
            refusal: exporter.usesRoutes ? metadata.refusal : nil,
            identity: exporter.keepsIdentity ? metadata.identity : nil
        )
        if source == .parked, parkedLog?.isTooOld(queued) ?? false { return expire(queued) }
        if isParked(queued, key) { return }
        window.withLock { $0.add(queued, key: key, now: clock.now()) }
    }

    /// A record as the destination gets it.
    func queue(_ record: StoredRecord, _ metadata: RecordMetadata, from source: RecordSource) async -> QueuedRecord {
        guard let showing = metadata.showing else { return QueuedRecord(record, metadata, from: source) }
        var taken = await exporter.amendmentsTaken
        // To an earlier process the destination may have been one that takes nothing ahead.
        if taken == .changes, showing != .ahead, metadata.parked?.receivedAt ?? record.receivedAt < startedAt {
            taken = .whole
        }
        return QueuedRecord(record, metadata, from: source, taking: taken)
    }

    private func dispatch(in group: inout DiscardingTaskGroup) async {
        var alarm: Duration?
        while !Task.isCancelled {
            let now = clock.now()
            if let earlier = alarm, earlier <= now { alarm = nil }
            while let batch = nextBatch(now: now) {
                group.addTask { await self.send(batch) }
            }
            while let recall = nextRecall(now: now) {
                group.addTask { await self.recall(recall) }
            }
            if let wake = nextWake(), wake > now, alarm.map({ wake < $0 }) ?? true {
                alarm = wake
                group.addTask {
                    try? await self.clock.sleep(wake - now)
                    self.due.ring()
                }
            }
            await due.wait()
        }
    }

    /// A batch that is due, and leave to send it.
    private func nextBatch(now: Duration) -> PendingBatch? {
        flow.withLock { flow in
            guard flow.admits(now: now) else { return nil }
            let batch = window.withLock { window in
                window.limits = flow.limits
                return window.next(now: now)
            }
            if batch != nil { flow.begin() }
            return batch
        }
    }

    /// When a batch may be sent that may not be sent now.
    func nextWake() -> Duration? {
        let space = window.withLock { $0.room }
        let parked = parked.withLock { $0.recalledBytes < space ? $0.wake : nil }
        guard let batch = window.withLock({ $0.wake }) else { return parked }
        let flow = flow.withLock { $0.wake }.map { max($0, batch) } ?? batch
        return parked.map { min($0, flow) } ?? flow
    }

    private func send(_ batch: PendingBatch) async {
        await attempt(batch)
        flow.withLock { $0.end(now: clock.now()) }
        due.ring()
        if parked.withLock({ !$0.isEmpty }) { crowded.ring() }
        for room in room.values { room.ring() }
        settled.ring()
    }

    /// What may go wrong with a delivery, as the log says it.
    enum Trouble {
        case deadLettered, expired, failed, parked, rejected, unreadable

        fileprivate func text(_ signal: Signal) -> String {
            switch self {
            case .deadLettered: "\(signal.items) are dead letters now"
            case .expired: "\(signal.items) are older than the destination takes them, and count as expired"
            case .failed: "a delivery failed and is tried again"
            case .parked: "a route is parked"
            case .rejected: "the destination rejected \(signal.items)"
            case .unreadable: "a record has metadata that this version cannot read; it stays queued"
            }
        }
    }

    /// Logs a failure: the same one once a minute, and of each kind ten a minute at most.
    func warn(_ trouble: Trouble, because reason: String, _ details: Logger.Metadata = [:]) {
        let heldBack = throttle.withLock { $0.admit(trouble, saying: "\(reason) \(details)", now: clock.now()) }
        guard let heldBack else { return }
        var metadata: Logger.Metadata = ["exporter": "\(name)", "reason": "\(reason)"]
        if heldBack > 0 { metadata["held_back"] = "\(heldBack)" }
        logger.warning("\(trouble.text(signal))", metadata: metadata.merging(details) { $1 })
    }
}
