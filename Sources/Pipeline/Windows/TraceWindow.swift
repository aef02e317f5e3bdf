import Basics
import OTLP

/// What is waiting of each trace, and until when: the memory of a windowed stage.
///
/// Holds no bytes of spans, reads no clock and waits for nothing: it is told what was stored and asked what is due. The same
/// spans lead to the same decision in whatever order they come. A trace waits
///
/// - `afterRoot` from the moment at which its root is there and no parent but remote ones is missing,
/// - without a root and with no other than remote parents missing, `wait` after its last span,
/// - else `openWait` after its last span.
///
/// One that is open for `showAfter` is shown: all its records go ahead but the first, which stands for the trace until it is decided, and
/// those with a root or that repeat one before. What comes later goes ahead in the same steps.
///
/// Some 140 bytes a trace, 13 a span and 16 a record. What is due is found without looking at any trace that is not: there are
/// three ways to wait, each as long for all, so those that wait the same way stand in the order of their moments.
package struct TraceWindow: Sendable {
    let settings: WindowSettings
    /// When it is certain that a trace is not dropped.
    private var dropCertainty: DropCertainty
    var traces = Slab<Trace>()
    private var slots = [UInt32](filledWith: noNumber, count: 64)
    /// Whose traces there are, by their numbers; nil for who is bound to nothing.
    private var identities: [String?] = [nil]
    private var identityNumbers: [ExactText: UInt32] = [:]
    var senders = OpenSenders()
    private var spans = SpanLinks()
    var records = RecordLinks()
    var lines: WaitingLines
    var decided: DecidedTraces
    private var ready: [WindowDecision] = []
    private(set) var now: Int64 = 0

    package init(_ settings: WindowSettings) {
        self.init(settings, decided: DecidedTraces(settings))
    }

    /// - Parameters:
    ///   - settings: How long traces wait.
    ///   - decided: What is known of traces that were decided before.
    ///   - dropCertainty: When it is certain that a trace is not dropped.
    init(_ settings: WindowSettings, decided: DecidedTraces, dropCertainty: DropCertainty = .never) {
        self.settings = settings
        self.dropCertainty = dropCertainty
        self.decided = decided
        lines = WaitingLines(settings)
    }

    /// Traces that wait.
    package var traceCount: Int { traces.count }

    /// Decisions that nobody has asked for yet.
    var readyCount: Int { ready.count }

    /// Bytes that it holds, as counted against `memory`.
    package var memoryBytes: Int {
        traces.count * Self.traceBytes + spans.memoryBytes + senders.memoryBytes
            + records.count * MemoryLayout<RecordLink>.stride + decided.memoryBytes
    }

    /// The moment at which something is due, which may have passed; nil while nothing waits.
    package var nextDue: Duration? {
        ready.isEmpty ? lines.nextDue(traces).map { .nanoseconds($0) } : .nanoseconds(now)
    }

    /// Takes note of a record of spans.
    ///
    /// - Parameters:
    ///   - key: The trace of all its spans.
    ///   - sender: Who sent it.
    ///   - record: Its id in the pipeline's log; above all that were given before.
    ///   - sightings: The spans in it.
    ///   - bytes: How many it takes.
    ///   - hasContent: Whether spans are in it; else only what is left of those that a filter dropped.
    ///   - moment: Now, by a clock that only goes forward.
    ///   - foresight: What the spans say of the decision.
    ///   - isShown: Whether it went ahead before the process started.
    package mutating func see(
        _ key: TraceKey,
        from sender: Sender = .address(.unknown),
        record: UInt64,
        spans sightings: some Sequence<SpanSighting>,
        bytes: Int,
        hasContent: Bool = true,
        at moment: Duration,
        foresight: TraceForesight = TraceForesight(),
        isShown: Bool = false
    ) {
        advance(to: moment)
        guard let number = open(key, from: sender) else {
            return ready.append(WindowDecision(key: key, records: [record], reason: .late))
        }
        let spanBytes = spans.memoryBytes
        var digest = Hasher()
        digest.combine(bytes)
        for span in sightings { digest.combine(span.id.value) }
        records.append(RecordLink(id: record, digest: digest.finalize()), to: &traces[number].records)
        traces[number].bytes += bytes
        traces[number].recordCount += 1
        if isShown { traces[number].shownEnd = max(traces[number].shownEnd, record + 1) }
        for span in sightings {
            spans.see(span, &traces[number].spans)
            traces[number].spanCount += 1
            guard span.parent == nil else { continue }
            traces[number].hasRoot = true
            records[traces[number].records.last].hasRoot = true
        }
        if hasContent { traces[number].hasContent = true }
        // Where there is nothing to show, nothing goes ahead.
        if !hasContent { records[traces[number].records.last].hasRoot = true }
        foresee(foresight, number, isShown: isShown)
        lines.wait(number, traces[number].wait, from: now, &traces)
        let mayShow = traces[number].isKept || !settings.showsOnlyKept
        if !isShown, mayShow { lines.show(number, from: now, &traces) }
        hold(MemoryLayout<RecordLink>.stride + spans.memoryBytes - spanBytes, number)
        bound(number)
    }

    /// Takes note of what the spans of a trace say of the decision about it.
    private mutating func foresee(_ foresight: TraceForesight, _ number: UInt32, isShown: Bool) {
        guard !traces[number].isKept else { return }
        if foresight.keeps { traces[number].foresight.keeps = true }
        if foresight.drops { traces[number].foresight.drops = true }
        if foresight.hasRoot { traces[number].foresight.hasRoot = true }
        let known = traces[number].foresight
        let isCertain =
            switch dropCertainty {
            case .always: !traces[number].isUncertain
            case .withRoot: known.hasRoot && !traces[number].isUncertain
            case .never: false
            }
        // What went ahead did so because that was certain.
        traces[number].isKept = isShown && settings.showsOnlyKept || isCertain && known.keeps && !known.drops
    }

    /// Takes note of a record of log records that belong to spans of a trace; it makes only a trace without spans wait longer.
    package mutating func see(
        _ key: TraceKey,
        from sender: Sender = .address(.unknown),
        logRecord record: UInt64,
        bytes: Int,
        at moment: Duration
    ) {
        advance(to: moment)
        guard let number = open(key, from: sender) else {
            return ready.append(WindowDecision(key: key, records: [], logRecords: [record], reason: .late))
        }
        records.append(RecordLink(id: record), to: &traces[number].logs)
        traces[number].bytes += bytes
        if traces[number].spanCount == 0 { lines.wait(number, .open, from: now, &traces) }
        hold(MemoryLayout<RecordLink>.stride, number)
        bound(number)
    }

    /// Whether spans came of a trace that waits, besides those that a filter dropped; nil for any other.
    func hasContent(_ key: TraceKey) -> Bool? { find(key).map { traces[$0].hasContent } }

    /// Takes note of a trace that was decided before the process started.
    package mutating func remember(
        _ key: TraceKey,
        as outcome: DecidedOutcome = DecidedOutcome(),
        at moment: Duration
    ) {
        advance(to: moment)
        // What was noted on the disk is known already.
        guard outcome == DecidedOutcome() || !decided.knows(outcome, of: key, at: now) else { return }
        decided.keep(outcome, of: key, at: now)
    }

    /// Takes note of what came of a trace, so that it outlives the process.
    mutating func keep(_ outcome: DecidedOutcome, of key: TraceKey) { decided.keep(outcome, of: key, at: now) }

    /// What is due, in the order in which it became so; it is forgotten, but that it was decided.
    package mutating func due(at moment: Duration) -> [WindowDecision] {
        advance(to: moment)
        while let (number, way) = lines.due(at: now, traces) { decide(number, way.isWhole ? .complete : .waited) }
        while let number = lines.takeShown(at: now, &traces) { show(number) }
        defer { ready = [] }
        return ready
    }

    /// From now on other policies say when it is certain that a trace is not dropped.
    ///
    /// What waits was looked at by those before, so that nothing is certain of it, but for what went ahead.
    mutating func change(_ certainty: DropCertainty) {
        dropCertainty = certainty
        var next = lines.oldest
        while let number = next {
            next = lines.next(after: number, traces)
            traces[number].isUncertain = true
            guard traces[number].isKept, traces[number].shownEnd == 0 else { continue }
            traces[number].isKept = false
            lines.wait(number, traces[number].wait, from: now, &traces)
        }
    }

    /// Decides those of some traces that wait.
    mutating func takeOpen(_ keys: [TraceKey]) -> [WindowDecision] {
        for number in keys.compactMap(find) { decide(number, .tooLarge) }
        defer { ready = [] }
        return ready
    }

    /// Decides what is whole and certain to be kept, without waiting for more.
    mutating func takeKept() -> [WindowDecision] {
        while let number = lines.firstKept { decide(number, .complete) }
        defer { ready = [] }
        return ready
    }

    /// Takes note that the records of a trace below an id went ahead.
    ///
    /// - Returns: Whether the trace still waits; the decision about another one was made without that.
    @discardableResult
    package mutating func noteShown(_ key: TraceKey, below end: UInt64) -> Bool {
        guard let number = find(key) else { return false }
        traces[number].shownEnd = max(traces[number].shownEnd, end)
        return true
    }

    /// Takes note that the route of a trace may still change: it is looked at again when it has come twice as far.
    package mutating func noteUnsure(_ key: TraceKey) {
        guard let number = find(key) else { return }
        traces[number].triedCount = traces[number].recordCount
    }

    /// Decides all that waits.
    package mutating func close() -> [WindowDecision] {
        while let oldest = lines.oldest { decide(oldest, .closed) }
        defer { ready = [] }
        return ready
    }

    private mutating func advance(to moment: Duration) { now = max(now, moment.wholeNanoseconds) }

    /// Has what is new of an open trace go ahead.
    private mutating func show(_ number: UInt32) {
        let trace = traces[number]
        guard trace.isKept || !settings.showsOnlyKept else { return }
        guard trace.way?.isWhole != true, trace.shownEnd > 0 || trace.recordCount >= 2 * trace.triedCount else {
            return
        }
        let links = records.links(of: trace.records).sorted { $0.id < $1.id }
        // What was sent twice is there once in the end: the second waits until then.
        var known: Set<UInt32> = []
        let firsts = links.filter { known.insert($0.digest).inserted }
        let shown = firsts.dropFirst().filter { !$0.hasRoot && $0.id >= trace.shownEnd }.map(\.id)
        guard !shown.isEmpty else { return }
        // Where it went before, its route is known.
        let all = trace.shownEnd > 0 ? shown : links.map(\.id)
        let decision = WindowDecision(
            key: key(of: trace),
            records: all,
            reason: .open,
            shownEnd: trace.shownEnd,
            shown: shown
        )
        ready.append(decision)
    }

    /// Decides what is over a limit.
    private mutating func bound(_ number: UInt32) {
        let trace = traces[number]
        if trace.spanCount > settings.spansMax || trace.bytes > settings.bytesMax.bytes { decide(number, .tooLarge) }
        if memoryBytes > settings.memoryMax.bytes { makeRoom() }
    }

    /// Notes what a trace takes more than before.
    private mutating func hold(_ bytes: Int, _ number: UInt32) {
        traces[number].memory += UInt32(clamping: bytes)
        senders.add(bytes, to: traces[number].sender)
    }

    mutating func decide(_ number: UInt32, _ reason: WindowDecision.Reason) {
        let trace = traces[number]
        let decision = WindowDecision(
            key: key(of: trace),
            records: records.takeOut(trace.records).sorted(),
            logRecords: records.takeOut(trace.logs),
            reason: reason,
            shownEnd: trace.shownEnd
        )
        spans.remove(trace.spans)
        lines.remove(number, &traces)
        takeOut(number)
        // Spans that come after their logs were given up are those of a new trace.
        if trace.hasContent { decided.insert(decision.key, at: now) }
        ready.append(decision)
    }

    /// What one trace takes, with its place in the table.
    private static let traceBytes = MemoryLayout<Trace>.stride + 2 * MemoryLayout<UInt32>.stride
}

// The tables of traces and of records.

extension TraceWindow {
    /// The number of a trace, a new one where it does not wait yet; nil for one that was decided.
    private mutating func open(_ key: TraceKey, from sender: Sender) -> UInt32? {
        if let number = find(key) { return number }
        guard !decided.contains(key, at: now) else { return nil }
        if traces.count >= slots.count { grow() }
        let identity = number(of: key.identity, adding: true) ?? 0
        let slot = slot(of: key.trace, identity)
        var trace = Trace(key.trace, of: identity, from: senders.open(sender))
        trace.nextInSlot = slots[slot]
        let number = traces.insert(trace)
        slots[slot] = number
        lines.insert(number, at: now, &traces)
        hold(Self.traceBytes, number)
        return number
    }

    /// The number of a trace that waits; nil for any other.
    private func find(_ key: TraceKey) -> UInt32? {
        guard let identity = self.number(of: key.identity) else { return nil }
        var number = slots[slot(of: key.trace, identity)]
        while number != noNumber {
            if traces[number].id == key.trace, traces[number].identity == identity { return number }
            number = traces[number].nextInSlot
        }
        return nil
    }

    private func key(of trace: Trace) -> TraceKey { TraceKey(trace.id, identity: identities[Int(trace.identity)]) }

    /// The number of an identity; nil for one without traces.
    ///
    /// Few are bound, and they are forgotten with the last trace.
    private mutating func number(of identity: String?, adding: Bool) -> UInt32? {
        if let known = number(of: identity) { return known }
        guard adding, let identity else { return nil }
        let number = UInt32(truncatingIfNeeded: identities.count)
        identities.append(identity)
        identityNumbers[ExactText(identity)] = number
        return number
    }

    private func number(of identity: String?) -> UInt32? {
        identity.map { identityNumbers[ExactText($0)] } ?? 0
    }

    private mutating func takeOut(_ number: UInt32) {
        let slot = slot(of: traces[number].id, traces[number].identity)
        let next = traces[number].nextInSlot
        if slots[slot] == number {
            slots[slot] = next
        } else {
            var before = slots[slot]
            while traces[before].nextInSlot != number { before = traces[before].nextInSlot }
            traces[before].nextInSlot = next
        }
        senders.close(traces[number].sender, Int(traces[number].memory))
        traces.remove(number)
        guard traces.count == 0 else { return }
        if slots.count > 64 { slots = [UInt32](filledWith: noNumber, count: 64) }
        (identities, identityNumbers) = ([nil], [:])
    }

    private mutating func grow() {
        let old = slots
        slots = [UInt32](filledWith: noNumber, count: old.count * 2)
        for first in old {
            var number = first
            while number != noNumber {
                let next = traces[number].nextInSlot
                let slot = slot(of: traces[number].id, traces[number].identity)
                traces[number].nextInSlot = slots[slot]
                slots[slot] = number
                number = next
            }
        }
    }

    private func slot(of trace: TraceID, _ identity: UInt32) -> Int {
        var hasher = Hasher()
        hasher.combine(trace)
        hasher.combine(identity)
        return hasher.finalize() & (slots.count - 1)
    }
}
