import Basics
import Logging
import NATS
import NIOCore
import NIOPosix
import OTLP
import Pipeline
import Settings
import Synchronization

/// Hands messages of a stream to the intake, and acknowledges each by the intake's answer.
///
/// Any thread.
final class RelayDesk: IntakeObserver {
    /// A message that is not answered yet.
    private struct Waiting {
        let message: NATSMessage
        let partition: Int
        /// More than one where it came again meanwhile.
        var copies: [Copy]
        /// When the server last heard of it.
        var since: Duration
    }

    private struct Copy {
        let delivery: JetStreamDelivery
        let done: @Sendable () -> Void
    }

    /// What is told of.
    enum Trouble {
        case consumer, foreign, members, partial, postponed, refused

        fileprivate var text: String {
            switch self {
            case .consumer: "a partition cannot be pulled now"
            case .foreign: "the stream has messages that no gateway takes"
            case .members: "the bucket of members cannot be used; the servers decide who gets what"
            case .partial: "some of a message is refused"
            case .postponed: "a message has to wait, and is delivered again"
            case .refused: "a message is refused, and put aside"
            }
        }
    }

    private struct State {
        var waiting: [UInt64: Waiting] = [:]
        /// Tickets of those that are waiting, by the ids of messages.
        var tickets: [String: UInt64] = [:]
        var nextTicket: UInt64 = 0
        /// Until when nothing more is pulled, because there is no room.
        var pausedUntil = Duration.zero
        var layout: RelayStream?
        /// Messages that were taken, by their ids.
        var taken = RecentIDs(max: 16_384)
        var isClosed = false
    }

    /// What the server counts for a message besides its payload, at most.
    private static let overhead = 65_536
    private static let pullMin = 65_536
    /// What receivers keep of a client's headers, percent-encoded, with the name and the route beside it.
    private static let headersMax = ReceptionSettings.forwardedMax.bytes * 4

    private let client: NATSClient
    private let ackWait: Duration
    private let confirmations: Confirmations
    private let stream: JetStream
    private let context: ReceiverContext
    private let keptHeaders: Set<String>
    private let loops: [any EventLoop]
    private let clock = MonotonicClock.system
    private let state = Mutex(State())
    private let throttle = Mutex(LogThrottle<Trouble>(linesMax: 3, in: .seconds(60)))
    /// Items that came again, by signal.
    private let redelivered: [Counter]
    private let acknowledged: Counter
    private let known: Counter
    private let postponed: Counter
    private let refused: Counter

    init(_ settings: JetStreamReceiverSettings, _ client: NATSClient, in context: ReceiverContext) {
        self.client = client
        ackWait = settings.ackWait
        confirmations = Confirmations(client, within: ackWait, clock)
        self.context = context
        stream = JetStream(client)
        keptHeaders = Set((settings.forwardHeaders + context.processorHeaders).map { $0.lowercased() })
        loops = Array(context.eventLoops.group.makeIterator())
        redelivered = Signal.allCases.map { signal in
            context.meters.counter(
                "millrace_receiver_redelivered_\(signal.itemsName)_total",
                ["receiver": context.name, "signal": signal.name]
            )
        }
        let count = { (outcome: String) in
            context.meters.counter(
                "millrace_receiver_messages_total",
                ["receiver": context.name, "outcome": outcome]
            )
        }
        (acknowledged, known) = (count("acknowledged"), count("known"))
        (postponed, refused) = (count("postponed"), count("refused"))
    }

    /// The stream that messages come from.
    func use(_ layout: RelayStream) {
        state.withLock { $0.layout = layout }
    }

    /// Whether something may be pulled now.
    var hasRoom: Bool {
        !context.memory.isShort && state.withLock { $0.pausedUntil <= clock.now() && !$0.isClosed }
    }

    /// Bytes that a pull may bring, of so many at once: an eighth of memory for all.
    func pullBytes(for shares: Int) -> Int {
        min(messageMax, max(Self.pullMin, context.memory.limit.bytes / 8 / max(1, shares)))
    }

    /// Bytes that a pull has to allow for the largest message to come.
    var messageMax: Int { client.payloadMax + Self.overhead }

    /// Tells the server of messages that take long that they are under way, so that nobody else gets them, and again what it has not
    /// confirmed.
    func keepAlive() {
        confirmations.sendAgain()
        let now = clock.now()
        let long = state.withLock { state in
            let long = state.waiting.filter { $0.value.since + ackWait / 3 <= now }
            for ticket in long.keys { state.waiting[ticket]?.since = now }
            return long.values.flatMap { $0.copies.map(\.delivery.reply) }
        }
        for reply in long { client.publish(reply, Array("+WPI".utf8)) }
    }

    /// Hands a message on; `done` is called once it is answered, and the server has confirmed that.
    func take(
        _ message: NATSMessage,
        _ delivery: JetStreamDelivery,
        of partition: Int,
        done: @escaping @Sendable () -> Void
    ) {
        if delivery.deliveries > 1, let signal = Self.signal(of: message) {
            redelivered[signal.index].add(
                message.header(RelayHeader.items).flatMap { Int($0) }.map { min(max(0, $0), 1_000_000) } ?? 1
            )
        }
        let copy = Copy(delivery: delivery, done: done)
        switch state.withLock({ place(copy, of: message, in: partition, &$0) }) {
        // The answer to it got lost, or it was stored a second time after the stream had forgotten its id.
        case .known:
            known.add()
            confirmations.send([confirmation(of: copy, in: partition, .acknowledged)])
        case .underWay: break
        // Messages of one partition stay in order.
        case .new(let ticket): loops[partition % loops.count].execute { self.accept(message, ticket) }
        }
    }

    /// Where a message belongs that has come.
    private enum Place {
        case known
        /// It gets the answer of the one that came before it.
        case underWay
        case new(UInt64)
    }

    private func place(_ copy: Copy, of message: NATSMessage, in partition: Int, _ state: inout State) -> Place {
        let id = message.header(RelayHeader.messageID).flatMap { RecentIDs.isKept($0) ? $0 : nil }
        if let id, state.taken.contains(id) { return .known }
        if let id, let ticket = state.tickets[id] {
            state.waiting[ticket]?.copies.append(copy)
            return .underWay
        }
        state.nextTicket += 1
        let waiting = Waiting(message: message, partition: partition, copies: [copy], since: clock.now())
        state.waiting[state.nextTicket] = waiting
        if let id { state.tickets[id] = state.nextTicket }
        return .new(state.nextTicket)
    }

    private func confirmation(
        of copy: Copy,
        in partition: Int,
        _ word: Confirmations.Word
    ) -> Confirmations.Answer {
        Confirmations.Answer(reply: copy.delivery.reply, partition: partition, word: word, done: copy.done)
    }

    private func accept(_ message: NATSMessage, _ ticket: UInt64) {
        let memory = Reservation(context.memory)
        guard memory.grow(to: message.payload.count, isAhead: true) else {
            return settled([(ticket, .unavailable("no memory for it", retryAfter: .seconds(1)))])
        }
        guard let request = request(message, memory) else {
            let reason = "it is none of an exporter of Millrace: \(RelayHeader.signal) is missing"
            return settled([(ticket, .invalid(reason))])
        }
        if let answer = context.intake.accept(request, ticket: ticket, observer: self) { settled([(ticket, answer)]) }
    }

    /// What an exporter wrote; nil for what somebody else did.
    private func request(_ message: NATSMessage, _ memory: Reservation) -> IncomingRequest? {
        let headerBytes = message.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard headerBytes <= Self.headersMax, let signal = Self.signal(of: message) else { return nil }
        var source = RequestSource(receiver: context.name)
        source.identity = message.header(RelayHeader.identity).map { Identity($0.percentDecoded) }
        if let text = message.header(RelayHeader.route) { source.route = Route(relayed: text) }
        for header in message.headers where header.name.hasPrefix(RelayHeader.kept) {
            let name = header.name.dropFirst(RelayHeader.kept.count).lowercased()
            if keptHeaders.contains(name) { source.headers.append(HTTPHeader(name, header.value.percentDecoded)) }
        }
        // A processor that routes by the header goes on with what was decided before the stream.
        let experiment = ExperimentList.headerName
        if keptHeaders.contains(experiment), source.header(experiment) == nil, let text = source.route.headerText {
            source.headers.append(HTTPHeader(experiment, text))
        }
        return IncomingRequest(
            signal: signal,
            encoding: .protobuf,
            body: message.payload,
            source: source,
            memory: memory
        )
    }

    private static func signal(of message: NATSMessage) -> Signal? {
        let name = message.header(RelayHeader.signal)
        return Signal.allCases.first { $0.name == name }
    }

    /// How many items came again, by what they are called.
    var redeliveredItems: JSON {
        let signals = Signal.allCases.filter(context.intake.signals.contains)
        return .object(signals.map { JSON.Member($0.itemsName, .integer(redelivered[$0.index].value)) })
    }

    func settled(_ answers: [(ticket: UInt64, answer: IntakeAnswer)]) {
        confirmations.send(answers.flatMap { acknowledgements(of: $0.ticket, $0.answer) })
    }

    /// What the server is told of a message that was taken; what it is told of others is sent.
    private func acknowledgements(of ticket: UInt64, _ answer: IntakeAnswer) -> [Confirmations.Answer] {
        guard let waiting = state.withLock({ end(ticket, isTaken: answer.isTaken, &$0) }) else { return [] }
        switch answer {
        case .accepted: return acknowledgements(of: waiting)
        case .partial(_, let message):
            note(.partial, message, of: waiting.partition)
            return acknowledgements(of: waiting)
        case .throttled(let reason, let pause): postpone(waiting, pause, reason)
        case .unavailable(let reason, let pause):
            state.withLock { $0.pausedUntil = max($0.pausedUntil, clock.now() + pause) }
            postpone(waiting, pause, reason)
        case .invalid(let reason), .tooLarge(let reason), .forbidden(let reason):
            Task { await refuse(waiting, reason) }
        }
        return []
    }

    /// Takes a message out of those that wait; one that is taken is known from then on.
    private func end(_ ticket: UInt64, isTaken: Bool, _ state: inout State) -> Waiting? {
        guard let waiting = state.waiting.removeValue(forKey: ticket) else { return nil }
        if let id = waiting.message.header(RelayHeader.messageID) {
            if state.tickets[id] == ticket { state.tickets[id] = nil }
            if isTaken { state.taken.insert(id) }
        }
        return waiting
    }

    private func acknowledgements(of waiting: Waiting) -> [Confirmations.Answer] {
        acknowledged.add()
        known.add(waiting.copies.count - 1)
        return waiting.copies.map { confirmation(of: $0, in: waiting.partition, .acknowledged) }
    }

    /// Has a message delivered again later.
    private func postpone(_ waiting: Waiting, _ pause: Duration, _ reason: String) {
        postponed.add()
        note(.postponed, reason, of: waiting.partition)
        let delay: JSON = ["delay": .integer(Int(pause.wholeNanoseconds))]
        for copy in waiting.copies {
            client.publish(copy.delivery.reply, Array("-NAK \(delay.lineText)".utf8))
            copy.done()
        }
    }

    /// Puts a message that will never be taken into the stream of refused ones, and takes it out of its own.
    private func refuse(_ waiting: Waiting, _ reason: String) async {
        guard let layout = state.withLock({ $0.layout }), let first = waiting.copies.first else {
            return postpone(waiting, .seconds(5), "it is refused, \(reason), and the stream's layout is not known")
        }
        let store = RefusedMessages(stream, of: layout)
        do throws(JetStream.Failure) {
            try await store.add(waiting.message, first.delivery, because: reason)
        } catch {
            return postpone(waiting, .seconds(5), "it is refused, \(reason), and cannot be put aside: \(error)")
        }
        refused.add()
        note(.refused, "\(reason); it lies in the stream \(store.name)", of: waiting.partition)
        confirmations.send(waiting.copies.map { confirmation(of: $0, in: waiting.partition, .refused) })
    }

    /// Nothing more is pulled, and no confirmation waited for.
    func close() {
        state.withLock { $0.isClosed = true }
        confirmations.close()
    }

    /// Logs what happens to messages, until it is closed: the same thing once a minute, and of each kind three.
    func note(_ trouble: Trouble, _ reason: String, of partition: Int? = nil) {
        guard !state.withLock({ $0.isClosed }),
            let heldBack = throttle.withLock({ $0.admit(trouble, saying: reason, now: clock.now()) })
        else { return }
        var metadata: Logger.Metadata = ["receiver": "\(context.name)", "reason": "\(reason.excerpt())"]
        if let partition { metadata["partition"] = "\(partition)" }
        if heldBack > 0 { metadata["held_back"] = "\(heldBack)" }
        context.logger.warning("\(trouble.text)", metadata: metadata)
    }
}

extension IntakeAnswer {
    fileprivate var isTaken: Bool {
        switch self {
        case .accepted, .partial: true
        default: false
        }
    }
}

/// The latest of many ids.
struct RecentIDs {
    /// Bytes of an id; a longer one is none of an exporter of Millrace, and not kept.
    private static let lengthMax = 128

    private let max: Int
    private var ids: Set<String> = []
    /// In the order in which they came; once it is full, from `next` on.
    private var order: [String] = []
    private var next = 0

    init(max: Int) {
        self.max = max
    }

    /// Whether an id may be kept.
    static func isKept(_ id: String) -> Bool { id.utf8.count <= lengthMax }

    func contains(_ id: String) -> Bool { ids.contains(id) }

    /// Takes one in, and forgets the oldest where there are too many.
    mutating func insert(_ id: String) {
        guard Self.isKept(id), ids.insert(id).inserted else { return }
        guard order.count == max else { return order.append(id) }
        ids.remove(order[next])
        order[next] = id
        next = (next + 1) % max
    }
}

extension Route {
    /// What an exporter wrote; `.none` for anything else.
    fileprivate init(relayed text: String) {
        if text.hasPrefix("name:") {
            self = .experimentName(text.dropFirst("name:".count).percentDecoded)
        } else if text.hasPrefix("id:") {
            self = .experimentID(text.dropFirst("id:".count).percentDecoded)
        } else {
            self = .none
        }
    }

    /// What a client's header would say for it; nil for a name that would be taken for an id.
    fileprivate var headerText: String? {
        switch self {
        case .none: nil
        case .experimentID(let id): id
        case .experimentName(let name): Route(experiment: name) == self ? name : nil
        }
    }
}
