import Basics
import Journal
import Logging
import OTLP
import Synchronization

/// What is decided becomes records of the second log.
extension WindowStage {
    /// What goes into one group, at most.
    private static let groupMax = (records: 256, bytes: 4 << 20)
    /// How long a window waits that cannot move anything.
    private static let retryPause = Duration.seconds(1)

    /// Groups that find no room, one after the other, behind which the rest waits too.
    private static let failuresMax = 2

    /// Carries decisions out, in order; what finds no room is put off behind what does.
    ///
    /// Those that are left where it is cancelled are made again by the next process.
    func carryOut(_ work: [WindowWork]) async {
        var left = work[...]
        var (tried, failures): ([WindowWork], Int) = ([], 0)
        var refusals: [CommitResult] = []
        while !left.isEmpty, failures < Self.failuresMax, !Task.isCancelled {
            let made = await make(left)
            left = left.dropFirst(made.count)
            let refused = await carryOut(made.traces, turns: made.turns)
            memory?.release(made.reserved)
            tried += refused.works
            failures = refused.works.isEmpty ? 0 : failures + 1
            if let refusal = refused.refusal { refusals.append(refusal) }
            state.withLock { $0.moving -= made.count - refused.works.count }
            for room in room.values { room.ring() }
        }
        let again = clock.now() + Self.retryPause
        state.withLock { $0.putOff(Array(left) + tried, until: again, because: refusals) }
    }

    /// Moves one group, or what of it can be moved by itself, the smallest first; then turns of sessions in parts.
    ///
    /// - Returns: What was not moved, and why where that says something about others too.
    private func carryOut(
        _ made: [MadeWork],
        turns: [FoundWork]
    ) async -> (works: [WindowWork], refusal: CommitResult?) {
        for entry in made where entry.trace.records.isEmpty { settle(entry.trace) }
        var made = made.filter { !$0.trace.records.isEmpty }
        if await move(made.map(\.trace)) != .moved {
            made.sort { $0.trace.bytes < $1.trace.bytes }
            for (index, entry) in made.enumerated() {
                guard let refused = await moveAlone(entry) else { continue }
                return (refused.works + made[(index + 1)...].flatMap(\.works) + turns.map(\.work), refused.result)
            }
        }
        for (index, turn) in turns.enumerated() {
            guard case .decision(let decision) = turn.work,
                let refused = await moveParts(of: decision, turn.logs, because: Self.memoryLimit)
            else { continue }
            return (refused.works + turns[(index + 1)...].map(\.work), refused.result)
        }
        return ([], nil)
    }

    /// Moves a trace, or its records as they came where it is too large for the journal; a turn of a session in parts.
    ///
    /// - Returns: Nil where it moved; else why not, and what is left of it.
    private func moveAlone(_ entry: MadeWork) async -> (works: [WindowWork], result: CommitResult)? {
        let trace = entry.trace
        let result = await move([trace])
        guard case .tooLarge(let reason) = result else { return result == .moved ? nil : (entry.works, result) }
        // What would go ahead waits for the end.
        guard trace.shown == nil else { return nil }
        if case .decision(let decision)? = entry.works.first, decision.isTurn {
            return await moveParts(of: decision, trace.logRecords, because: reason)
        }
        warn(.tooLarge, because: reason)
        settle(MovedTrace(unjoined: trace.logRecords))
        let records = trace.spanRecords.filter { !$0.wentAhead }
        for (index, record) in records.enumerated() {
            let divided = MovedTrace(dividing: [record], to: output.id, forwardedHeaders, assemble: assemble)
            var result = await move([divided])
            if case .tooLarge = result {
                result = await move([MovedTrace(asItCame: record, to: output.id, forwardedHeaders)])
            }
            // Larger than a limit that was lowered: it waits until somebody raises it.
            if result != .moved { return (records[index...].map { .passing($0.stored.id) }, result) }
        }
        return nil
    }

    /// Makes the records of as many decisions as fit into one group, at least one.
    private func make(
        _ work: ArraySlice<WindowWork>
    ) async -> (traces: [MadeWork], turns: [FoundWork], count: Int, reserved: Int) {
        var chosen = Array(work.prefix(Self.groupMax.records))
        let ends = state.withLock { $0.shownEnds }
        if !ends.isEmpty { chosen = chosen.map { $0.with(shownEnds: ends) } }
        // What goes ahead and what ends a trace are two steps: the second asks what the first has settled.
        var (shown, ended): (Set<TraceKey>, Set<TraceKey>) = ([], [])
        for (place, work) in (chosen.contains(where: \.staysOpen) ? chosen : []).enumerated() {
            guard case .decision(let decision) = work else { continue }
            guard !shown.contains(decision.key), !(work.staysOpen && ended.contains(decision.key)) else {
                chosen.removeSubrange(place...)
                break
            }
            if work.staysOpen { shown.insert(decision.key) } else { ended.insert(decision.key) }
        }
        let found = await records(of: chosen, bytesMax: Self.groupMax.bytes)
        if !ends.isEmpty {
            state.withLock { state in
                for case .decision(let decision) in found.lazy.map(\.work) where decision.takesShownEnd {
                    state.shownEnds[decision.key] = nil
                }
            }
        }
        guard let reserved = await reserve(for: found.reduce(0) { $0 + $1.bytes }) else {
            let divided = divide(found)
            return (divided.traces, divided.turns, found.count, 0)
        }
        return (make(found), [], found.count, reserved)
    }

    /// Makes records of decisions, of many at once as far as they need nothing of their own.
    func make(_ found: [FoundWork]) -> [MadeWork] {
        var (whole, places): ([WholeTrace], [Int]) = ([], [])
        for (place, entry) in found.enumerated() {
            guard case .decision(let decision) = entry.work, decision.reason != .open, entry.logs.isEmpty,
                !entry.spans.isEmpty, !entry.spans.contains(where: \.wentAhead)
            else { continue }
            whole.append(WholeTrace(decision, entry.spans, []))
            places.append(place)
        }
        var made: [MadeWork] = []
        var done: Set<Int> = []
        for group in whole.count > 1 ? processor.assembleTogether(whole) : [] {
            let members = group.traces.map { found[places[$0]] }
            let trace = MovedTrace(group.made, of: members, to: output.id, forwardedHeaders)
            // What is too large for a small journal together may have room one by one.
            guard journal.excess(of: RecordGroup(entries: trace.records)) == nil else { continue }
            done.formUnion(group.traces.lazy.map { places[$0] })
            made.append((members.map(\.work), trace))
        }
        for (place, entry) in found.enumerated() where !done.contains(place) {
            if let trace = trace(of: entry) { made.append(([entry.work], trace)) }
        }
        return made
    }

    /// Nil where nothing is left to move.
    private func trace(of found: FoundWork) -> MovedTrace? {
        if case .decision(let decision) = found.work, decision.reason == .open { return ahead(decision, found.spans) }
        return trace(of: found.work, found.spans, found.logs)
    }

    /// What of an open trace goes ahead; nil where its route may still change.
    private func ahead(_ decision: WindowDecision, _ records: [WindowRecord]) -> MovedTrace? {
        let shown = Set(decision.shown)
        let moved = records.filter { shown.contains($0.stored.id) && !$0.wentAhead }
        guard !moved.isEmpty else { return nil }
        let parts = moved.map(\.part)
        let all = decision.shownEnd > 0 ? nil : records.map(\.part)
        guard let made = processor.show(parts, of: decision.key, amid: all) else {
            state.withLock { $0.window.noteUnsure(decision.key) }
            return nil
        }
        return MovedTrace(made, ahead: decision, moved, to: output.id, forwardedHeaders)
    }

    /// Nil where nothing is left to move.
    private func trace(of work: WindowWork, _ spans: [WindowRecord], _ logs: [WindowRecord]) -> MovedTrace? {
        guard let first = spans.first(where: { !$0.wentAhead }) else {
            return logs.isEmpty ? nil : turns(of: work, logs) ?? MovedTrace(unjoined: logs)
        }
        guard case .decision(let decision) = work else {
            return MovedTrace(dividing: [first], to: output.id, forwardedHeaders, assemble: assemble)
        }
        let made = assemble(WholeTrace(decision, spans, logs))
        return MovedTrace(made, of: decision, spans, logs, to: output.id, forwardedHeaders)
    }

    /// Makes one request of a trace; spans that come late, and another try, get what was decided.
    func assemble(_ trace: WholeTrace) -> AssembledTrace {
        var trace = trace
        let (outcome, isKept) = state.withLock { state in
            (state.window.decided.outcome(of: trace.key), state.window.decided.isKept(trace.key))
        }
        (trace.decided, trace.isContinued) = (outcome, trace.isContinued || isKept)
        trace.decidedAt = clock.now()
        let made = processor.assemble(trace)
        state.withLock { $0.window.decided.note(made.outcome, of: trace.key) }
        return made
    }

    /// Moves what was made, all or nothing of it.
    func move(_ made: [MovedTrace]) async -> CommitResult {
        guard !made.isEmpty, let spans = inputs[.spans] else { return .moved }
        var moves = [RecordMove(of: spans.reader, made.flatMap(\.spans))]
        if let logs = inputs[.logs] { moves.append(RecordMove(of: logs.reader, made.flatMap(\.logs))) }
        let result = await journal.append(RecordGroup(entries: made.flatMap(\.records), moving: moves))
        if result == .moved {
            for trace in made { noteMoved(trace) }
            writeNotes()
            meters.count(made)
        } else if made.count == 1 {
            warn(.failed, because: result.trouble)
        }
        return result
    }

    /// Settles log records that joined nothing and whose spans never came.
    func settle(_ trace: MovedTrace) {
        inputs[.logs]?.reader.finish(trace.logs)
        noteMoved(trace)
    }

    private func noteMoved(_ trace: MovedTrace) {
        if let (key, end) = trace.shown {
            state.withLock { state in
                if !state.window.noteShown(key, below: end) { state.shownEnds[key] = end }
            }
        }
        state.withLock { state in
            for (key, outcome) in trace.outcomes { state.window.keep(outcome, of: key) }
        }
        for (source, records) in [(WindowSource.spans, trace.spanRecords), (.logs, trace.logRecords)] {
            guard let shares = inputs[source]?.shares else { continue }
            shares.settled(records.lazy.map { ($0.stored.sharedBytes, $0.part.metadata) })
        }
    }
}

/// A record of the second log, or none, and what is carried out with it.
typealias MadeWork = (works: [WindowWork], trace: MovedTrace)

extension WindowDecision {
    /// Whether it asks what went ahead before it.
    fileprivate var takesShownEnd: Bool { reason != .open && reason != .late }
}

extension WindowWork {
    /// The same with what went ahead after it was decided.
    fileprivate func with(shownEnds ends: [TraceKey: UInt64]) -> WindowWork {
        guard case .decision(var decision) = self, decision.takesShownEnd, let end = ends[decision.key] else {
            return self
        }
        decision.shownEnd = max(decision.shownEnd, end)
        return .decision(decision)
    }
}

extension WholeTrace {
    fileprivate init(_ decision: WindowDecision, _ spans: [WindowRecord], _ logs: [WindowRecord]) {
        self.init(
            key: decision.key,
            parts: spans.map(\.part),
            ahead: Set(spans.indices.filter { spans[$0].wentAhead }),
            logs: logs.map(\.part),
            reason: decision.reason
        )
    }
}

extension CommitResult {
    static var moved: CommitResult { .durable }

    /// Whether it is over a limit, so that no room would help.
    var isTooLarge: Bool { if case .tooLarge = self { true } else { false } }
}
