package import Basics
import Journal
import Synchronization

/// How one delivery stands, for people who look.
package struct DeliveryCondition: Sendable {
    /// Whether the destination is asked.
    package enum Circuit: String, Sendable {
        case closed, open, probing
    }

    package let circuit: Circuit
    /// Whether an operator has paused it.
    package let isPaused: Bool
    /// Requests under way.
    package let underWay: Int
    /// Until something is sent again that waits for a pause to end; nil where nothing does.
    package let nextTry: Duration?
    /// Records that wait for parked routes, those of the parked log aside.
    package let parkedRecords: Int
    package let lastFailure: DeliveryFailure?
    package let lastDelivered: UnixTime?
    /// Attempts that were not delivered since the last one that was.
    package let failuresInARow: Int
    /// Its addresses, where it has several.
    package let endpoints: [EndpointCondition]
}

/// What the last attempt came to that was not delivered, as the destination put it.
package struct DeliveryFailure: Sendable, Equatable {
    /// Bytes of an answer's body that are kept, at most.
    static let bodyBytesMax = 2048

    package let time: UnixTime
    /// The word of it in metrics.
    package let outcome: String
    /// One line for people.
    package let reason: String
    /// The answer's body; empty where there was none.
    package let body: String
    /// Which attempt of its request it was, from 1.
    package let attempt: Int
    /// How many items the request had.
    package let items: Int
}

/// Remembers the last failure and the last success of one delivery; any thread, a short lock an attempt.
package final class DeliveryMemory: Sendable {
    private struct State {
        var failure: DeliveryFailure?
        var delivered: UnixTime?
        var failuresInARow = 0
    }

    private let state = Mutex(State())

    /// Notes what became of one attempt.
    func note(_ outcome: DeliveryOutcome, of request: PendingRequest, at now: UnixTime) {
        state.withLock { state in
            if case .delivered = outcome {
                state.delivered = now
                state.failuresInARow = 0
                return
            }
            guard let (reason, body) = outcome.complaint else { return }
            state.failuresInARow += 1
            state.failure = DeliveryFailure(
                time: now,
                outcome: outcome.name,
                reason: reason,
                body: String(decoding: body.prefix(DeliveryFailure.bodyBytesMax), as: UTF8.self),
                attempt: request.history.attempts,
                items: request.batch.items
            )
        }
    }

    /// Nil where there was none.
    var last: (failure: DeliveryFailure?, delivered: UnixTime?, failuresInARow: Int) {
        state.withLock { ($0.failure, $0.delivered, $0.failuresInARow) }
    }
}

extension DeliveryOutcome {
    /// What the destination said, and its answer's body; nil where it took the request or was not asked.
    var complaint: (reason: String, body: [UInt8])? {
        switch self {
        case .delivered, .cancelled: nil
        case .unavailable(let reason, _), .timedOut(let reason), .parked(let reason), .unsendable(let reason):
            (reason, [])
        case .failed(let rejection), .tooLarge(let rejection), .refused(let rejection):
            (rejection.reason, rejection.body)
        }
    }
}

extension Delivery {
    /// How it stands now; any thread.
    package var condition: DeliveryCondition {
        let now = clock.now()
        let (circuit, isPaused, underWay) = flow.withLock { ($0.state, $0.isPaused, $0.requestsUnderWay) }
        let last = meters.memory.last
        return DeliveryCondition(
            circuit: circuit,
            isPaused: isPaused,
            underWay: underWay,
            nextTry: isPaused ? nil : nextWake().map { max(.zero, $0 - now) },
            parkedRecords: parked.withLock { $0.count },
            lastFailure: last.failure,
            lastDelivered: last.delivered,
            failuresInARow: last.failuresInARow,
            endpoints: exporter.endpoints
        )
    }

    /// The name of its pipeline.
    package var pipeline: String { logs[.pipeline]?.id.pipeline ?? "" }

    /// Stops or goes on sending, as an operator asks; what is under way is finished, and what waits stays in the journal.
    ///
    /// Lasts as long as the process. Any thread.
    ///
    /// - Returns: Whether that changed anything.
    package func setPaused(_ isPaused: Bool) -> Bool {
        let hasChanged = flow.withLock { flow in
            defer { flow.isPaused = isPaused }
            return flow.isPaused != isPaused
        }
        if hasChanged {
            meters.events.add(isPaused ? .paused : .resumed, of: "\(pipeline)/\(name)", at: wallClock.now())
            due.ring()
            settled.ring()
        }
        return hasChanged
    }
}
