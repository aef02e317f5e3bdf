import Basics
import Journal
import Synchronization

/// What waits keeps the journal from deleting what is delivered: where room gets scarce, the oldest traces do not wait any longer.
extension WindowStage {
    /// How often it looks for room.
    private static let lookPause = Duration.seconds(1)

    /// Looks after the journal's room until the task is cancelled.
    func watchRoom() async {
        while !Task.isCancelled {
            try? await clock.sleep(Self.lookPause)
            relieve()
        }
    }

    /// Decides the traces that lie in what the journal should delete soon.
    func relieve() {
        let ends = inputs.compactMapValues { journal.endToPass(in: $0.log) }
        guard !ends.isEmpty else { return }
        let isDecided = state.withLock { state in
            // What was decided makes room first.
            guard !state.hasMovable else { return false }
            state.window.decide(spansBelow: ends[.spans] ?? 0, logsBelow: ends[.logs] ?? 0)
            state.turns.decide(below: ends[.logs] ?? 0)
            return state.hasMovable
        }
        if isDecided { due.ring() }
    }
}
