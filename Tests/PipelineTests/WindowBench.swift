import Basics
import Journal
import Logging
import OTLP
import Pipeline
import Synchronization
import TestKit
import Testing

/// A pipeline with a window: requests go in by `send`, whole traces come out of the exporter.
struct WindowBench {
    let journal: Journal
    let gateway: Gateway
    let stage: WindowStage
    let delivery: Delivery
    let shares: RouteShares
    let meters = Meters()
    private let observer = AnswerCollector()

    static let front = LogID("traces", .traces)
    static let behind = LogID(windowOf: "traces")
    static let logs = [
        LogDefinition(front, readers: [ReaderDefinition(name: "whole", isWindow: true)]),
        LogDefinition(behind, readers: [ReaderDefinition(name: "out")], source: front),
        LogDefinition(
            LogID(deadLettersOf: "out", in: behind),
            role: .deadLetters(DeadLetterLimits()),
            readers: [ReaderDefinition(name: "out", start: .oldest)]
        ),
        LogDefinition(
            LogID(parkedBy: "out", in: behind),
            readers: [ReaderDefinition(name: "out", start: .oldest)]
        ),
    ]

    init(
        on files: FaultyFileSystem? = nil,
        processors: [any SpanProcessor] = [],
        window: any WindowedProcessor = Concatenation(),
        to exporter: any Exporter,
        costs: CostLimits = CostLimits(),
        retry: RetrySettings = .standard,
        maxBytes: ByteCount = .gibibytes(2),
        cached: Int = 1 << 20
    ) throws {
        var settings = JournalSettings(directory: "/data", maxBytes: maxBytes, minFree: .kibibytes(0))
        settings.storage = files == nil ? .memory : .disk
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let disk = files ?? FaultyFileSystem()
        let journal = try Journal.open(settings, logs: Self.logs, fileSystem: disk, logger: logger)
        self.journal = journal
        let reader = journal.logs[0].readers[0]
        let box = DeadLetterBox(of: "out", in: Self.behind, journal: journal)
        box?.recover()
        let recovery = WindowRecovery(
            of: journal.logs[1],
            front: journal.logs[0],
            spans: reader,
            logs: nil,
            in: journal
        )
        journal.persistCursors()
        shares = RouteShares(budget: .mebibytes(64), logs: journal.pipelines)
        for log in journal.pipelines {
            log.visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: .mebibytes(64)) { [shares] record in
                let pending = log.readers.filter { !$0.isFinished(record.id) }.map(\.name)
                if !pending.isEmpty { shares.restore(record, of: log.id.main, pending: pending) }
            }
        }
        let tally = IntakeTally(meters, pipeline: "traces", receiver: "otlp", signal: .traces)
        let front = PipelineFront(
            log: Self.front,
            processors: processors,
            forwardedHeaders: ["x-tenant"],
            itemsMax: 500,
            window: window,
            tally: tally
        )
        gateway = Gateway(
            fronts: [front],
            journal: journal,
            clock: .system,
            deviations: DeviationLog(meters: meters, logger: logger),
            shares: shares,
            costs: costs
        )
        stage = WindowStage(
            name: "whole",
            processor: window,
            inputs: [
                .spans: WindowInput(
                    log: journal.logs[0],
                    reader: reader,
                    shares: shares.destination("whole", of: Self.front)
                )
            ],
            output: journal.logs[1],
            journal: journal,
            decided: recovery.decided,
            shown: recovery.shown,
            forwardedHeaders: ["x-tenant"],
            bytesMax: cached,
            clock: .system,
            meters: WindowMeters(meters, pipeline: "traces", processor: "whole"),
            logger: logger
        )
        delivery = Delivery(
            name: "out",
            exporter: exporter,
            reader: journal.logs[1].readers[0],
            log: journal.logs[1],
            deadLetters: box,
            parkedLog: ParkedLog(of: "out", in: Self.behind, journal: journal),
            shares: shares.destination("out", of: Self.behind),
            settings: DeliverySettings(
                limits: BatchLimits(items: 500, bytes: .mebibytes(4), linger: .zero),
                retry: retry,
                bytesMax: 1 << 20
            ),
            clock: MonotonicClock(ManualClock()),
            meters: DeliveryMeters(meters, pipeline: "traces", exporter: "out", signal: .traces),
            logger: logger
        )
    }

    /// Sends one request and waits for its answer.
    func send(_ spans: [TestSpan], headers: [HTTPHeader] = [], identity: Identity? = nil) async -> IntakeAnswer {
        await send(tracesRequest(spans), headers: headers, identity: identity)
    }

    func send(_ body: [UInt8], headers: [HTTPHeader] = [], identity: Identity? = nil) async -> IntakeAnswer {
        let source = RequestSource(receiver: "otlp", headers: headers, identity: identity)
        let request = IncomingRequest(signal: .traces, encoding: .protobuf, body: body, source: source)
        return await observer.answer { ticket in gateway.accept(request, ticket: ticket, observer: observer) }
    }

    /// Decides everything that was accepted so far, or what is complete, and moves it.
    func decide(all: Bool = true) async {
        await withTaskGroup { group in
            group.addTask { await stage.run() }
            await stage.drain(decidingAll: all)
            group.cancelAll()
        }
    }

    /// Works until so many items are behind the window.
    func show(_ items: UInt64) async {
        await withTaskGroup { group in
            group.addTask { await stage.run() }
            let isShown = await until { journal.logs[1].statistics.acceptedItems == items }
            #expect(isShown)
            group.cancelAll()
        }
    }

    /// Delivers what was moved.
    func deliver() async {
        await withTaskGroup { group in
            group.addTask { await delivery.run() }
            await delivery.drain()
            group.cancelAll()
        }
    }

    /// The same until nothing is queued: where no item is left of a record, it may come later than others.
    func deliverAll() async {
        await withTaskGroup { group in
            group.addTask { await delivery.run() }
            let isDone = await until { row.account.queued == 0 }
            #expect(isDone)
            group.cancelAll()
        }
    }

    /// The row of the ledger, and what the pipeline has accepted.
    var row: (account: DestinationAccount, accepted: UInt64) {
        let entry = Ledger(of: journal) { _ in 0 }.entries[0]
        return (entry.destinations[0].account, entry.accepted)
    }

    var isBalanced: Bool {
        let account = row.account
        return account.accepted + account.created == account.outcomes.sum + account.joined + account.queued
    }
}

/// Puts the parts of a trace one behind the other, and a root above several tops.
struct Concatenation: WindowedProcessor {
    var window = WindowSettings()
    /// Whether complete traces become one request.
    var isTogether = false
    /// Whether what went ahead is the same in the end.
    var isSame = false
    /// Whether it decides as a sampler does.
    var samples = false
    var dropCertainty = DropCertainty.never
    /// Spans that say that their trace is kept.
    var keeping: Set<UInt64> = []
    var onAssemble: @Sendable (WholeTrace) -> Void = { _ in }
    let joinsLogs = false

    func joins(_ unit: Int, of logs: Envelope) -> Bool { false }

    func foresee(_ payload: [UInt8]) -> TraceForesight {
        TraceForesight(keeps: SpanHead.all(in: payload).contains { keeping.contains($0.id.value) })
    }

    func restore(_ key: TraceKey, route: Route, receivedAt: UnixTime) {}

    func show(_ parts: [WholeTrace.Part], of key: TraceKey, amid all: [WholeTrace.Part]?) -> AssembledTrace? {
        let payload = parts.flatMap(\.payload)
        return AssembledTrace(
            route: .experimentName("trace \(key.trace.low)"),
            payload: payload,
            items: SpanHead.all(in: payload).count
        )
    }

    func assembleTogether(_ traces: [WholeTrace]) -> [AssembledGroup] {
        let complete = traces.indices.filter { isTogether && traces[$0].reason == .complete }
        guard complete.count > 1 else { return [] }
        let payload = complete.flatMap { traces[$0].parts.flatMap(\.payload) }
        let items = SpanHead.all(in: payload).count
        return [
            AssembledGroup(AssembledTrace(route: .experimentName("all"), payload: payload, items: items), of: complete)
        ]
    }

    func assemble(_ trace: WholeTrace) -> AssembledTrace {
        onAssemble(trace)
        var payload = trace.parts.indices.filter { !trace.ahead.contains($0) }.flatMap { trace.parts[$0].payload }
        let ahead = trace.ahead.sorted().flatMap { trace.parts[$0].payload }
        let spans = SpanHead.all(in: payload)
        let tops = spans.count { $0.parent == nil }
        if tops > 1 { payload += tracesRequest([TestSpan("root", id: 99, trace: trace.key.trace.low)]) }
        let rootPart = trace.parts.firstIndex { part in SpanHead.all(in: part.payload).contains { $0.parent == nil } }
        let created = tops > 1 ? 1 : 0
        var assembled = AssembledTrace(
            route: .experimentName("trace \(trace.key.trace.low)"),
            payload: payload,
            items: spans.count + created,
            rootPart: rootPart ?? 0,
            created: created
        )
        if !ahead.isEmpty {
            let units = try? SpanBatch(ahead).encoded()
            assembled.amended = isSame ? AmendedSpans(same: units) : AmendedSpans(changed: units)
        }
        return assembled
    }
}
