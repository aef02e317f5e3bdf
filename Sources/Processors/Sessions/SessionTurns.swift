import Basics
import OTLP
import Pipeline

/// The turns that log records of a session tell of.
struct SessionTurns {
    private let identity: String?
    private var records: [SessionRecord] = []

    /// - Parameter logs: Records of one sender.
    init(_ logs: [WholeTrace.Part]) {
        identity = logs.first?.metadata.identity
        // A record that was sent twice counts once.
        var known: Set<[UInt8]> = []
        for part in logs where part.metadata.identity == identity {
            records += SessionRecord.all(of: part).filter { known.insert($0.bytes).inserted }
        }
        records.sort { $0.precedes($1) }
    }

    /// The turns in the order of their beginnings, each as a trace; where its root went before, without one.
    func composed(isLate: Bool) -> [ComposedTurn] { turns.compactMap { $0.composed(isLate: isLate) } }

    /// Records that name their turn are of that; of others a turn begins with each question.
    private var turns: [SessionTurn] {
        var turns: [SessionTurn] = []
        var places: [TraceID: Int] = [:]
        for record in records {
            let place = SessionID.trace(of: record.event, from: identity)
            let begins = record.event.turn.isEmpty && record.event.role == .prompt
            if let known = places[place], !begins {
                turns[known].records.append(record)
            } else {
                let isNamed = !record.event.turn.isEmpty
                let trace = isNamed ? place : SessionID.trace(of: record.event, from: identity, telling: record.bytes)
                places[place] = turns.count
                turns.append(SessionTurn(trace: trace, records: [record]))
            }
        }
        return turns
    }
}
