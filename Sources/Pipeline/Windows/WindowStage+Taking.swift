import Basics
import Journal
import OTLP

extension WindowStage.State {
    /// Takes a record in.
    mutating func take(_ record: StoredRecord, _ sight: WindowSight, from source: WindowSource, at now: Duration) {
        count(record, source)
        switch sight {
        case .spans(let key, let spans, let foresight, let sender):
            let (bytes, hasContent) = (record.traceBytes, !record.payload.isEmpty)
            // Of spans that a filter drops nothing is shown: a session that sends no others has its turns.
            if hasContent { takeBack(key, from: sender, at: now) }
            window.see(
                key,
                from: sender,
                record: record.id,
                spans: spans,
                bytes: bytes,
                hasContent: hasContent,
                at: now,
                foresight: foresight
            )
        case .logs(let key, let sender):
            window.see(key, from: sender, logRecord: record.id, bytes: record.traceBytes, at: now)
        case .turn(let key, let turn, let sender): take(record, key, turn, from: sender, at: now)
        case .passing(let traces):
            // What waits of a trace gets no verdict that is drawn from another part of it.
            if !traces.isEmpty { ready += window.takeOpen(traces).map(WindowWork.decision) }
            ready.append(.passing(record.id))
        case .unreadable, .unwanted: return
        }
        cache.keep(record, source)
    }

    /// Counts a record that was taken in.
    private mutating func count(_ record: StoredRecord, _ source: WindowSource) {
        let count = taken[source]?.count ?? 0
        taken[source] = (count + 1, record.id + UInt64(record.items))
    }
}
