import Journal
import OTLP

extension MovedTrace {
    /// Traces made of the log records of a session.
    ///
    /// Each record takes one id, which counts for none that was accepted (`RecordMetadata.isUnsent`).
    init(
        turns: [(made: AssembledTrace, turn: ComposedTurn)],
        _ logs: [WindowRecord],
        _ reason: WindowDecision.Reason,
        to log: LogID,
        _ forwardedHeaders: Set<String>
    ) {
        var origin = TraceOrigin([], logs, joined: turns.reduce(0) { $0 + $1.made.joined })
        origin.sampledOut += turns.reduce(0) { $0 + UInt64($1.made.sampledOutLogs) }
        // What lies in the journal together says once what it was made of.
        records = turns.enumerated().map { index, entry in
            var (made, metadata) = (entry.made, entry.turn.part.metadata)
            made.created -= 1
            metadata.isUnsent = true
            let received = entry.turn.part.receivedAt
            let part = WindowPart(made, metadata: metadata, ids: 1, removed: [:], receivedAt: received)
            return part.record(index == 0 ? origin : TraceOrigin(spans: []), to: log, forwardedHeaders)
        }
        (spanRecords, logRecords) = ([], logs)
        spans = []
        self.logs = TraceOrigin.joined(origin.logs, origin)
        counted = turns.map { ($0.made, [reason]) }
        outcomes = turns.map { ($0.turn.key, $0.made.outcome) }
    }
}
