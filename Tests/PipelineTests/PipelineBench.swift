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
    private let observer = AnswerCollector()

    var reader: LogReader { journal.logs[0].readers[0] }

    init(
        processors: [any SpanProcessor] = [],
        forwarding: Set<String> = [],
        to exporter: any Exporter,
        limits: BatchLimits = BatchLimits(items: 500, bytes: .mebibytes(4), linger: .zero),
        clock: MonotonicClock = MonotonicClock(ManualClock())
    ) throws {
        var settings = JournalSettings()
        settings.storage = .memory
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let definition = LogDefinition(name: "traces", readers: [ReaderDefinition(name: "out")])
        journal = try Journal.open(settings, logs: [definition], logger: logger)
        let tally = IntakeTally(meters, pipeline: "traces", receiver: "otlp", signal: "traces")
        let front = PipelineFront(
            name: "traces",
            log: 0,
            processors: processors,
            forwardedHeaders: forwarding,
            tally: tally
        )
        gateway = Gateway(
            fronts: [front],
            journal: journal,
            clock: .system,
            deviations: DeviationLog(meters: meters, logger: logger)
        )
        delivery = Delivery(
            name: "out",
            exporter: exporter,
            reader: journal.logs[0].readers[0],
            limits: limits,
            retry: .standard,
            bytesMax: 1 << 20,
            clock: clock,
            meters: DeliveryMeters(meters, pipeline: "traces", exporter: "out", signal: "traces"),
            logger: logger
        )
    }

    /// Sends one request and waits for its answer.
    func send(_ body: [UInt8], from receiver: String = "otlp", headers: [HTTPHeader] = []) async -> IntakeAnswer {
        let source = RequestSource(receiver: receiver, headers: headers)
        let request = IncomingRequest(signal: .traces, encoding: .protobuf, body: body, source: source)
        return await observer.answer { ticket in gateway.accept(request, ticket: ticket, observer: observer) }
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
