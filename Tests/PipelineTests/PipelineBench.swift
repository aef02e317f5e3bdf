import Basics
import Journal
import Logging
import OTLP
import Pipeline
import Synchronization
import TestKit

/// A pipeline on a journal in memory: requests go in by `send`, batches come out of the exporter.
struct PipelineBench {
    let journal: Journal
    let gateway: Gateway
    let delivery: Delivery
    let meters = Meters()
    let office: DeadLetterOffice
    private let signal: Signal
    private let observer = AnswerCollector()

    var reader: LogReader { journal.logs[0].readers[0] }
    /// With the dead letters.
    var account: DestinationAccount { journal.account(of: reader, in: journal.logs[0].id) }
    var isBalanced: Bool { account.accepted == account.outcomes.sum + account.queued }

    init(
        signal: Signal = .traces,
        processors: [any SpanProcessor] = [],
        forwarding: Set<String> = [],
        unrouted: Route? = nil,
        to exporter: any Exporter,
        limits: BatchLimits = BatchLimits(items: 500, bytes: .mebibytes(4), linger: .zero),
        retry: RetrySettings = .standard,
        clock: MonotonicClock = MonotonicClock(ManualClock()),
        costs: CostLimits = CostLimits(),
        bytesMax: Int = 1 << 20,
        journalMax: ByteCount? = nil,
        telemetry: Telemetry? = nil,
        answers: Answers? = nil
    ) throws {
        self.signal = signal
        let log = LogID("traces", signal)
        var settings = JournalSettings()
        settings.storage = .memory
        if let journalMax { settings.maxBytes = journalMax }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let definitions = [
            LogDefinition(log, readers: [ReaderDefinition(name: "out")]),
            LogDefinition(
                LogID(deadLettersOf: "out", in: log),
                role: .deadLetters(DeadLetterLimits()),
                readers: [ReaderDefinition(name: "out", start: .oldest)]
            ),
            LogDefinition(
                LogID(parkedBy: "out", in: log),
                readers: [ReaderDefinition(name: "out", start: .oldest)]
            ),
        ]
        journal = try Journal.open(settings, logs: definitions, logger: logger)
        let box = DeadLetterBox(of: "out", in: log, journal: journal)
        office = DeadLetterOffice([box].compactMap { $0 })
        let tally = IntakeTally(meters, pipeline: "traces", receiver: "otlp", signal: signal)
        let front = PipelineFront(
            log: log,
            processors: processors,
            forwardedHeaders: forwarding,
            itemsMax: 500,
            unrouted: unrouted,
            tally: tally
        )
        delivery = Delivery(
            name: "out",
            exporter: exporter,
            reader: journal.logs[0].readers[0],
            log: journal.logs[0],
            deadLetters: box,
            parkedLog: ParkedLog(of: "out", in: log, journal: journal),
            settings: DeliverySettings(limits: limits, retry: retry, bytesMax: bytesMax),
            clock: clock,
            telemetry: telemetry,
            meters: DeliveryMeters(meters, pipeline: "traces", exporter: "out", signal: signal),
            logger: logger
        )
        let delivery = delivery
        gateway = Gateway(
            fronts: [front],
            journal: journal,
            clock: .system,
            deviations: DeviationLog(meters: meters, logger: logger),
            costs: costs,
            identities: IdentityMeters(meters, receiver: "otlp"),
            line: answers?.line,
            hold: answers?.hold ?? .zero,
            answers: answers.map { $0.waiting(for: delivery) }
        )
    }

    /// How answers wait for the exporter (`answer_after`), and requests for room.
    struct Answers {
        var timeout = Duration.seconds(3600)
        var hold = Duration.zero
        var awaited = AwaitedRecords()
        var clock = MonotonicClock.system
        var line: WaitingLine?

        fileprivate func waiting(for delivery: Delivery) -> DeliveryAnswers {
            DeliveryAnswers(exporter: "out", timeout: timeout, deliveries: [delivery], awaited: awaited, clock: clock)
        }
    }

    /// Sends one request and waits for its answer.
    func send(
        _ body: [UInt8],
        from receiver: String = "otlp",
        headers: [HTTPHeader] = [],
        identity: Identity? = nil,
        memory: Reservation? = nil,
        as encoding: BodyEncoding = .protobuf,
        signal: Signal? = nil,
        address: SourceAddress = .unknown,
        presence: ClientPresence? = nil,
        through intake: (any Intake)? = nil
    ) async -> IntakeAnswer {
        let source = RequestSource(receiver: receiver, headers: headers, identity: identity, address: address)
        var request = IncomingRequest(
            signal: signal ?? self.signal,
            encoding: encoding,
            body: body,
            source: source,
            memory: memory
        )
        request.presence = presence
        let intake = intake ?? gateway
        return await observer.answer { [request] ticket in intake.accept(request, ticket: ticket, observer: observer) }
    }

    /// The dead letters as `dead-letters list` and `show` give them.
    func listing(_ request: DeadLetterOffice.Request = .init(.list)) async throws -> [JSONNode] {
        guard case .done(let json) = await office.answer(request) else { return [] }
        return try JSONNode(parsing: json)["dead_letters"]?.elements ?? []
    }

    /// Delivers until everything accepted so far is settled.
    func deliverAll() async {
        await withTaskGroup { group in
            group.addTask { await delivery.run() }
            await delivery.drain()
            group.cancelAll()
        }
    }
}

/// Waits for the answers of single requests.
final class AnswerCollector: IntakeObserver {
    private struct State {
        var tickets: UInt64 = 0
        var waiting: [UInt64: CheckedContinuation<IntakeAnswer, Never>] = [:]
        var early: [UInt64: IntakeAnswer] = [:]
    }

    private let state = Mutex(State())

    func answer(_ ask: (UInt64) -> IntakeAnswer?) async -> IntakeAnswer {
        let ticket = state.withLock { state in
            state.tickets += 1
            return state.tickets
        }
        if let answer = ask(ticket) { return answer }
        return await withCheckedContinuation { continuation in
            let early = state.withLock { state -> IntakeAnswer? in
                if let early = state.early.removeValue(forKey: ticket) { return early }
                state.waiting[ticket] = continuation
                return nil
            }
            if let early { continuation.resume(returning: early) }
        }
    }

    func settled(_ answers: [(ticket: UInt64, answer: IntakeAnswer)]) {
        for (ticket, answer) in answers {
            let waiter = state.withLock { state -> CheckedContinuation<IntakeAnswer, Never>? in
                if let waiter = state.waiting.removeValue(forKey: ticket) { return waiter }
                state.early[ticket] = answer
                return nil
            }
            waiter?.resume(returning: answer)
        }
    }
}
