import Basics
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Processors

/// Open traces that are shown as far as they have come, by a clock that the test moves.
struct AssembleShowTests {
    private static let map = Result { try MLflowMap(name: "map", settings: MLflowMapSettings()) }

    /// Requests of one pipeline, and what destinations have of them.
    private struct Page {
        let key: TraceKey
        let assemble: Assemble
        var window: TraceWindow
        var parts: [WholeTrace.Part] = []
        var logs: [WholeTrace.Part] = []
        var settled: Set<Int> = []
        /// By span, in MLflow: the copy that came last, but for what it keeps of the first.
        var shown: [SpanID: ReadSpan] = [:]
        /// How often each span was sent to a destination that takes nothing again.
        var raw: [SpanID: Int] = [:]
        var routes: Set<Route> = []
        var ends = 0
        var amended = 0

        mutating func take(at moment: Duration) throws {
            for decision in window.due(at: moment) { try carryOut(decision) }
        }

        private mutating func carryOut(_ decision: WindowDecision) throws {
            let records = decision.records.map { parts[Int($0)] }
            if decision.reason == .open {
                let ahead = decision.shown.map { parts[Int($0)] }
                let all = decision.shownEnd > 0 ? nil : records
                guard let made = assemble.show(ahead, of: key, amid: all) else { return window.noteUnsure(key) }
                settled.formUnion(decision.shown.map(Int.init))
                window.noteShown(key, below: (decision.shown.last ?? 0) + 1)
                return try send(made.payload, made.route, isNew: true)
            }
            ends += 1
            let whole = WholeTrace(
                key: key,
                parts: records,
                ahead: Set(decision.records.indices.filter { settled.contains(Int(decision.records[$0])) }),
                logs: decision.logRecords.map { logs[Int($0)] },
                reason: decision.reason
            )
            let made = assemble.assemble(whole)
            let changed = made.amended?.changed
            amended += changed?.items ?? 0
            if let changed, made.amended?.leads == true { try send(changed.payload, made.route, isNew: false) }
            try send(made.payload, made.route, isNew: true)
            if let changed, made.amended?.leads == false { try send(changed.payload, made.route, isNew: false) }
        }

        private mutating func send(_ payload: [UInt8], _ route: Route, isNew: Bool) throws {
            guard !payload.isEmpty else { return }
            routes.insert(route)
            for span in try readSpans(payload) {
                if isNew { raw[span.id, default: 0] += 1 }
                shown[span.id] = span
            }
        }
    }

    private func part(_ payload: [UInt8], _ signal: Signal = .traces, headers: [HTTPHeader] = []) -> WholeTrace.Part {
        var metadata = RecordMetadata(signal: signal)
        metadata.headers = headers
        return WholeTrace.Part(receivedAt: UnixTime(nanoseconds: 1), metadata: metadata, payload: payload)
    }

    private func assemble(_ routing: MLflowExperimentSettings = MLflowExperimentSettings()) throws -> Assemble {
        let route = MLflowExperiment(name: "route", settings: routing)
        return Assemble(settings: AssembleSettings(), processors: [try Self.map.get(), route])
    }

    private func page(_ trace: TraceID = TraceID(high: 0, low: 7)) throws -> Page {
        let assemble = try assemble()
        return Page(key: TraceKey(trace), assemble: assemble, window: TraceWindow(assemble.window))
    }

    /// An agent that works for 40 minutes and pauses for five again and again, its root last; its spans come in any order, each as its own
    /// request, prompts as log records.
    @Test(arguments: 0..<10 as Range<UInt64>)
    func `an agent of 40 minutes is shown early, and in the end it reads as if it had come whole`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var page = try page()
        var root = TestSpan("agent", id: 1)
        root.end = 90_000
        var spans = (0..<16).map { turn in
            let id = UInt64(2 + 2 * turn)
            return [
                TestSpan("turn", id: id, parent: 1, ["session.id": "s"]),
                TestSpan(
                    "chat",
                    id: id + 1,
                    parent: id,
                    ["gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 3]
                ),
            ]
        }
        spans = spans.map { $0.shuffled(using: &random) }
        var now = Duration.zero
        var shownEarly = 0
        for turn in spans {
            for span in turn {
                let record = UInt64(page.parts.count)
                page.parts.append(part(tracesRequest([span])))
                let sightings = SpanSighting.all(in: page.parts[Int(record)].payload)
                page.window.see(page.key, record: record, spans: sightings, bytes: 1, at: now)
                now += .seconds(Int.random(in: 0...5, using: &random))
            }
            let message = TestLogRecord(
                span: turn.map(\.id).max() ?? 0,
                ["event.name": "gen_ai.user.message"],
                body: ["content": "Question"]
            )
            let log = UInt64(page.logs.count)
            page.logs.append(part(logsRequest([message]), .logs))
            page.window.see(page.key, logRecord: log, bytes: 1, at: now)
            now += .seconds(150)
            while let due = page.window.nextDue, due <= now { try page.take(at: due) }
            shownEarly = page.shown.count
            #expect(page.shown[SpanID(1)] == nil && page.ends == 0)
            #expect(shownEarly == page.parts.count - 1)
        }
        #expect(now >= .seconds(40 * 60))
        page.parts.append(part(tracesRequest([root])))
        let last = UInt64(page.parts.count - 1)
        page.window.see(
            page.key,
            record: last,
            spans: SpanSighting.all(in: page.parts[Int(last)].payload),
            bytes: 1,
            at: now
        )
        try page.take(at: now + .seconds(2))
        #expect(page.ends == 1 && page.routes == [.experimentName("shop")])
        #expect(page.raw.count == 33 && page.raw.values.allSatisfy { $0 == 1 })
        // Those whose content came as log records, but for the one that did not go ahead.
        #expect([15, 16].contains(page.amended))
        try compare(page)
        #expect(page.shown[SpanID(1)]?["session.id"] == "\"s\"")
        #expect(page.shown[SpanID(1)]?["mlflow.spanInputs"]?.contains("Question") == true)
    }

    /// What MLflow has in the end is what it has of a trace that was never shown.
    private func compare(_ page: Page, reason: WindowDecision.Reason = .complete) throws {
        let whole = WholeTrace(key: page.key, parts: page.parts, logs: page.logs, reason: reason)
        let expected = try readSpans(assemble().assemble(whole).payload)
        #expect(Set(expected.map(\.id)) == Set(page.shown.keys))
        for span in expected {
            let found = try #require(page.shown[span.id])
            #expect(found.attributes == span.attributes && found.parent == span.parent)
            #expect(found.events.map(\.name) == span.events.map(\.name))
        }
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func `trees without their root, shown at random moments, read in the end as if they had come whole`(
        seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        var page = try page()
        var spans = (2...UInt64.random(in: 3...9, using: &random)).map { id -> TestSpan in
            var span = TestSpan("span \(id)", id: id, parent: .random(in: 1..<id, using: &random))
            span.start = 1000 + id
            return span
        }
        spans.shuffle(using: &random)
        for (record, span) in spans.enumerated() {
            page.parts.append(part(tracesRequest([span])))
            let now = Duration.seconds(record * Int.random(in: 0...9, using: &random))
            page.window.see(
                page.key,
                record: UInt64(record),
                spans: SpanSighting.all(in: page.parts[record].payload),
                bytes: 1,
                at: now
            )
            try page.take(at: now)
        }
        while let due = page.window.nextDue { try page.take(at: due) }
        #expect(page.ends == 1 && page.routes.count == 1)
        // One span may have been created.
        #expect(page.raw.values.allSatisfy { $0 == 1 } && [spans.count, spans.count + 1].contains(page.raw.count))
        try compare(page, reason: .waited)
        #expect(page.shown.values.count(where: \.isRoot) == 1)
    }

    @Test func `a trace is shown only where its experiment is certain`() throws {
        func isShown(
            _ spans: [(span: TestSpan, service: String)],
            _ routing: MLflowExperimentSettings = MLflowExperimentSettings(),
            headers: [HTTPHeader] = []
        ) throws -> Bool {
            let parts = spans.map { span, service in
                part(tracesRequest([span], resource: ["service.name": .string(service)]), headers: headers)
            }
            return try assemble(routing).show([parts[0]], of: TraceKey(TraceID(high: 0, low: 7)), amid: parts) != nil
        }
        var remote = TestSpan(id: 3, parent: 9)
        remote.flags = 0x301
        let local = TestSpan(id: 2, parent: 1)
        #expect(try isShown([(local, "shop"), (TestSpan(id: 3, parent: 9), "shop")]))
        #expect(try !isShown([(local, "shop"), (TestSpan(id: 3, parent: 9), "pay")]))
        #expect(try !isShown([(local, "shop"), (remote, "shop")]))
        let header = [HTTPHeader("x-mlflow-experiment-id", "5")]
        #expect(try isShown([(local, "shop"), (remote, "pay")], headers: header))
        var settings = MLflowExperimentSettings()
        settings.from = []
        #expect(try isShown([(local, "shop"), (remote, "pay")], settings))
        settings.from = ["attribute.team"]
        #expect(try !isShown([(local, "shop"), (local, "shop")], settings))
    }
}
