import OTLP
import Pipeline
import Synchronization

/// An intake that answers as told and remembers what it got.
final class ScriptedIntake: Intake {
    enum Reply {
        case now(IntakeAnswer)
        /// Through the observer, from another thread, at once.
        case later(IntakeAnswer)
        /// Through the observer, once `settle` is called.
        case held
    }

    private struct State {
        var received: [IncomingRequest] = []
        var held: [(ticket: UInt64, observer: any IntakeObserver)] = []
        var arrivals: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    let signals: Set<Signal>
    private let state = Mutex(State())
    private let reply: @Sendable (IncomingRequest) -> Reply

    init(
        taking signals: Set<Signal> = [.traces],
        _ reply: @escaping @Sendable (IncomingRequest) -> Reply = { _ in .later(.accepted) }
    ) {
        self.signals = signals
        self.reply = reply
    }

    var received: [IncomingRequest] { state.withLock { $0.received } }

    func accept(_ request: IncomingRequest, ticket: UInt64, observer: any IntakeObserver) -> IntakeAnswer? {
        let reply = reply(request)
        var request = request
        // What is looked at later holds no memory.
        request.memory = nil
        let due = state.withLock { [request] state in
            state.received.append(request)
            if case .held = reply { state.held.append((ticket, observer)) }
            let count = state.received.count
            let due = state.arrivals.filter { $0.count <= count }
            state.arrivals.removeAll { $0.count <= count }
            return due
        }
        for arrival in due { arrival.continuation.resume() }
        switch reply {
        case .now(let answer): return answer
        case .later(let answer):
            Task { observer.settled([(ticket, answer)]) }
            return nil
        case .held: return nil
        }
    }

    /// Waits until that many requests have come.
    func waitForRequests(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isDue = state.withLock { state in
                if state.received.count < count { state.arrivals.append((count, continuation)) }
                return state.received.count >= count
            }
            if isDue { continuation.resume() }
        }
    }

    /// Answers everything that is held.
    func settle(_ answer: IntakeAnswer) {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for (ticket, observer) in held { observer.settled([(ticket, answer)]) }
    }
}
