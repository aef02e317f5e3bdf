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
            let refused = await carryOut(made.traces)
            tried += refused.works
            failures = refused.works.isEmpty ? 0 : failures + 1
            if let refusal = refused.refusal { refusals.append(refusal) }
            state.withLock { $0.moving -= made.count - refused.works.count }
            for room in room.values { room.ring() }
        }
        let again = clock.now() + Self.retryPause
        state.withLock { $0.putOff(Array(left) + tried, until: again, because: refusals) }
    }

    /// Moves one group, or what of it can be moved by itself, the smallest first.
    ///
    /// - Returns: What was not moved, and why where that says something about others too.
    private func carryOut(
        _ made: [(work: WindowWork, trace: MovedTrace)]
    ) async -> (works: [WindowWork], refusal: CommitResult?) {
        for entry in made where entry.trace.records.isEmpty { settle(entry.trace) }
        var made = made.filter { !$0.trace.records.isEmpty }
        if await move(made.map(\.trace)) == .moved { return ([], nil) }
        made.sort { $0.trace.bytes < $1.trace.bytes }
        for (index, entry) in made.enumerated() {
            guard let refused = await moveAlone(entry.trace) else { continue }
            let left = refused.records.map { $0.map(WindowWork.passing) } ?? [entry.work]
            return (left + made[(index + 1)...].map(\.work), refused.result)
        }
        return ([], nil)
    }

    /// Moves a trace, or its records as they came where it is too large for the journal.
    ///
    /// - Returns: Nil where it moved; else why not, and the records that are left of it where the others moved by themselves.
    private func moveAlone(_ trace: MovedTrace) async -> (records: [UInt64]?, result: CommitResult)? {
        let result = await move([trace])
        guard case .tooLarge(let reason) = result else { return result == .moved ? nil : (nil, result) }
        // What would go ahead waits for the end.
        guard trace.shown == nil else { return nil }
        warn(.tooLarge, because: reason)
        settle(MovedTrace(unjoined: trace.logRecords))
        let records = trace.spanRecords.filter { !$0.wentAhead }
        for (index, record) in records.enumerated() {
            let divided = MovedTrace(dividing: record, to: output.id, forwardedHeaders, assemble: assemble)
            var result = await move([divided])
            if case .tooLarge = result {
                result = await move([MovedTrace(asItCame: record, to: output.id, forwardedHeaders)])
            }
            // Larger than a limit that was lowered: it waits until somebody raises it.
            if result != .moved { return (records[index...].map(\.stored.id), result) }
        }
        return nil
    }

    /// Makes the records of as many decisions as fit into one group, at least one.
    private func make(
        _ work: ArraySlice<WindowWork>
    ) async -> (traces: [(work: WindowWork, trace: MovedTrace)], count: Int) {
        var (made, count, bytes): ([(work: WindowWork, trace: MovedTrace)], Int, Int) = ([], 0, 0)
        var (shown, ended): (Set<TraceKey>, Set<TraceKey>) = ([], [])
        for work in work.prefix(Self.groupMax.records) where bytes < Self.groupMax.bytes {
            var work = work
            if case .decision(let decision) = work {
                // What goes ahead and what ends a trace are two steps: the second asks what the first has settled.
                let isShown = decision.reason == .open
                guard !shown.contains(decision.key), !(isShown && ended.contains(decision.key)) else { break }
                if isShown { shown.insert(decision.key) } else { ended.insert(decision.key) }
                work = .decision(withShownEnd(decision))
            }
            count += 1
            guard let trace = await trace(of: work) else { continue }
            made.append((work, trace))
            bytes += trace.bytes
        }
        return (made, count)
    }

    /// A decision with what went ahead after it was made.
    private func withShownEnd(_ decision: WindowDecision) -> WindowDecision {
        guard decision.reason != .open, decision.reason != .late else { return decision }
        var decision = decision
        let end = state.withLock { $0.shownEnds.removeValue(forKey: decision.key) } ?? 0
        decision.shownEnd = max(decision.shownEnd, end)
        return decision
    }

    /// Nil where nothing is left to move.
    private func trace(of work: WindowWork) async -> MovedTrace? {
        let spans = await records(work, .spans)
        if case .decision(let decision) = work, decision.reason == .open { return ahead(decision, spans) }
        return trace(of: work, spans, await records(work, .logs))
    }

    /// The records of a decision that are still to be settled, and those that went ahead, in the order in which they came.
    private func records(_ work: WindowWork, _ source: WindowSource) async -> [WindowRecord] {
        let ids = work.records(of: source)
        guard !ids.isEmpty, let input = inputs[source] else { return [] }
        var found = state.withLock { state in
            ids.compactMap { work.staysOpen ? state.cache.look($0, source) : state.cache.take($0, source) }
        }
        if found.count < ids.count {
            let known = Set(found.map(\.id))
            found += await read(
                ids.filter { !known.contains($0) && (work.wentAhead($0) || !input.reader.isFinished($0)) },
                input
            )
            found.sort { $0.id < $1.id }
        }
        return found.compactMap { record in
            guard input.reader.isFinished(record.id) else { return WindowRecord(record) }
            // What the journal gave up meanwhile is counted where it was.
            return source == .spans && work.wentAhead(record.id) ? WindowRecord(record, wentAhead: true) : nil
        }
    }

    private func read(_ ids: [UInt64], _ input: WindowInput) async -> [StoredRecord] {
        var (found, left): ([StoredRecord], ArraySlice<UInt64>) = ([], ids[...])
        while !left.isEmpty {
            let read = await input.log.records(left, bytesMax: Self.groupMax.bytes)
            let end = read.last?.id ?? .max
            let known = Set(read.map(\.id))
            for id in left.prefix(while: { $0 <= end }) where !known.contains(id) && !input.reader.isFinished(id) {
                warn(.gone, because: "damage", ["record": "\(id)"])
            }
            found += read
            left = left.drop { $0 <= end }
        }
        return found
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
            return MovedTrace(dividing: first, to: output.id, forwardedHeaders, assemble: assemble)
        }
        let whole = WholeTrace(
            key: decision.key,
            parts: spans.map(\.part),
            ahead: Set(spans.indices.filter { spans[$0].wentAhead }),
            logs: logs.map(\.part),
            reason: decision.reason
        )
        return MovedTrace(assemble(whole), of: decision, spans, logs, to: output.id, forwardedHeaders)
    }

    /// Makes one request of a trace; spans that come late, and another try, get what was decided.
    func assemble(_ trace: WholeTrace) -> AssembledTrace {
        var trace = trace
        trace.decided = state.withLock { $0.window.decided.outcome(of: trace.key) }
        let made = processor.assemble(trace)
        state.withLock { $0.window.decided.note(made.outcome, of: trace.key) }
        return made
    }

    /// Moves what was made, all or nothing of it.
    private func move(_ made: [MovedTrace]) async -> CommitResult {
        guard !made.isEmpty, let spans = inputs[.spans] else { return .moved }
        var moves = [RecordMove(of: spans.reader, made.flatMap(\.spans))]
        if let logs = inputs[.logs] { moves.append(RecordMove(of: logs.reader, made.flatMap(\.logs))) }
        let result = await journal.append(RecordGroup(entries: made.flatMap(\.records), moving: moves))
        if result == .moved {
            for trace in made { noteMoved(trace) }
            writeNotes()
            meters.count(made.flatMap(\.counted))
        } else if made.count == 1 {
            warn(.failed, because: result.trouble)
        }
        return result
    }

    /// Settles log records that joined nothing and whose spans never came.
    private func settle(_ trace: MovedTrace) {
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
            for record in records {
                shares.settled(record.stored.sharedBytes, of: record.part.metadata, wasParked: false)
            }
        }
    }
}

extension CommitResult {
    fileprivate static var moved: CommitResult { .durable }

    /// Whether it is over a limit, so that no room would help.
    var isTooLarge: Bool { if case .tooLarge = self { true } else { false } }
}
