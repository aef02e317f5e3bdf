package import Pipeline
import Synchronization

/// An exporter that answers as scripted, then delivers everything; it remembers what it was given.
package final class ScriptedExporter: Exporter {
    private struct State {
        var script: [DeliveryOutcome]
        var batches: [Batch] = []
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state: Mutex<State>
    private let refuses: @Sendable (Batch) -> Bool
    private let rejection: DeliveryOutcome
    package let deliversOneAtATimePerRoute: Bool
    package let amendmentsTaken: AmendmentsTaken

    /// - Parameters:
    ///   - script: The first answers, in order.
    ///   - exclusive: Whether routes take one request at a time.
    ///   - refuses: Batches that are refused whenever the script is over.
    ///   - rejection: What they get.
    ///   - taken: What it takes of traces of which spans went ahead.
    package init(
        _ script: [DeliveryOutcome] = [],
        exclusive: Bool = false,
        refusing refuses: @escaping @Sendable (Batch) -> Bool = { _ in false },
        as rejection: DeliveryOutcome = .refused(Rejection(status: 400, reason: "poison")),
        taking taken: AmendmentsTaken = .nothing
    ) {
        state = Mutex(State(script: script.reversed()))
        deliversOneAtATimePerRoute = exclusive
        amendmentsTaken = taken
        self.refuses = refuses
        self.rejection = rejection
    }

    /// Every batch given so far, failed attempts included.
    package var batches: [Batch] { state.withLock { $0.batches } }

    /// Returns once `count` attempts were made.
    package func attempts(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.batches.count < count { state.watchers.append((count, continuation)) }
                return state.batches.count >= count
            }
            if isOver { continuation.resume() }
        }
    }

    package func export(_ batch: Batch) async -> DeliveryOutcome {
        let (outcome, ready) = state.withLock { state in
            state.batches.append(batch)
            let count = state.batches.count
            let ready = state.watchers.filter { $0.count <= count }.map(\.continuation)
            state.watchers.removeAll { $0.count <= count }
            return (state.script.popLast() ?? (refuses(batch) ? rejection : .delivered), ready)
        }
        for continuation in ready { continuation.resume() }
        return outcome
    }
}
