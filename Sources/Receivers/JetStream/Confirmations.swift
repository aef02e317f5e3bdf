import Basics
import NATS
import Settings
import Synchronization

/// Tells the servers what became of messages for good, again and again until they confirm it.
///
/// An acknowledgement that is lost with a connection or a server brings its message again, maybe to another gateway. Any thread.
final class Confirmations: Sendable {
    /// What a server is told.
    enum Word: String, Sendable {
        case acknowledged = "+ACK"
        case refused = "+TERM"
    }

    /// What is said of one message; `done` is called on any thread once that is confirmed, or of no use any more.
    struct Answer: Sendable {
        let reply: String
        let partition: Int
        let word: Word
        let done: @Sendable () -> Void

        fileprivate var bytes: [UInt8] { Array(word.rawValue.utf8) }
    }

    /// Answers of one partition that went in one write: its consumer takes them in order, so that it confirms all with the last.
    private struct Open {
        let answers: [Answer]
        let since: Duration
        var latest: Duration
        /// The connection that they went by.
        var connection: UInt64
    }

    private struct State {
        var open: [UInt64: Open] = [:]
        var nextNumber: UInt64 = 0
        var isClosed = false
    }

    /// Between two attempts over one connection.
    private static let pause = Duration.seconds(1)

    private let client: NATSClient
    /// After which a message comes again whatever is said of it.
    private let limit: Duration
    private let clock: MonotonicClock
    private let inbox: String
    private let state = Mutex(State())

    /// - Parameters:
    ///   - client: Has the connection; subscribes at once.
    ///   - limit: How long a message may be under way.
    ///   - clock: The machine's.
    init(_ client: NATSClient, within limit: Duration, _ clock: MonotonicClock) {
        (self.client, self.limit, self.clock) = (client, limit, clock)
        inbox = client.makeInbox()
        _ = client.subscribe("\(inbox).*") { [weak self] message in self?.confirm(message) }
    }

    /// Sends answers, all in one write.
    func send(_ answers: [Answer]) {
        guard !answers.isEmpty else { return }
        let (now, connection) = (clock.now(), client.connections)
        let groups = Dictionary(grouping: answers, by: \.partition).values
        let numbered = state.withLock { state -> [(UInt64, [Answer])]? in
            guard !state.isClosed else { return nil }
            return groups.map { answers in
                defer { state.nextNumber += 1 }
                let open = Open(answers: answers, since: now, latest: now, connection: connection)
                state.open[state.nextNumber] = open
                return (state.nextNumber, answers)
            }
        }
        if let numbered { return publish(numbered) }
        for answer in answers { answer.done() }
    }

    /// Sends again what should be confirmed by now, and what went by a connection that is gone.
    func sendAgain() {
        let (now, connection, isConnected) = (clock.now(), client.connections, client.isConnected)
        let (again, over) = state.withLock { state -> ([(UInt64, [Answer])], [Answer]) in
            let over = state.open.filter { $0.value.since + limit <= now }
            for number in over.keys { state.open[number] = nil }
            guard isConnected else { return ([], over.values.flatMap(\.answers)) }
            let again = state.open.filter { $0.value.connection != connection || $0.value.latest + Self.pause <= now }
            for number in again.keys {
                state.open[number]?.latest = now
                state.open[number]?.connection = connection
            }
            return (again.map { ($0.key, $0.value.answers) }, over.values.flatMap(\.answers))
        }
        publish(again)
        for answer in over { answer.done() }
    }

    /// Waits for nothing any more: the client is about to end.
    func close() {
        let rest = state.withLock { state in
            defer { state.open = [:] }
            state.isClosed = true
            return state.open.values.flatMap(\.answers)
        }
        for answer in rest { answer.done() }
    }

    private func publish(_ groups: [(UInt64, [Answer])]) {
        client.publish(
            all: groups.flatMap { number, answers in
                answers.enumerated().map { index, answer in
                    let isLast = index == answers.count - 1
                    return (answer.reply, isLast ? "\(inbox).\(number)" : nil, answer.bytes)
                }
            }
        )
    }

    private func confirm(_ message: NATSMessage) {
        // 503: the consumer has no leader now, or is gone.
        guard message.status == nil, let number = message.subject.split(separator: ".").last.flatMap({ UInt64($0) }),
            let open = state.withLock({ $0.open.removeValue(forKey: number) })
        else { return }
        for answer in open.answers { answer.done() }
    }
}
