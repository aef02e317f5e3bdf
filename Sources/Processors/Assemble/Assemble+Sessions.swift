package import OTLP
package import Pipeline

// Sessions of coding CLIs that send log records only.

extension Assemble {
    package func turn(_ unit: Int, of logs: Envelope, from identity: String?) -> TraceID? {
        guard joinsSessions else { return nil }
        return SessionEvent(unit, of: logs).map { SessionID.trace(of: $0, from: identity) }
    }

    package func turn(in payload: [UInt8], from identity: String?) -> TurnSighting? {
        guard joinsSessions, let batch = try? Envelope(payload, signal: .logs) else { return nil }
        var first: SessionEvent?
        var isAnswered = false
        var (begun, ended): ([Int], [Int]) = ([], [])
        for unit in 0..<batch.unitCount {
            guard let event = SessionEvent(unit, of: batch) else { continue }
            first = first ?? event
            if event.isEnd(batch) { isAnswered = true }
            guard let call = event.text(SessionEvent.Keys.call, batch) else { continue }
            if event.role == .decision, event.isAllowed(batch) { begun.append(call.hashValue) }
            if event.role == .tool { ended.append(call.hashValue) }
        }
        guard let first else { return nil }
        return TurnSighting(
            SessionID.trace(of: first, from: identity),
            isOneTurn: !first.turn.isEmpty,
            isAnswered: isAnswered,
            begun: begun,
            ended: ended
        )
    }

    package func turns(of logs: [WholeTrace.Part], isLate: Bool) -> [ComposedTurn] {
        SessionTurns(logs).composed(isLate: isLate)
    }
}
