import NIOEmbedded
import OTLP
import Pipeline
import Synchronization

@testable import Receivers

/// An intake that takes everything, at once or later.
final class FuzzIntake: Intake {
    private struct State {
        var random: SeededGenerator
        var requests = 0
        var held: [UInt64] = []
    }

    let signals = Set(Signal.allCases)
    private let state: Mutex<State>

    init(seed: UInt64) { state = Mutex(State(random: SeededGenerator(seed: seed))) }

    /// How many requests came.
    var requests: Int { state.withLock { $0.requests } }

    func accept(_ request: IncomingRequest, ticket: UInt64, observer: any IntakeObserver) -> IntakeAnswer? {
        state.withLock { state in
            state.requests += 1
            require(!request.body.isEmpty, "an empty body reaches the intake")
            switch state.random.below(6) {
            case 0: return .accepted
            case 1: return .partial(rejected: 1, message: "é\"\n")
            case 2: return .invalid("no")
            case 3: return .throttled("later", retryAfter: .milliseconds(1500))
            default:
                state.held.append(ticket)
                return nil
            }
        }
    }

    /// Answers the first of those that are held.
    func settle(_ count: Int, at observer: LoopObserver, _ channel: EmbeddedChannel) {
        let tickets = state.withLock { state in
            let tickets = state.held.prefix(count)
            state.held.removeFirst(tickets.count)
            return Array(tickets)
        }
        if !tickets.isEmpty { observer.settled(tickets.map { ($0, .accepted) }) }
        channel.embeddedEventLoop.run()
    }
}
