package import Basics
import Synchronization

/// Turns experiment names into the ids that MLflow's OTLP endpoint wants, and sees that what is sent there can be found:
/// the endpoint takes spans for a deleted experiment without a word.
///
/// Remembers what it found, asks once for all who want the same name at the same time, and asks again after a while,
/// after a lost connection (the server may come back with another database) and when MLflow no longer knows an id.
package final class ExperimentDirectory: Sendable {
    /// Experiments remembered by default, at most; the one looked up longest ago gives way.
    package static let namesMax = 4096
    /// How long an id is used before it is looked up again.
    package static let freshness = Duration.seconds(300)
    /// How long after the server's last answer ids are trusted: it cannot have come back with another database meanwhile.
    package static let idleMax = Duration.seconds(2)

    private struct Known {
        let id: String
        let at: Duration
    }

    private struct State {
        var known: [ExperimentReference: Known] = [:]
        var flights: [ExperimentReference: Task<ExperimentLookup, Never>] = [:]
        /// Counts the times that everything was forgotten.
        var epoch = 0
        /// When the server last answered.
        var lastAnswer = Duration.zero

        mutating func forgetAll() {
            known = [:]
            epoch &+= 1
        }

        mutating func makeRoom(for experiment: ExperimentReference, namesMax: Int) {
            guard known.count >= namesMax, known[experiment] == nil,
                let oldest = known.min(by: { $0.value.at < $1.value.at })?.key
            else { return }
            known[oldest] = nil
        }
    }

    private enum Source {
        case memory(String)
        case flight(Task<ExperimentLookup, Never>)
    }

    private let namesMax: Int
    private let requests: ExperimentRequests
    private let clock: MonotonicClock
    private let state = Mutex(State())

    /// - Parameters:
    ///   - server: Where the experiments are.
    ///   - client: Sends the requests.
    ///   - mayCreate: Whether missing experiments are created and deleted ones restored.
    ///   - restorable: The experiments that are restored where they were deleted; others are parked.
    ///   - namesMax: Experiments remembered, at most.
    ///   - clock: For the age of what is remembered.
    ///   - wallClock: For dates in `Retry-After`.
    package init(
        server: MLflowServer,
        client: any HTTPClient,
        mayCreate: Bool,
        restorable: Set<ExperimentReference> = [],
        namesMax: Int = ExperimentDirectory.namesMax,
        clock: MonotonicClock = .system,
        wallClock: WallClock = .system
    ) {
        self.namesMax = namesMax
        self.clock = clock
        requests = ExperimentRequests(
            server: server,
            client: client,
            wallClock: wallClock,
            mayCreate: mayCreate,
            restorable: restorable
        )
    }

    /// The id of an experiment that takes spans; suspends while MLflow is asked.
    package func id(of experiment: ExperimentReference) async -> ExperimentLookup {
        // Another task's cancellation may end the flight that this one shares: then it flies itself.
        for _ in 0..<2 {
            let lookup: ExperimentLookup
            switch source(of: experiment) {
            case .memory(let id): return .found(id: id)
            case .flight(let flight):
                lookup = await withTaskCancellationHandler {
                    await flight.value
                } onCancel: {
                    flight.cancel()
                }
            }
            if lookup != .cancelled || Task.isCancelled { return lookup }
        }
        return .unavailable(reason: "the lookup was given up", retryAfter: nil)
    }

    /// MLflow does not know the id of that experiment any more.
    package func forget(_ experiment: ExperimentReference) {
        state.withLock { _ = $0.known.removeValue(forKey: experiment) }
    }

    /// The server answered something just now, so it is the one that gave the ids.
    package func serverAnswered() {
        let now = clock.now()
        state.withLock { $0.lastAnswer = now }
    }

    /// The connection was lost: nothing remembered is certain.
    package func forgetAll() {
        state.withLock { $0.forgetAll() }
    }

    private func source(of experiment: ExperimentReference) -> Source {
        let now = clock.now()
        return state.withLock { state in
            if let known = state.known[experiment], now - known.at < Self.freshness,
                now - max(known.at, state.lastAnswer) < Self.idleMax
            {
                return .memory(known.id)
            }
            if let flight = state.flights[experiment] { return .flight(flight) }
            let epoch = state.epoch
            let flight = Task { self.land(experiment, await self.requests.lookUp(experiment), epoch: epoch) }
            state.flights[experiment] = flight
            return .flight(flight)
        }
    }

    /// Ends a flight and returns what its passengers get.
    private func land(
        _ experiment: ExperimentReference,
        _ lookup: ExperimentLookup,
        epoch: Int
    ) -> ExperimentLookup {
        let now = clock.now()
        return state.withLock { state in
            state.flights[experiment] = nil
            switch lookup {
            case .found(let id):
                guard state.epoch == epoch else { return lookup }
                state.makeRoom(for: experiment, namesMax: namesMax)
                state.known[experiment] = Known(id: id, at: now)
                return lookup
            case .unavailable:
                // An id that was only old is still better than none: MLflow says so where it is wrong.
                return state.known[experiment].map { .found(id: $0.id) } ?? lookup
            case .unreachable:
                state.forgetAll()
                return lookup
            case .parked, .unsendable:
                state.known[experiment] = nil
                return lookup
            case .cancelled: return lookup
            }
        }
    }
}
