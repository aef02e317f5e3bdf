package import Basics
package import Journal
package import Logging
import OTLP
import Synchronization

/// The middle of a pipeline with a window: reads its log, decides by trace, and moves what is decided to the log that the exporters read.
///
/// A decision is about whole records, because intake divides requests by trace. What is decided becomes one record of the second
/// log, which names the records that it takes the place of; they are settled as delivered in the moment in which it can be read
/// (`RecordMove`), and after a crash from what it names (`WindowRecovery`). So nothing is in both logs or in neither.
///
/// Holds what the index needs of undecided traces, and their bytes as long as there is room; the rest is read again. Nothing here
/// blocks. How records are made of decisions is in WindowStage+Moving.swift.
package final class WindowStage: Sendable {
    /// What waits, and what is known of it.
    struct State {
        var window: TraceWindow
        /// Turns of sessions of which no spans came.
        var turns = OpenTurns(WindowSettings())
        /// Decisions that are not carried out, in order.
        var ready: [WindowWork] = []
        var cache: RecordCache
        /// Set while it drains: what is undecided then does not wait.
        var drain: WindowDrain?
        /// How many records were taken in of each log, and the id behind the last.
        var taken: [WindowSource: (count: Int, end: UInt64)] = [:]
        /// Whether decisions are being carried out.
        var isMoving = false
        /// Decisions that are being carried out.
        var moving = 0
        /// Below which ids records of traces went ahead that were decided meanwhile, until the decision is carried out.
        var shownEnds: [TraceKey: UInt64] = [:]
        /// Decisions that found no room: when they are tried again, with all that is decided until then, and why they wait.
        var putOff: (work: [WindowWork], until: Duration, because: [CommitResult])?
    }

    /// The processor's key in the pipeline file, and the name of its cursors.
    package let name: String
    let journal: Journal
    let inputs: [WindowSource: WindowInput]
    /// The log that the exporters read.
    let output: Log
    private let work: Mutex<(processor: any WindowedProcessor, forwardedHeaders: Set<String>)>
    let clock: MonotonicClock
    let meters: WindowMeters
    /// What putting traces together takes its room from; nil for no bound.
    let memory: MemoryBudget?
    /// Where decided traces are noted; nil for nowhere.
    let notes: LogNotes?
    let state: Mutex<State>
    private let logger: Logger
    private let throttle = Mutex(LogThrottle<Trouble>(linesMax: 10, in: .seconds(60)))
    /// Rings when something may be due.
    let due = Doorbell()
    /// Rings when there is room for more decisions.
    let room: [WindowSource: Doorbell]
    /// Rings when something was carried out.
    let settled = Doorbell()

    /// Decisions that wait to be carried out, beyond which nothing more is read.
    private static let readyMax = 10_000
    private static let readBytes = 1 << 20
    /// Traces that may have been moved and not noted when a process ended: some groups.
    private static let unnotedMax = 1024
    private static let readRecords = 1024
    /// A reader that has caught up reads so often, and not once for every record.
    static let readPause = Duration.milliseconds(20)

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file.
    ///   - processor: Makes one request of a trace.
    ///   - inputs: What it reads; spans at least.
    ///   - output: The log that the exporters read.
    ///   - journal: Holds all of them.
    ///   - decided: Traces that an earlier process decided (`WindowRecovery`).
    ///   - shown: Records of open traces that went ahead in an earlier process.
    ///   - isNoted: Whether decided traces are noted on the disk, and those of earlier processes known.
    ///   - forwardedHeaders: Names in lower case of headers that exporters send along; others end here.
    ///   - bytesMax: Bytes of records held in memory, to be read no second time.
    ///   - traceBytesMax: Bytes of one trace, whatever the processor allows.
    ///   - memory: What putting large traces together takes its room from; nil for no bound.
    ///   - clock: For waiting.
    ///   - meters: Counts what is decided.
    ///   - logger: Tells of failures, at most once a minute each.
    package init(
        name: String,
        processor: any WindowedProcessor,
        inputs: [WindowSource: WindowInput],
        output: Log,
        journal: Journal,
        decided: [DecidedTrace] = [],
        shown: [ShownRecord] = [],
        isNoted: Bool = false,
        forwardedHeaders: Set<String> = [],
        bytesMax: Int,
        traceBytesMax: ByteCount = ByteCount(bytes: .max),
        memory: MemoryBudget? = nil,
        clock: MonotonicClock,
        meters: WindowMeters,
        logger: Logger
    ) {
        self.name = name
        work = Mutex((processor, forwardedHeaders))
        self.inputs = inputs
        self.output = output
        self.journal = journal
        self.clock = clock
        self.meters = meters
        self.memory = memory
        self.logger = logger
        room = inputs.mapValues { _ in Doorbell() }
        var settings = processor.window
        settings.bytesMax = min(settings.bytesMax, traceBytesMax)
        let now = clock.now()
        let (found, notes) = DecidedTraces.open(
            settings,
            beside: isNoted ? output : nil,
            at: now,
            showing: journal.steadyNow
        )
        var window = TraceWindow(settings, decided: found, dropCertainty: processor.dropCertainty)
        self.notes = notes
        for (index, trace) in decided.enumerated() {
            let isYoung = !journal.isOlder(than: processor.window.remember, trace.receivedAt)
            // What was moved last may have no notes yet, however long ago its trace began.
            if !trace.isOpen, isYoung || index + Self.unnotedMax >= decided.count {
                window.remember(trace.key, as: trace.outcome, at: now)
            }
            guard let route = trace.outcome.route else { continue }
            processor.restore(trace.key, route: route, receivedAt: trace.receivedAt)
        }
        for record in shown {
            window.see(record, at: now)
        }
        notes?.write(window.decided.takeUnwritten())
        state = Mutex(State(window: window, turns: OpenTurns(settings), cache: RecordCache(bytesMax: bytesMax)))
    }

    var processor: any WindowedProcessor { work.withLock { $0.processor } }
    var forwardedHeaders: Set<String> { work.withLock { $0.forwardedHeaders } }

    /// From now on another processor makes requests of traces, which waits as this one does.
    package func change(_ processor: any WindowedProcessor, forwardedHeaders: Set<String>) {
        work.withLock { $0 = (processor, forwardedHeaders) }
        state.withLock { $0.window.change(processor.dropCertainty) }
    }

    /// Traces that wait, and the bytes of what is known of them.
    package var position: (traces: Int, bytes: Int) {
        state.withLock { state in
            let bytes = state.window.memoryBytes + state.turns.memoryBytes + state.cache.bytes + state.workBytes
            return (state.window.traceCount + state.turns.count, bytes)
        }
    }

    /// Why nothing goes on to the exporters; nil while it does.
    package var trouble: String? {
        guard let reason = state.withLock({ $0.putOff?.because.last?.trouble }) else { return nil }
        return "\(name) of pipeline \(output.id.pipeline) cannot move traces: \(reason)"
    }

    /// Works until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for (source, input) in inputs { group.addTask { await self.read(source, input) } }
            group.addTask { await self.watchRoom() }
            await self.decide()
        }
    }

    /// From now on decides what would be complete in a moment, or all where it `decidesAll`, and returns once that is carried out.
    ///
    /// What stays undecided waits in the journal: where it samples, also what is complete and not kept for certain, because what is still
    /// to come may change that. Returns early where it is cancelled.
    ///
    /// `run` has to be at work.
    package func drain(decidingAll: Bool) async {
        let (ends, processor) = (inputs.mapValues(\.reader.endID), processor)
        let ahead = processor.samples ? Duration.zero : processor.window.afterRoot
        state.withLock { $0.drain = WindowDrain(decidesAll: decidingAll, ahead: ahead, ends: ends) }
        due.ring()
        while !Task.isCancelled, state.withLock({ !$0.isDrained }) { await settled.wait() }
    }

    private func read(_ source: WindowSource, _ input: WindowInput) async {
        var metadata = MetadataReader()
        while !Task.isCancelled {
            guard state.withLock({ $0.workCount < Self.readyMax }) else {
                await room[source]?.wait()
                continue
            }
            let records = try? await input.reader.next(bytesMax: Self.readBytes, recordsMax: Self.readRecords)
            guard let records else { return }
            let seen = records.map { sight($0, source, &metadata) }
            let now = clock.now()
            state.withLock { state in
                for (record, sight) in zip(records, seen) { state.take(record, sight, from: source, at: now) }
            }
            if source == .logs { finishUnwanted(zip(records, seen), input) }
            due.ring()
            if records.count < Self.readRecords { try? await clock.sleep(Self.readPause) }
        }
    }

    /// What the window is told of a record.
    private func sight(
        _ record: StoredRecord,
        _ source: WindowSource,
        _ reader: inout MetadataReader
    ) -> WindowSight {
        guard let metadata = reader.read(record.metadata) else {
            warn(.unreadable, because: "a newer version wrote it", ["record": "\(record.id)"])
            return .unreadable
        }
        guard let mark = metadata.trace, mark.isOfOneTrace, record.kind == .items else {
            return source == .spans ? .passing(tracesToDecide(record, metadata)) : .unwanted(metadata)
        }
        let key = TraceKey(mark.trace, identity: mark.isBound ? metadata.identity : nil)
        guard source == .spans else {
            let turn = processor.turn(in: record.payload, from: metadata.identity)
            return turn.map { .turn(key, $0.bound(to: key.identity), metadata.sender) } ?? .logs(key, metadata.sender)
        }
        return .spans(
            key,
            SpanSighting.all(in: record.payload, metadata),
            processor.foresee(record.payload),
            metadata.sender
        )
    }

    /// Log records that belong to no span are done with at once.
    private func finishUnwanted(_ seen: some Sequence<(StoredRecord, WindowSight)>, _ input: WindowInput) {
        let settled = seen.compactMap { record, sight -> SettledRecord? in
            guard case .unwanted(let metadata) = sight else { return nil }
            input.shares?.settled(record.sharedBytes, of: metadata, wasParked: false)
            return record.settled(metadata.removed, joined: 0)
        }
        input.reader.finish(settled)
    }

    private func decide() async {
        var alarm: (at: Duration, task: Task<Void, Never>)?
        defer { alarm?.task.cancel() }
        while !Task.isCancelled {
            let now = clock.now()
            if let earlier = alarm?.at, earlier <= now { alarm = nil }
            let isRead = isReadToDrain
            let work = state.withLock { $0.takeWork(at: now, isRead: isRead) }
            if !work.isEmpty { await carryOut(work) }
            state.withLock { $0.isMoving = false }
            for room in room.values { room.ring() }
            settled.ring()
            let wake = state.withLock { $0.wake(at: now) }
            guard let wake else {
                await due.wait()
                continue
            }
            guard wake > clock.now() else { continue }
            if alarm.map({ wake < $0.at }) ?? true {
                alarm?.task.cancel()
                let alarmed = Task {
                    guard (try? await self.clock.sleep(wake - self.clock.now())) != nil else { return }
                    self.due.ring()
                }
                alarm = (wake, alarmed)
            }
            await due.wait()
        }
    }

    /// Whether everything was read that was there when draining began; false while it does not drain.
    private var isReadToDrain: Bool {
        let (drain, taken) = state.withLock { ($0.drain, $0.taken) }
        guard let drain else { return false }
        return drain.ends.allSatisfy { source, end in
            guard let input = inputs[source], case let known = taken[source] ?? (0, 0), known.end < end else {
                return true
            }
            let (handedOut, hasUnread) = input.reader.progress
            return !hasUnread && handedOut == known.count
        }
    }

    /// What may go wrong with a window, as the log says it.
    enum Trouble {
        case unreadable, gone, failed, tooLarge, recordTooLarge, noMemory

        fileprivate var text: Logger.Message {
            switch self {
            case .unreadable: "a record has metadata that this version cannot read; it stays queued"
            case .gone: "a record cannot be read any more; its trace goes on without it"
            case .failed: "a trace cannot be moved to the log of whole traces and is tried again"
            case .tooLarge: "a trace is too large for the journal; its records go on as they came"
            case .recordTooLarge: "log records of one request are too large for a span; nothing is made of them"
            case .noMemory: "there is no memory to put a trace together; it goes on in parts"
            }
        }
    }

    /// Logs a failure: the same one once a minute, and of each kind ten a minute at most.
    func warn(_ trouble: Trouble, because reason: String, _ details: Logger.Metadata = [:]) {
        let heldBack = throttle.withLock { $0.admit(trouble, saying: "\(reason) \(details)", now: clock.now()) }
        guard let heldBack else { return }
        var metadata: Logger.Metadata = ["processor": "\(name)", "reason": "\(reason)"]
        if heldBack > 0 { metadata["held_back"] = "\(heldBack)" }
        logger.warning(trouble.text, metadata: metadata.merging(details) { $1 })
    }
}

extension WindowStage.State {
    /// Decisions that are not carried out.
    var workCount: Int {
        ready.count + moving + window.readyCount + turns.readyCount + (putOff?.work.count ?? 0)
    }

    /// What they take in memory, with the list of one record each.
    var workBytes: Int { workCount * (MemoryLayout<WindowWork>.stride + 2 * MemoryLayout<[UInt64]>.stride + 64) }

    /// What is to be carried out now; nothing while that is still under way, or has to wait.
    mutating func takeWork(at now: Duration, isRead: Bool) -> [WindowWork] {
        ready += window.due(at: now).map(WindowWork.decision) + turnWork(turns.due(at: now))
        if var drain, !drain.isDecided, isRead {
            // What is complete came whole: it only waits in case that it did not.
            let decisions = drain.decidesAll ? window.close() : window.takeKept() + window.due(at: now + drain.ahead)
            let ended = drain.decidesAll ? turns.close() : turns.due(at: now + drain.ahead)
            ready += decisions.map(WindowWork.decision) + turnWork(ended)
            drain.isDecided = true
            self.drain = drain
        }
        if let putOff {
            guard putOff.until <= now else { return [] }
            // Late spans go by what is decided about their traces.
            let late = ready.filter(\.isLate)
            ready = ready.filter { !$0.isLate } + putOff.work + late
            self.putOff?.work = []
        }
        defer { ready = [] }
        isMoving = true
        moving = ready.count
        return ready
    }

    /// Takes back what found no room.
    mutating func putOff(_ work: [WindowWork], until moment: Duration, because refusals: [CommitResult]) {
        moving = 0
        putOff = work.isEmpty ? nil : (work, moment, refusals)
    }

    /// Whether something is decided that may make room when it moves; what is larger than a limit never moves.
    var hasMovable: Bool {
        let waits = putOff.map { !$0.work.isEmpty && !$0.because.allSatisfy(\.isTooLarge) } ?? false
        return waits || ready.count + moving + window.readyCount + turns.readyCount > 0
    }

    /// When there is something to do that nobody tells of; nil for never.
    func wake(at now: Duration) -> Duration? {
        if let putOff { return putOff.until }
        guard ready.isEmpty else { return .zero }
        // A reader passes over what is finished without a word, so that its end has to be looked for.
        let nextDue = [window.nextDue, turns.nextDue].compactMap { $0 }.min()
        guard let drain, !drain.isDecided else { return nextDue }
        let look = now + WindowStage.readPause
        return min(look, nextDue ?? look)
    }

    /// Whether everything is carried out that draining asks for.
    var isDrained: Bool { drain?.isDecided ?? true && ready.isEmpty && putOff == nil && !isMoving }
}
