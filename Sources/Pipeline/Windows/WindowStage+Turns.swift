import Basics
import Journal
import OTLP
import Synchronization

extension TraceWindow {
    /// Whether spans of a trace came, besides those that a filter dropped, or it was decided.
    mutating func hasSpans(_ key: TraceKey, at moment: Duration) -> Bool {
        if let hasContent = hasContent(key) { return hasContent }
        return decided.contains(key, at: moment.wholeNanoseconds)
    }

    /// Takes note that a turn of a session is decided; says whether it was before.
    mutating func decideTurn(_ key: TraceKey) -> Bool {
        guard !decided.contains(key, at: now) else { return true }
        decided.insert(key, at: now)
        return false
    }
}

/// Turns of sessions that send log records only become traces.
extension WindowStage.State {
    /// Takes in log records of a turn: they belong to the spans of the trace that they name, where there are any.
    mutating func take(
        _ record: StoredRecord,
        _ key: TraceKey,
        _ turn: TurnSighting,
        from sender: Sender,
        at now: Duration
    ) {
        let bytes = record.traceBytes
        let named = key == turn.key ? nil : key
        if let named, window.hasSpans(named, at: now) {
            turns.noteSpans(turn, at: now)
            window.see(named, from: sender, logRecord: record.id, bytes: bytes, at: now)
        } else {
            turns.see(turn, OpenTurns.Record(id: record.id, bytes: bytes, trace: named), at: now)
        }
    }

    /// Gives a trace of which spans come the log records that name it.
    mutating func takeBack(_ trace: TraceKey, from sender: Sender, at now: Duration) {
        for record in turns.take(naming: trace) {
            window.see(trace, from: sender, logRecord: record.id, bytes: record.bytes, at: now)
        }
    }

    /// What is to be carried out of turns that have ended.
    mutating func turnWork(_ ended: [OpenTurns.Ended]) -> [WindowWork] {
        ended.map { turn in
            let isLate = turn.isOneTurn && !turn.hasSpans && window.decideTurn(turn.key)
            var decision = WindowDecision(
                key: turn.key,
                records: [],
                logRecords: turn.records.map(\.id),
                reason: isLate || turn.hasSpans ? .late : turn.reason
            )
            (decision.isTurn, decision.isOneTurn) = (!turn.hasSpans, turn.isOneTurn)
            return .decision(decision)
        }
    }
}

extension WindowStage {
    /// The traces that log records of a session become; nil where nothing is made of them.
    func turns(of work: WindowWork, _ logs: [WindowRecord]) -> MovedTrace? {
        guard case .decision(let decision) = work, decision.isTurn else { return nil }
        let turns = processor.turns(of: logs.map(\.part), isLate: decision.reason == .late)
        guard !turns.isEmpty else { return nil }
        let made = turns.map { turn in
            // Another try gets the verdict of this one.
            state.withLock { _ = $0.window.decideTurn(turn.key) }
            return (
                assemble(WholeTrace(key: turn.key, parts: [turn.part], reason: decision.reason)).made(of: turn), turn
            )
        }
        return MovedTrace(turns: made, logs, decision.reason, to: output.id, forwardedHeaders)
    }
}

extension WindowStage {
    /// Moves turns by themselves, in parts where they are too large.
    ///
    /// - Returns: What was not moved, and why.
    func moveTurns(_ turns: [LargeTurn]) async -> (works: [WindowWork], refusal: CommitResult?) {
        for (index, turn) in turns.enumerated() {
            guard let refused = await move(turn) else { continue }
            return (refused.works + turns[(index + 1)...].map { .decision($0.decision) }, refused.result)
        }
        return ([], nil)
    }

    /// Moves a turn, in halves where it is too large for the journal or the memory.
    ///
    /// The second half goes below the root of the first, as what comes late. Of log records of one request that no limit lets through
    /// nothing is made.
    ///
    /// - Returns: Nil where all of it moved; else what is left, and why.
    private func move(_ turn: LargeTurn) async -> (works: [WindowWork], result: CommitResult)? {
        let (decision, logs) = turn
        let bytes = logs.reduce(0) { $0 + $1.stored.traceBytes }
        let isOverLimit = isOverLimit(bytes)
        var result = isOverLimit ? CommitResult.tooLarge(Self.memoryLimit) : .failed(Self.memoryLimit)
        let reserved = isOverLimit ? nil : await reserve(for: bytes)
        if let reserved {
            result = await moveWhole(turn)
            memory?.release(reserved)
        }
        let isDivided = result.isTooLarge || reserved == nil
        guard isDivided, logs.count > 1 else {
            guard case .tooLarge(let reason) = result else {
                return result == .moved ? nil : ([.decision(decision)], result)
            }
            warn(.recordTooLarge, because: reason)
            settle(MovedTrace(unjoined: logs))
            return nil
        }
        let middle = logs.count / 2
        let refused = await moveTurns([
            (decision.with(logs[..<middle], isLate: false), Array(logs[..<middle])),
            (decision.with(logs[middle...], isLate: decision.isOneTurn), Array(logs[middle...])),
        ])
        return refused.refusal.map { (refused.works, $0) }
    }

    private func moveWhole(_ turn: LargeTurn) async -> CommitResult {
        guard let made = turns(of: .decision(turn.decision), turn.logs) else {
            settle(MovedTrace(unjoined: turn.logs))
            return .moved
        }
        return await move([made])
    }
}

extension WindowDecision {
    /// The same about some of the log records of a turn.
    fileprivate func with(_ logs: ArraySlice<WindowRecord>, isLate: Bool) -> WindowDecision {
        let ids = logs.map(\.stored.id)
        var decision = WindowDecision(key: key, records: [], logRecords: ids, reason: isLate ? .late : reason)
        (decision.isTurn, decision.isOneTurn) = (isTurn, isOneTurn)
        return decision
    }
}

extension AssembledTrace {
    /// The same with the account of a turn: nobody sent its spans, and log records became them.
    fileprivate func made(of turn: ComposedTurn) -> AssembledTrace {
        var made = self
        made.created = turn.spans
        let isDropped = verdict.map { !$0.isKept } ?? false
        if isDropped { made.sampledOutLogs = turn.joined } else { made.joined = turn.joined }
        return made
    }
}
