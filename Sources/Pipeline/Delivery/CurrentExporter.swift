import Synchronization

/// The joint between deliveries and a destination: requests go to the exporter that is current when they begin.
///
/// A reload puts another one in its place. That begins once what the earlier one has begun is answered and it is closed, so that
/// nothing is sent twice, and never two write one file; requests wait for that, each of this destination and no other. Any thread.
package final class CurrentExporter: Exporter {
    private struct State {
        var current: any Exporter
        var underWay = 0
        /// Takes the place of `current` once nothing is under way.
        var next: (any Exporter)?
        var waiting: [CheckedContinuation<Void, Never>] = []
        /// Closes what is given up.
        var closing: Task<Void, Never>?
    }

    private let state: Mutex<State>

    package init(_ exporter: any Exporter) {
        state = Mutex(State(current: exporter))
    }

    /// The one that gets requests from now on.
    private var latest: any Exporter { state.withLock { $0.next ?? $0.current } }

    package var usesRoutes: Bool { latest.usesRoutes }
    package var keepsIdentity: Bool { latest.keepsIdentity }
    package var deliversOneAtATimePerRoute: Bool { latest.deliversOneAtATimePerRoute }
    package var concurrency: Int { latest.concurrency }
    package var endpoints: [EndpointCondition] { latest.endpoints }
    package var amendmentsTaken: AmendmentsTaken {
        get async {
            let exporter = await enter()
            let taken = await exporter.amendmentsTaken
            leave()
            return taken
        }
    }

    package func export(_ batch: Batch) async -> DeliveryOutcome {
        let exporter = await enter()
        let outcome = await exporter.export(batch)
        leave()
        return outcome
    }

    /// From now on requests go to another exporter, of the same type.
    package func replace(with exporter: any Exporter) {
        let dropped = state.withLock { state in
            defer { state.next = exporter }
            return state.next
        }
        if let dropped { Task { await dropped.close() } }
        turn()
    }

    package func close() async {
        let (closing, current, next) = state.withLock { ($0.closing, $0.current, $0.next) }
        await closing?.value
        await current.close()
        await next?.close()
    }

    /// Counts a request, behind the change that is under way.
    private func enter() async -> any Exporter {
        while true {
            let exporter = state.withLock { state -> (any Exporter)? in
                guard state.next == nil else { return nil }
                state.underWay += 1
                return state.current
            }
            if let exporter { return exporter }
            await withCheckedContinuation { continuation in
                let mayGoOn = state.withLock { state in
                    if state.next != nil { state.waiting.append(continuation) }
                    return state.next == nil
                }
                if mayGoOn { continuation.resume() }
            }
        }
    }

    private func leave() {
        state.withLock { $0.underWay -= 1 }
        turn()
    }

    /// Begins the change where one waits and nothing is under way.
    private func turn() {
        state.withLock { state in
            guard state.next != nil, state.underWay == 0, state.closing == nil else { return }
            state.closing = Task { [old = state.current] in
                await old.close()
                self.turned()
            }
        }
    }

    private func turned() {
        let waiting = state.withLock { state in
            if let next = state.next { state.current = next }
            (state.next, state.closing) = (nil, nil)
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
