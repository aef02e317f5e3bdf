import Basics
import OTLP

/// Ids of traces and spans that are made of log records: the same records make the same ids, in every process and on every machine.
enum SessionID {
    /// The trace of a turn, else of a session.
    static func trace(of event: SessionEvent, from identity: String?) -> TraceID {
        trace(of: event, from: identity, telling: [])
    }

    /// The trace of a turn that its records do not name; `first` is the record that begins it.
    static func trace(of event: SessionEvent, from identity: String?, telling first: [UInt8]) -> TraceID {
        let texts = [identity ?? "", "\(event.program.session)", event.session, event.turn]
        let (high, low) = words(of: texts.map { Array($0.utf8) } + [first])
        return TraceID(high: high, low: low == 0 ? 1 : low)
    }

    /// The span of a record; without one, the root.
    static func span(of trace: TraceID, telling record: [UInt8] = []) -> SpanID {
        let (high, _) = words(of: [Array("\(trace.high) \(trace.low)".utf8), record])
        return SpanID(high == 0 ? 1 : high)
    }

    private static func words(of texts: [[UInt8]]) -> (UInt64, UInt64) {
        var bytes: [UInt8] = []
        for text in texts {
            bytes.appendVarint(text.count)
            bytes += text
        }
        let hash = SHA256.hash(bytes)
        let words = [0, 8].map { start in hash[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        return (words[0], words[1])
    }
}
