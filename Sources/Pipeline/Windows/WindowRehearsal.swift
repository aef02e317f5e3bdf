import Basics
import OTLP

/// A window without its journal: takes requests with their times and says what traces become of them.
package struct WindowRehearsal {
    private let processor: any WindowedProcessor
    private var window: TraceWindow
    private var turns: OpenTurns
    /// By their ids, which are positions.
    private var records: [WholeTrace.Part] = []
    private var decided: [(key: TraceKey, trace: AssembledTrace)] = []

    package init(_ processor: any WindowedProcessor) {
        self.processor = processor
        var settings = processor.window
        // What comes of a trace in the end is the same.
        settings.showAfter = nil
        window = TraceWindow(settings)
        turns = OpenTurns(settings)
    }

    /// Takes a request of spans or log records that the processors before the window have worked on.
    ///
    /// - Parameters:
    ///   - work: The request.
    ///   - moment: When it comes, since the first one; never less than before.
    package mutating func take(_ work: SpanWork, at moment: Duration) {
        carryOut(window.due(at: moment))
        carryOut(turns.due(at: moment))
        var work = work
        let traces = work.divideByTrace(for: processor)
        let isBound = work.source.identity?.experiments != nil
        for group in work.batch.groups {
            guard let trace = traces[Int(group.number)],
                let encoded = try? work.batch.encoded(group, charging: &work.account)
            else { continue }
            var metadata = RecordMetadata(signal: work.batch.signal, route: work.routes[Int(group.number)])
            (metadata.identity, metadata.headers) = (work.source.identity?.name, work.source.headers)
            metadata.experiments = work.source.identity?.experiments?.entries ?? []
            metadata.trace = TraceMark(trace: trace, isBound: isBound)
            metadata.tombstones = work.takeTombstones(of: trace)
            let part = WholeTrace.Part(receivedAt: work.receivedAt, metadata: metadata, payload: encoded.payload)
            see(part, TraceKey(trace, identity: isBound ? metadata.identity : nil), at: moment)
        }
        // Those of which nothing else is left.
        for (trace, tombstones) in work.tombstones ?? [:] {
            var metadata = RecordMetadata(signal: .traces, identity: work.source.identity?.name)
            metadata.tombstones = tombstones
            let part = WholeTrace.Part(receivedAt: work.receivedAt, metadata: metadata, payload: [])
            see(part, TraceKey(trace, identity: isBound ? metadata.identity : nil), at: moment)
        }
    }

    private mutating func see(_ part: WholeTrace.Part, _ key: TraceKey, at moment: Duration) {
        let (id, bytes) = (UInt64(records.count), part.payload.count)
        records.append(part)
        if part.metadata.signal == .logs { return see(id, key, at: moment) }
        for record in bytes > 0 ? turns.take(naming: key) : [] {
            window.see(key, logRecord: record.id, bytes: record.bytes, at: moment)
        }
        let spans = SpanSighting.all(in: part.payload, part.metadata)
        window.see(key, record: id, spans: spans, bytes: bytes, hasContent: bytes > 0, at: moment)
    }

    /// What became of everything, once all that waits has waited; in the order of the decisions.
    package mutating func finish() -> [(key: TraceKey, trace: AssembledTrace)] {
        while let due = window.nextDue { carryOut(window.due(at: due)) }
        while let due = turns.nextDue { carryOut(turns.due(at: due)) }
        return decided
    }

    /// Takes in log records that lie under a trace, as `WindowStage` does.
    private mutating func see(_ id: UInt64, _ key: TraceKey, at moment: Duration) {
        let part = records[Int(id)]
        guard let turn = processor.turn(in: part.payload, from: part.metadata.identity)?.bound(to: key.identity) else {
            return window.see(key, logRecord: id, bytes: part.payload.count, at: moment)
        }
        if key != turn.key, window.hasSpans(key, at: moment) {
            turns.noteSpans(turn, at: moment)
            window.see(key, logRecord: id, bytes: part.payload.count, at: moment)
        } else {
            let trace = key == turn.key ? nil : key
            turns.see(turn, OpenTurns.Record(id: id, bytes: part.payload.count, trace: trace), at: moment)
        }
    }

    private mutating func carryOut(_ ended: [OpenTurns.Ended]) {
        for turn in ended where !turn.hasSpans {
            let isLate = turn.isOneTurn && window.decideTurn(turn.key)
            let logs = turn.records.map { records[Int($0.id)] }
            for composed in processor.turns(of: logs, isLate: isLate) {
                let reason = isLate ? .late : turn.reason
                let whole = WholeTrace(key: composed.key, parts: [composed.part], reason: reason)
                decided.append((composed.key, processor.assemble(whole)))
            }
        }
    }

    private mutating func carryOut(_ decisions: [WindowDecision]) {
        for decision in decisions where !decision.records.isEmpty {
            var whole = WholeTrace(
                key: decision.key,
                parts: decision.records.map { records[Int($0)] },
                logs: decision.logRecords.map { records[Int($0)] },
                reason: decision.reason,
                decided: window.decided.outcome(of: decision.key)
            )
            whole.isContinued = window.decided.isKept(decision.key)
            whole.decidedAt = .nanoseconds(window.now)
            let made = processor.assemble(whole)
            window.decided.note(made.outcome, of: decision.key)
            window.keep(made.outcome, of: decision.key)
            decided.append((decision.key, made))
        }
    }
}
