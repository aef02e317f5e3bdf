import Basics
import Logging
import NIOCore
import OTLP
import Pipeline
import Synchronization
import TLS

/// What all connections of a receiver share; set once.
struct ConnectionContext: Sendable {
    let name: String
    let settings: ReceptionSettings
    /// Where it is asked to listen: by its settings, or by the service manager.
    let addresses: [ListenAddress]
    /// Names accepted in `Host` besides those of loopback.
    var hosts: [String] = []
    /// Names of the headers kept with a request, in lower case.
    let keptHeaders: [String]
    let intake: any Intake
    /// Where large bodies are taken in.
    let large: SerialThread
    let memory: MemoryBudget
    let meters: Meters
    let clock: WallClock
    let logger: Logger
    /// Tells who sends.
    var access: Authenticator
    /// Nil without `limits`.
    var limits: SenderLimits?
    /// Nil without `proxy_protocol`.
    var proxyHeaders: ProxyHeaders?
    let experiments: ExperimentHeader
    var credentials: IgnoredCredentials
    /// Nil where web pages have no leave to send.
    let pages: WebPages?
    /// Nil for plaintext.
    var tls: ServerTLS?
    /// Who was told of already.
    var notices = ClientNotices()
    /// Connections open now, over all event loops.
    var connections = ConnectionCount()
    /// Where requests are taken over HTTP.
    var paths = RequestPaths()
}

/// Says once that nobody looks at the credentials that SDKs of other products send along.
final class IgnoredCredentials: Sendable {
    private let isSaid = Atomic<Bool>(false)
    private let receiver: String
    private let logger: Logger

    init(receiver: String, logger: Logger) {
        self.receiver = receiver
        self.logger = logger
    }

    /// A request had some.
    func noteIgnored() {
        guard !isSaid.exchange(true, ordering: .relaxed) else { return }
        logger.warning("Credentials of requests are not checked.", metadata: ["receiver": "\(receiver)"])
    }
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
    /// A request in the intake; what it holds stays counted even when its connection is gone.
    private struct Waiting {
        /// Nil once its client is gone: nothing of it is kept but what is counted.
        var taker: (any AnswerTaker)?
        let room: BodyRoom
        let presence: ClientPresence
    }

    private(set) var context: ConnectionContext
    /// Connections that were opened before end with their next answers; nil where all may go on.
    private(set) var staleBefore: NIODeadline?
    /// Whether the process is told to stop: every answer is the last of its connection.
    private(set) var isStopping = false
    /// Whether new requests are refused, because nothing would keep them.
    private(set) var isRefusing = false
    /// Whether nobody is accepted any more: connections without a request are closed.
    private(set) var isEnding = false

    private let eventLoop: any EventLoop
    private var connections: [ObjectIdentifier: any ReceiverConnection] = [:]
    private var waiting: [UInt64: Waiting] = [:]
    private var nextTicket: UInt64 = 0
    private var date = HTTPDate()
    private var hosts: AcceptedHosts
    private var counters: [CounterKey: Counter] = [:]
    private var sweep: RepeatedTask?
    private var idleSweep: RepeatedTask?
    /// Of the memory budget, at the last sweep.
    private var knownShortages = 0
    /// Until when bodies that stop coming are ended.
    private var shortUntil = NIODeadline.uptimeNanoseconds(0)
    /// Enough for a second look at each body.
    private static let shortTime = TimeAmount.seconds(3)
    /// Between two looks at what is waited for at the end.
    private static let endPeriod = TimeAmount.milliseconds(5)

    /// A body over it is not taken in on the event loop.
    private static let largeBytes = 2 << 20

    private struct CounterKey: Hashable {
        let code: AnswerCode
        let signal: Signal?
    }

    init(_ context: ConnectionContext, on eventLoop: any EventLoop) {
        self.context = context
        hosts = AcceptedHosts(at: context.addresses, besides: context.hosts)
        self.eventLoop = eventLoop
    }

    /// Goes on with other settings, for new requests and new connections.
    ///
    /// - Parameters:
    ///   - context: The other settings.
    ///   - isStale: Whether connections that are open may not stay: what they began with does not hold any more.
    func change(_ context: ConnectionContext, isStale: Bool) {
        self.context = context
        hosts = AcceptedHosts(at: context.addresses, besides: context.hosts)
        if isStale {
            staleBefore = .now()
            for connection in Array(connections.values) { connection.prepareToStop() }
        }
        sweep?.cancel()
        sweep = nil
        if !connections.isEmpty { startSweep() }
    }

    /// The `Date` of an answer sent now.
    func currentDate() -> String { date.text(at: context.clock.now()) }

    /// Throws where a request names a host that is not accepted here, which is counted and logged.
    func checkHosts(_ named: [String], from source: SourceAddress) throws(HTTPError) {
        for host in named where !hosts.accept(host) {
            context.access.noteForeign(host: host, from: source)
            throw .foreignHost(host, besides: context.hosts)
        }
    }

    /// Counts an answer in `millrace_receiver_requests_total`; without a signal where the request names none.
    func count(_ code: AnswerCode, _ signal: Signal?) {
        let key = CounterKey(code: code, signal: signal)
        if let counter = counters[key] { return counter.add() }
        var labels = ["receiver": context.name, "code": code.label]
        labels["signal"] = signal?.name
        let counter = context.meters.counter("millrace_receiver_requests_total", labels)
        counters[key] = counter
        counter.add()
    }

    /// Says once for each client that it does not speak HTTP.
    func noteNotHTTP(from client: ClientAddress) {
        guard context.tls == nil, context.notices.isNew("not_http", from: client.source) else { return }
        context.logger.warning(
            "a client sends bytes that are not HTTP; if they are TLS, it needs http://, or the receiver needs \"tls\"; if they are a PROXY header, the receiver needs the address in \"proxy_protocol\"",
            metadata: ["receiver": "\(context.name)", "client": "\(client)"]
        )
    }

    /// Logs that the pipelines refuse a request for who sent it.
    func note(_ reply: IntakeAnswer, of identity: Identity?, from source: SourceAddress) {
        guard case .forbidden(let reason) = reply, let identity else { return }
        context.access.noteForbidden(reason, from: source, of: identity)
    }

    /// Hands a request to the pipelines; the answer, where it is known at once.
    func submit(
        _ request: IncomingRequest,
        of taker: any AnswerTaker,
        holding room: BodyRoom,
        observer: LoopObserver
    ) -> IntakeAnswer? {
        let ticket = nextTicket
        nextTicket &+= 1
        let presence = ClientPresence()
        waiting[ticket] = Waiting(taker: taker, room: room, presence: presence)
        taker.ticket = ticket
        var request = request
        request.presence = presence
        guard request.body.count <= Self.largeBytes else {
            context.large.submit { [intake = context.intake, request] in
                guard let answer = intake.accept(request, ticket: ticket, observer: observer) else { return }
                observer.settled([(ticket, answer)])
            }
            return nil
        }
        let answer = context.intake.accept(request, ticket: ticket, observer: observer)
        if answer != nil { (waiting[ticket], taker.ticket) = (nil, nil) }
        return answer
    }

    /// A client is gone whose request may be in the intake: an answer that waits for a delivery waits no more.
    func abandon(_ taker: any AnswerTaker) {
        guard let ticket = taker.ticket else { return }
        taker.ticket = nil
        waiting[ticket]?.taker = nil
        waiting[ticket]?.presence.end()
    }

    /// Passes the pipelines' answers on to the connections that wait for them.
    func settle(_ answers: [(ticket: UInt64, answer: IntakeAnswer)]) {
        for (ticket, answer) in answers {
            guard let taker = waiting.removeValue(forKey: ticket)?.taker else { continue }
            taker.ticket = nil
            taker.settled(answer)
        }
    }

    func add(_ connection: any ReceiverConnection) {
        connections[ObjectIdentifier(connection)] = connection
        startSweep()
    }

    func remove(_ connection: any ReceiverConnection) {
        connections[ObjectIdentifier(connection)] = nil
        if connections.isEmpty {
            sweep?.cancel()
            sweep = nil
        }
    }

    /// Closes the connection of this event loop that has been without a request for longest; false where each has one.
    func closeLongestIdle() -> Bool {
        let idle = connections.values.lazy.filter(\.isIdle).min { $0.deadline < $1.deadline }
        guard let idle, !idle.hasRequestInHand else { return false }
        idle.closeNow()
        return true
    }

    /// Lets every connection end with the next answer.
    ///
    /// - Parameter refusing: New requests are answered 503.
    func prepareToStop(refusing: Bool) {
        isStopping = true
        isRefusing = isRefusing || refusing
        for connection in Array(connections.values) { connection.prepareToStop() }
    }

    /// Connections whose request has begun and is not answered.
    var requestsInHand: [any ReceiverConnection] { connections.values.filter(\.hasRequestInHand) }

    /// Whether these connections have answered, or are gone.
    func hasAnswered(_ begun: [any ReceiverConnection]) -> Bool { !begun.contains { $0.hasRequestInHand } }

    /// Whether the intake has no request.
    var hasNothingWaiting: Bool { waiting.isEmpty }

    /// Whether there is no connection and no request in the intake.
    var isEmpty: Bool { connections.isEmpty && waiting.isEmpty }

    /// Closes connections without a request, now and whenever there are more.
    func end() {
        isStopping = true
        isEnding = true
        closeIdle()
        guard idleSweep == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        idleSweep = eventLoop.scheduleRepeatedTask(initialDelay: Self.endPeriod, delay: Self.endPeriod) { _ in
            bound.value.closeIdle()
        }
    }

    private func closeIdle() {
        for connection in Array(connections.values) { connection.closeIfIdle() }
    }

    /// Answers 503 to what is not complete.
    func refuseRest() {
        for connection in Array(connections.values) { connection.refuseRest() }
    }

    /// Closes every connection at once.
    func closeAll() {
        isStopping = true
        isEnding = true
        idleSweep?.cancel()
        idleSweep = nil
        for connection in Array(connections.values) { connection.closeNow() }
    }

    /// Succeeds when the condition holds, or at the deadline.
    func wait(until deadline: NIODeadline, for condition: @escaping (ReceiverLoop) -> Bool) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        look(for: condition, until: deadline, promise)
        return promise.futureResult
    }

    private func look(
        for condition: @escaping (ReceiverLoop) -> Bool,
        until deadline: NIODeadline,
        _ promise: EventLoopPromise<Void>
    ) {
        if condition(self) || .now() >= deadline { return promise.succeed() }
        let bound = NIOLoopBound((self, condition), eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Self.endPeriod) {
            let (loop, condition) = bound.value
            loop.look(for: condition, until: deadline, promise)
        }
    }

    private func expire() {
        let now = NIODeadline.now()
        let shortages = context.memory.shortages
        if shortages != knownShortages || context.memory.isShort { shortUntil = now + Self.shortTime }
        knownShortages = shortages
        let isShort = now < shortUntil
        for connection in Array(connections.values) {
            if connection.deadline <= now {
                connection.expire()
            } else if isShort {
                connection.refuseIfStalled(at: now)
            }
        }
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
    init(_ context: ConnectionContext, on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        loop = NIOLoopBound(ReceiverLoop(context, on: eventLoop), eventLoop: eventLoop)
    }

    func settled(_ answers: [(ticket: UInt64, answer: IntakeAnswer)]) {
        eventLoop.execute { self.loop.value.settle(answers) }
    }
}
