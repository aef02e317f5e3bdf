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
    /// Moves a turn that is too large for the journal or the memory in parts: what is behind the first goes below its root, as what
    /// comes late.
    ///
    /// - Returns: Nil where all of it moved; else what is left, and why.
    func moveParts(
        of decision: WindowDecision,
        _ logs: [WindowRecord],
        because reason: String
    ) async -> (works: [WindowWork], result: CommitResult)? {
        guard logs.count > 1 else {
            warn(.recordTooLarge, because: reason)
            settle(MovedTrace(unjoined: logs))
            return nil
        }
        let (first, second) = (logs[..<(logs.count / 2)], logs[(logs.count / 2)...])
        var decision = decision
        for (part, left) in [(first, logs[...]), (second, second)] {
            decision = decision.with(logRecords: part, isLate: decision.isOneTurn && part.startIndex > 0)
            let result = await movePart(of: decision, Array(part))
            if case .tooLarge(let reason) = result {
                guard let refused = await moveParts(of: decision, Array(part), because: reason) else { continue }
                let behind = part.startIndex == 0 ? [decision.with(logRecords: second, isLate: decision.isOneTurn)] : []
                return (refused.works + behind.map(WindowWork.decision), refused.result)
            }
            guard result != .moved else { continue }
            return ([.decision(decision.with(logRecords: left, isLate: false))], result)
        }
        return nil
    }

    /// Moves a part of a turn, where there is memory to make it.
    private func movePart(of decision: WindowDecision, _ part: [WindowRecord]) async -> CommitResult {
        let bytes = part.reduce(0) { $0 + $1.stored.traceBytes }
        guard !isOverLimit(bytes) else { return .tooLarge(Self.memoryLimit) }
        guard let reserved = await reserve(for: bytes) else { return .failed(Self.memoryLimit) }
        defer { memory?.release(reserved) }
        guard let made = turns(of: .decision(decision), part) else {
            settle(MovedTrace(unjoined: part))
            return .moved
        }
        return await move([made])
    }
}

extension WindowDecision {
    /// The same about some of the log records of a turn.
    fileprivate func with(logRecords: ArraySlice<WindowRecord>, isLate: Bool) -> WindowDecision {
        let ids = logRecords.map(\.stored.id)
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
