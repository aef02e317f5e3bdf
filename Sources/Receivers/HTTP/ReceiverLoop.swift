import Basics
import Logging
import NIOCore
import OTLP
import Pipeline
import Synchronization

/// What all connections of a receiver share; set once.
struct ReceiverContext: Sendable {
    let name: String
    let settings: OTLPHTTPReceiverSettings
    /// Names of the headers kept with a request, in lower case.
    let keptHeaders: [String]
    let intake: any Intake
    let memory: MemoryBudget
    let meters: Meters
    let clock: WallClock
    let logger: Logger
    /// Connections open now, over all event loops.
    let connections = ConnectionCount()
}

/// Counts connections over all event loops.
final class ConnectionCount: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }

    /// Counts one more and returns how many there are now.
    func enter() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }

    func leave() { count.wrappingSubtract(1, ordering: .relaxed) }
}

/// A receiver's share of one event loop: its connections, and the requests that wait for the disk.
///
/// Only used on that event loop.
final class ReceiverLoop {
    /// A request in the intake; its memory stays reserved even when its connection is gone.
    private struct Waiting {
        let connection: HTTPConnection
        let reservation: Reservation
    }

    let context: ReceiverContext
    /// Whether the receiver accepts no more: every answer is the last of its connection.
    private(set) var isStopping = false

    private let eventLoop: any EventLoop
    private var connections: [ObjectIdentifier: HTTPConnection] = [:]
    private var waiting: [UInt64: Waiting] = [:]
    private var nextTicket: UInt64 = 0
    private var date = HTTPDate()
    private var counters: [CounterKey: Counter] = [:]
    private var sweep: RepeatedTask?
    private var whenEmpty: [EventLoopPromise<Void>] = []

    private struct CounterKey: Hashable {
        let status: HTTPStatus
        let signal: Signal?
    }

    init(_ context: ReceiverContext, on eventLoop: any EventLoop) {
        self.context = context
        self.eventLoop = eventLoop
    }

    /// The `Date` of an answer sent now.
    func currentDate() -> String { date.text(at: context.clock.now()) }

    /// Counts an answer in `millrace_receiver_requests_total`; without a signal where the request names none.
    func count(_ status: HTTPStatus, _ signal: Signal?) {
        let key = CounterKey(status: status, signal: signal)
        if let counter = counters[key] { return counter.add() }
        var labels = ["receiver": context.name, "code": String(status.rawValue)]
        labels["signal"] = signal?.name
        let counter = context.meters.counter("millrace_receiver_requests_total", labels)
        counters[key] = counter
        counter.add()
    }

    /// Hands a request to the pipelines; the answer, where it is known at once.
    func submit(
        _ request: IncomingRequest,
        of connection: HTTPConnection,
        holding reservation: Reservation,
        observer: LoopObserver
    ) -> IntakeAnswer? {
        let ticket = nextTicket
        nextTicket &+= 1
        waiting[ticket] = Waiting(connection: connection, reservation: reservation)
        let answer = context.intake.accept(request, ticket: ticket, observer: observer)
        if answer != nil { waiting[ticket] = nil }
        return answer
    }

    /// Passes the pipelines' answers on to the connections that wait for them.
    func settle(_ answers: [(ticket: UInt64, answer: IntakeAnswer)]) {
        for (ticket, answer) in answers {
            waiting.removeValue(forKey: ticket)?.connection.settled(answer)
        }
        notifyWhenEmpty()
    }

    func add(_ connection: HTTPConnection) {
        connections[ObjectIdentifier(connection)] = connection
        startSweep()
    }

    func remove(_ connection: HTTPConnection) {
        connections[ObjectIdentifier(connection)] = nil
        if connections.isEmpty {
            sweep?.cancel()
            sweep = nil
        }
        notifyWhenEmpty()
    }

    /// Lets every connection end after what it received; idle ones at once.
    func stop() {
        isStopping = true
        for connection in Array(connections.values) { connection.closeIfIdle() }
    }

    /// Closes every connection at once.
    func closeAll() {
        isStopping = true
        for connection in Array(connections.values) { connection.closeNow() }
    }

    /// Succeeds once there is no connection and no request in the intake.
    func emptied() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        whenEmpty.append(promise)
        notifyWhenEmpty()
        return promise.futureResult
    }

    /// Ends every wait for `emptied()`.
    func stopWaiting() {
        for promise in whenEmpty { promise.succeed() }
        whenEmpty = []
    }

    private func notifyWhenEmpty() {
        guard connections.isEmpty, waiting.isEmpty else { return }
        stopWaiting()
    }

    private func expire() {
        let now = NIODeadline.now()
        for connection in Array(connections.values) where connection.deadline <= now { connection.expire() }
    }

    /// One timer for all connections costs less than one for each request: deadlines are looked at now and then.
    private func startSweep() {
        guard sweep == nil else { return }
        let settings = context.settings
        let shortest = min(settings.headerTimeout, settings.bodyTimeout, settings.idleTimeout)
        let period = TimeAmount(min(max(shortest / 8, .milliseconds(5)), .seconds(1)))
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        sweep = eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in bound.value.expire() }
    }
}

/// Brings the answers of one sync to an event loop, in one hop.
final class LoopObserver: IntakeObserver {
    /// Only used on its event loop.
    let loop: NIOLoopBound<ReceiverLoop>
    let eventLoop: any EventLoop

    /// Must be called on the event loop.
    init(_ context: ReceiverContext, on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        loop = NIOLoopBound(ReceiverLoop(context, on: eventLoop), eventLoop: eventLoop)
    }

    func settled(_ answers: [(ticket: UInt64, answer: IntakeAnswer)]) {
        eventLoop.execute { self.loop.value.settle(answers) }
    }
}
