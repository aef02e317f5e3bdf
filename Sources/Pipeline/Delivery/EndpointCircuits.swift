package import Basics
package import Logging
import Synchronization

/// Which of an exporter's addresses gets a request: the first, in the order of the file, whose circuit lets it through.
///
/// Each address has a circuit of its own. While that is open, what failed there and what comes later goes to the next one, and one request
/// after each pause goes there to see whether it is back. Where all are open, the delivery's own circuit says how often they are asked.
/// Any thread; a short lock a request.
package final class EndpointCircuits: Sendable {
    fileprivate struct State {
        var circuits: [Circuit]
        var generator = SystemRandomNumberGenerator()
    }

    private let addresses: [String]
    private let exporter: String
    private let clock: MonotonicClock
    private let wallClock: WallClock
    private let events: Timeline
    private let logger: Logger
    private let state: Mutex<State>

    /// - Parameters:
    ///   - addresses: In the order in which they are preferred; at least one.
    ///   - exporter: The exporter's key in the pipeline file.
    ///   - retry: The pauses of an address that is down.
    ///   - clock: For those pauses.
    ///   - wallClock: For the times of events.
    ///   - events: Told when another address is sent to.
    ///   - logger: The same.
    package init(
        _ addresses: [String],
        of exporter: String,
        retry: RetrySettings,
        clock: MonotonicClock = .system,
        wallClock: WallClock = .system,
        events: Timeline,
        logger: Logger
    ) {
        self.addresses = addresses
        self.exporter = exporter
        (self.clock, self.wallClock, self.events, self.logger) = (clock, wallClock, events, logger)
        state = Mutex(State(circuits: addresses.map { _ in Circuit(retry) }))
    }

    /// Chooses the address of a request, which begins there.
    ///
    /// - Parameter asked: Those that it failed at.
    /// - Returns: Nil where no other may be asked; never where it has failed nowhere yet.
    package func begin(except asked: Set<Int> = []) -> Int? {
        let now = clock.now()
        return state.withLock { state in
            let others = state.circuits.indices.filter { !asked.contains($0) }
            var chosen = others.first { state.circuits[$0].admits(now: now) }
            if chosen == nil, asked.isEmpty {
                chosen = others.min {
                    state.circuits[$0].wake ?? .seconds(Int64.max) < state.circuits[$1].wake ?? .seconds(Int64.max)
                }
                if let chosen { state.circuits[chosen].hasten(now: now) }
            }
            if let chosen { state.circuits[chosen].begin() }
            return chosen
        }
    }

    /// Takes in what a request got from an address.
    ///
    /// - Returns: Whether the same request goes to another address: this one is taken to be down.
    package func end(_ outcome: DeliveryOutcome, at index: Int) -> Bool {
        let now = clock.now()
        let (before, after, goesOn) = state.withLock { state in
            let before = state.preferred
            state.note(outcome, at: index, now: now)
            return (before, state.preferred, outcome.isFailure && state.circuits[index].isOpen)
        }
        if before != after { tell(from: before, to: after, outcome) }
        return goesOn
    }

    /// The position of the one that requests go to, from 1; 0 while all circuits are open.
    package var positionInUse: Int { state.withLock { ($0.preferred ?? -1) + 1 } }

    /// How each address stands now, in the order of the file.
    package var conditions: [EndpointCondition] {
        state.withLock { state in
            state.circuits.indices.map { index in
                let circuit = state.circuits[index]
                return EndpointCondition(
                    address: addresses[index],
                    circuit: circuit.isOpen ? circuit.wake == nil ? .probing : .open : .closed,
                    isInUse: index == state.preferred
                )
            }
        }
    }

    private func tell(from before: Int?, to after: Int?, _ outcome: DeliveryOutcome) {
        let reason = outcome.complaint.map { ": \($0.reason)" } ?? ""
        let text = after.map { "requests go to \(addresses[$0])" } ?? "no address answers"
        events.add(.endpointChanged, of: exporter, text + reason, at: wallClock.now())
        var details: Logger.Metadata = [
            "exporter": "\(exporter)", "endpoint": "\(after.map { addresses[$0] } ?? "none")",
        ]
        if let failure = outcome.complaint { details["reason"] = "\(failure.reason)" }
        // Back at one that is preferred to the last one.
        let isBetter = after ?? .max < before ?? .max
        logger.log(level: isBetter ? .notice : .warning, "Another endpoint is sent to.", metadata: details)
    }
}

/// How one of an exporter's addresses stands.
package struct EndpointCondition: Sendable, Equatable {
    package let address: String
    package let circuit: DeliveryCondition.Circuit
    /// Whether requests go there, but for those that ask others whether they are back.
    package let isInUse: Bool
}

extension EndpointCircuits.State {
    /// The first whose circuit is closed.
    fileprivate var preferred: Int? { circuits.firstIndex { !$0.isOpen } }

    /// Takes in what an address answered.
    ///
    /// One that was down is back when it takes a request: before, what stands in front of it may turn requests away.
    fileprivate mutating func note(_ outcome: DeliveryOutcome, at index: Int, now: Duration) {
        let wasDown = circuits[index].isOpen
        switch outcome {
        case .delivered: circuits[index].succeeded()
        case .refused where wasDown, .parked where wasDown: circuits[index].failed(now: now, using: &generator)
        case .unavailable(_, let after): circuits[index].failed(now: now, atLeast: after ?? .zero, using: &generator)
        case .timedOut, .failed: circuits[index].failed(now: now, using: &generator)
        case .refused: circuits[index].refused(now: now, using: &generator)
        case .tooLarge, .parked: circuits[index].answered()
        case .unsendable, .cancelled: circuits[index].abstained(now: now)
        }
    }
}

extension DeliveryOutcome {
    /// Whether another address may take what got this one.
    fileprivate var isFailure: Bool {
        switch self {
        case .unavailable, .timedOut, .failed, .refused, .parked: true
        case .delivered, .tooLarge, .unsendable, .cancelled: false
        }
    }
}
