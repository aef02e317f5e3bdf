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

    /// Carries decisions out, in order; those that are left where it is cancelled are made again by the next process.
    func carryOut(_ work: [WindowWork]) async {
        var left = work[...]
        while !left.isEmpty, !Task.isCancelled {
            let (made, count) = await make(left)
            if await move(made) {
                left = left.dropFirst(count)
            } else {
                try? await clock.sleep(Self.retryPause)
            }
        }
    }

    /// Makes the records of as many decisions as fit into one group, at least one.
    private func make(_ work: ArraySlice<WindowWork>) async -> (made: [MovedTrace], count: Int) {
        var (made, count, bytes): ([MovedTrace], Int, Int) = ([], 0, 0)
        var shown: Set<TraceKey> = []
        for work in work.prefix(Self.groupMax.records) where bytes < Self.groupMax.bytes {
            if case .decision(let decision) = work {
                // What went ahead is told by its account, once it is settled.
                guard !shown.contains(decision.key) else { break }
                if decision.reason == .open { shown.insert(decision.key) }
            }
            count += 1
            guard let trace = await trace(of: work) else { continue }
            made.append(trace)
            bytes += trace.records.reduce(0) { $0 + $1.payload.count }
        }
        return (made, count)
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
            return logs.isEmpty ? nil : MovedTrace(unjoined: logs)
        }
        guard case .decision(let decision) = work else {
            return MovedTrace(dividing: first, for: processor, to: output.id, forwardedHeaders)
        }
        let whole = WholeTrace(
            key: decision.key,
            parts: spans.map(\.part),
            ahead: Set(spans.indices.filter { spans[$0].wentAhead }),
            logs: logs.map(\.part),
            reason: decision.reason
        )
        let made = processor.assemble(whole)
        return MovedTrace(made, of: decision, spans, logs, to: output.id, forwardedHeaders)
    }

    /// Moves what was made; false where it has to be made again.
    private func move(_ made: [MovedTrace]) async -> Bool {
        for trace in made where trace.records.isEmpty { settle(trace) }
        let made = made.filter { !$0.records.isEmpty }
        guard !made.isEmpty, let spans = inputs[.spans] else { return true }
        var moves = [RecordMove(of: spans.reader, made.flatMap(\.spans))]
        if let logs = inputs[.logs] { moves.append(RecordMove(of: logs.reader, made.flatMap(\.logs))) }
        let group = RecordGroup(entries: made.flatMap(\.records), moving: moves)
        while !Task.isCancelled {
            switch await journal.append(group) {
            case .durable:
                for trace in made { noteMoved(trace) }
                meters.count(made.flatMap(\.counted))
                return true
            case .full(let retryAfter):
                try? await clock.sleep(retryAfter)
            case .tooLarge(let reason), .failed(let reason):
                warn(.failed, because: reason)
                return false
            }
        }
        return false
    }

    /// Settles log records that joined nothing and whose spans never came.
    private func settle(_ trace: MovedTrace) {
        inputs[.logs]?.reader.finish(trace.logs)
        noteMoved(trace)
    }

    private func noteMoved(_ trace: MovedTrace) {
        if let (key, end) = trace.shown { state.withLock { $0.window.noteShown(key, below: end) } }
        for (source, records) in [(WindowSource.spans, trace.spanRecords), (.logs, trace.logRecords)] {
            guard let shares = inputs[source]?.shares else { continue }
            for record in records {
                shares.settled(record.stored.sharedBytes, of: record.part.metadata, wasParked: false)
            }
        }
    }
}
