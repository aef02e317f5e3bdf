import Basics
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

/// Traces that came in parts, put together, mapped and routed as a whole.
struct AssembleTests {
    private static let map = Result { try MLflowMap(name: "map", settings: MLflowMapSettings()) }

    /// What becomes of the parts of a trace.
    private func assemble(
        _ parts: [[UInt8]],
        logs: [WholeTrace.Part] = [],
        trace: TraceID = TraceID(high: 0, low: 7),
        reason: WindowDecision.Reason = .complete,
        _ settings: AssembleSettings = AssembleSettings()
    ) throws -> AssembledTrace {
        let route = MLflowExperiment(name: "route", settings: MLflowExperimentSettings())
        let assemble = Assemble(settings: settings, processors: [try Self.map.get(), route])
        return assemble.assemble(
            WholeTrace(key: TraceKey(trace), parts: parts.map { part($0) }, logs: logs, reason: reason)
        )
    }

    private func part(_ payload: [UInt8], _ signal: Signal = .traces, identity: String? = nil) -> WholeTrace.Part {
        WholeTrace.Part(
            receivedAt: UnixTime(nanoseconds: 1),
            metadata: RecordMetadata(signal: signal, identity: identity),
            payload: payload
        )
    }

    private func request(_ spans: TestSpan...) -> [UInt8] { tracesRequest(spans) }

    private func remote(_ span: TestSpan) -> [UInt8] {
        // Flags of 0x301 at the end of the only span.
        var span = span
        span.flags = 0x301
        return tracesRequest([span])
    }

    // MARK: The whole trace

    @Test func `five services' requests make the same trace in all 120 orders`() throws {
        let bodies = try ["go", "java", "node", "python", "rust"].map { try Fixtures.bytes("clients/five-\($0)-1.pb") }
        let trace = try #require(TraceID.all(in: bodies[0], signal: .traces).first)
        var payloads: Set<[UInt8]> = []
        for order in permutations(bodies) {
            let assembled = try assemble(order, trace: trace)
            #expect(assembled.route == .experimentName("five-node"))
            #expect(order[assembled.rootPart] == bodies[2])
            #expect(assembled.items == 17)
            payloads.insert(assembled.payload)
        }
        #expect(payloads.count == 1)
        let spans = try readSpans(try #require(payloads.first))
        #expect(spans.count == 17)
        #expect(spans[0].isRoot && spans.count(where: \.isRoot) == 1)
        #expect(spans[0]["mlflow.traceTag.mlflow.traceName"] == "\"GET /chat\"")
        #expect(shown(spans[0], "mlflow.spanInputs") == "What is the weather in Paris?")
        #expect(shown(spans[0], "mlflow.spanOutputs") == "It is sunny in Paris.")
        #expect(spans.allSatisfy { $0["service.name"] != nil })
        #expect(spans.count { $0["mlflow.chat.tokenUsage"].map { $0 != "null" } ?? false } == 1)
    }

    /// Every span in a request of its own, in random order: the page is that of the trace sent in one request.
    @Test(arguments: ["clients/go-otel-app-4", "clients/node-otel-openai-3", "captures/langchain-openinference-1"])
    func `a trace in pieces reads as one that came whole`(name: String) throws {
        let whole = try SpanBatch(try Fixtures.bytes("\(name).pb"))
        for trace in Set(whole.spans.map(\.traceID)) {
            var pieces: [[UInt8]] = []
            for span in whole.spans.indices where whole.spans[span].traceID == trace {
                var batch = whole
                for other in batch.spans.indices where other != span { batch.remove(other, as: .filtered) }
                pieces.append(try #require(batch.encoded()).payload)
            }
            var only = whole
            for span in only.spans.indices where only.spans[span].traceID != trace { only.remove(span, as: .filtered) }
            let together = try assemble([try #require(only.encoded()).payload], trace: trace)
            let expected = Dictionary(grouping: try readSpans(together.payload), by: \.id)
            var random = SeededGenerator(seed: trace.low)
            for _ in 0..<5 {
                let found = try assemble(pieces.shuffled(using: &random), trace: trace)
                #expect(found.route == together.route)
                for span in try readSpans(found.payload) {
                    #expect(span.attributes == expected[span.id]?.first?.attributes)
                }
            }
        }
    }

    @Test func `session and user of the root come first in the output`() throws {
        var root = TestSpan("GET /chat", id: 1)
        root.end = 9000
        let child = TestSpan("chat", id: 2, parent: 1, ["gen_ai.conversation.id": "s", "user.id": "u"])
        let assembled = try assemble([request(child), request(root)])
        let spans = try readSpans(assembled.payload)
        #expect(spans.map(\.id.value) == [1, 2])
        #expect(spans[0]["session.id"] == "\"s\"")
        #expect(spans[0]["user.id"] == "\"u\"")
        #expect(assembled.rootPart == 1)
        #expect(assembled.tally.count(.mapped, by: "map") == 1)
    }

    @Test func `spans that a rule drops are counted, and late ones follow their trace`() throws {
        var settings = MLflowMapSettings()
        let rules = #"{"drop": [{"rule": "ping", "when": {"name": "ping"}}]}"#
        settings.rules = [try JSONNode(parsing: Array(rules.utf8))]
        let route = MLflowExperiment(name: "route", settings: MLflowExperimentSettings())
        let map = try MLflowMap(name: "map", settings: settings)
        let assemble = Assemble(settings: AssembleSettings(), processors: [map, route])
        func trace(_ spans: [TestSpan], service: String, identity: String?) -> AssembledTrace {
            let payload = tracesRequest(spans, resource: ["service.name": .string(service)])
            let key = TraceKey(TraceID(high: 0, low: 7))
            return assemble.assemble(
                WholeTrace(key: key, parts: [part(payload, identity: identity)], reason: .complete)
            )
        }
        let whole = trace([TestSpan("ping", id: 2, parent: 1), TestSpan(id: 1)], service: "shop", identity: "a")
        #expect(whole.items == 1 && whole.filtered == 1)
        #expect(whole.route == .experimentName("shop"))
        let late = trace([TestSpan(id: 3, parent: 1)], service: "pay", identity: "b")
        #expect(late.route == .experimentName("shop"))
        let empty = trace([TestSpan("ping", id: 4, parent: 1)], service: "pay", identity: nil)
        #expect(empty.payload.isEmpty && empty.items == 0 && empty.filtered == 1)
    }

    // MARK: Repair

    @Test func `a lone topmost span becomes the root and keeps its parent's id`() throws {
        var assembled = try assemble([remote(TestSpan("GET /chat", id: 2, parent: 9))], reason: .waited)
        var root = try #require(readSpans(assembled.payload).first)
        #expect(root.isRoot)
        #expect(root["millrace.parent_span_id"] == "\"0000000000000009\"")
        #expect(root["mlflow.traceTag.mlflow.traceName"] == "\"GET /chat\"")
        #expect(assembled.created == 0 && assembled.items == 1)
        for reason in [WindowDecision.Reason.complete, .late, .tooLarge, .memory] {
            assembled = try assemble([request(TestSpan(id: 2, parent: 9))], reason: reason)
            #expect(try readSpans(assembled.payload)[0].isRoot == false)
        }
        var settings = AssembleSettings()
        settings.repair = false
        assembled = try assemble([request(TestSpan(id: 2, parent: 9))], reason: .waited, settings)
        #expect(try readSpans(assembled.payload)[0].isRoot == false)
        // Spans above each other: the one that starts first.
        var first = TestSpan(id: 3, parent: 4)
        first.start = 500
        assembled = try assemble([request(TestSpan(id: 4, parent: 3), first)], reason: .waited)
        root = try readSpans(assembled.payload)[0]
        #expect(root.isRoot && root.id.value == 3)
    }

    @Test func `several topmost spans get one root, which their real parent can take the place of`() throws {
        var late = TestSpan("later", id: 4, parent: 8)
        late.start = 1500
        late.end = 5000
        var parts = [request(TestSpan("a", id: 2, parent: 9), TestSpan("b", id: 3, parent: 9)), request(late)]
        for _ in 0..<2 {
            let assembled = try assemble(parts, reason: .waited)
            #expect(assembled.created == 1 && assembled.items == 4)
            #expect(assembled.route == .experimentName("shop"))
            let spans = try readSpans(assembled.payload)
            #expect(spans.map(\.name) == ["a", "a", "b", "later"])
            #expect(spans.map { $0.parent?.value } == [nil, 9, 9, 9])
            #expect(spans[0].id.value == 9 && spans[0]["millrace.created"] == "true")
            #expect(spans[3]["millrace.parent_span_id"] == "\"0000000000000008\"")
            let batch = try SpanBatch(assembled.payload)
            #expect(batch.spans[0].start == 1000 && batch.spans[0].end == 5000)
            parts.reverse()
        }
    }

    @Test func `below a root stands what waited for its parent in vain`() throws {
        let parts = [request(TestSpan("GET /", id: 1)), request(TestSpan(id: 3, parent: 9))]
        #expect(try readSpans(assemble(parts, reason: .waited).payload).map { $0.parent?.value } == [nil, 1])
        #expect(try readSpans(assemble(parts, reason: .complete).payload).map { $0.parent?.value } == [nil, 9])
        // Spans above each other, and one above itself, hang below the root in any case.
        let circle = [TestSpan(id: 5, parent: 6), TestSpan(id: 6, parent: 5), TestSpan(id: 7, parent: 7)]
        let circles = [tracesRequest([TestSpan(id: 1)] + circle)]
        for reason in [WindowDecision.Reason.waited, .complete] {
            let spans = try readSpans(assemble(circles, reason: reason).payload)
            #expect(spans.map { $0.parent?.value } == [nil, 1, 5, 1])
        }
        let rootless = try readSpans(assemble([tracesRequest(circle)], reason: .waited).payload)
        #expect(rootless.map { $0.parent?.value } == [nil, 5, 5])
    }

    @Test func `a request that came twice goes on once`() throws {
        let child = request(TestSpan(id: 2, parent: 1))
        let parts = [child, request(TestSpan(id: 1)), child]
        let twice = try assemble(parts)
        #expect(twice.items == 2)
        #expect(try twice.payload == assemble(Array(parts.dropLast())).payload)
    }

    @Test func `a bound client's trace goes only where it may, with a place of its own`() throws {
        let settings = {
            var settings = MLflowExperimentSettings()
            settings.maxRoutes = 1
            return settings
        }()
        let router = MLflowExperiment(name: "route", settings: settings)
        let assemble = Assemble(settings: AssembleSettings(), processors: [router])
        func assembled(_ trace: UInt64, _ experiments: [String]) -> AssembledTrace {
            var metadata = RecordMetadata(signal: .traces, identity: "a")
            metadata.experiments = experiments
            let span = WholeTrace.Part(
                receivedAt: UnixTime(nanoseconds: 1),
                metadata: metadata,
                payload: tracesRequest([TestSpan(id: 1, trace: trace)])
            )
            let key = TraceKey(TraceID(high: 0, low: trace), identity: experiments.isEmpty ? nil : "a")
            return assemble.assemble(WholeTrace(key: key, parts: [span], reason: .complete))
        }
        #expect(assembled(1, []).route == .experimentName("Default"))
        #expect(assembled(2, ["sho*"]).route == .experimentName("shop"))
        #expect(assembled(2, ["sho*"]).refusal == nil)
        let refused = assembled(3, ["other"])
        #expect(refused.refusal?.contains("is not for \"a\"; allowed: other") == true)
    }

    @Test func `a span that never ended is closed with what is known of the whole trace`() throws {
        var root = TestSpan("agent", id: 1)
        root.end = 0
        var child = TestSpan(id: 2, parent: 1)
        child.end = 7000
        let batch = try SpanBatch(assemble([request(root), request(child)], reason: .waited).payload)
        #expect(batch.spans[0].end == 7000)
    }

    // MARK: Logs

    /// The conversations of recorded programs that are in log records only: spans, logs, and by trace the question and the answer.
    private static let recorded: [(spans: [String], logs: [String], pages: [String: [String?]])] = [
        (
            ["clients/java-agent-openai-7.pb"],
            [
                "clients/java-agent-openai-2.logs.pb", "clients/java-agent-openai-5.logs.pb",
                "clients/java-agent-openai-8.logs.pb",
            ],
            [
                "2617dbae": ["What is the weather in Paris?", "It is sunny in Paris."],
                "c5aca053": ["Stream the weather", "It is sunny in Paris. "],
            ]
        ),
        (
            ["clients/node-otel-openai-3.pb"], ["clients/node-otel-openai-2.logs.pb"],
            [
                "2e22061b": ["Weather in Paris? ☀️", "It is sunny in Paris."],
                "3772427d": ["Stream it", "It is sunny in Paris. "],
                "c688a062": ["Weather in Paris?", "It is sunny in Paris."],
                "fc8b8c5b": ["Weather in Paris?", "It is sunny in Paris."],
                "62a0460f": ["stream please", nil],
                "bc96dd31": ["fail", nil],
            ]
        ),
        (
            ["clients/node-otel-http-json-1.json"], ["clients/node-otel-http-json-2.logs.json"],
            ["367273c8": ["Weather in Paris? ☀️", "It is sunny in Paris."], "89a0fd51": ["fail", nil]]
        ),
        (
            ["captures/otel-openai-v2-1.pb"], ["captures/otel-openai-v2-2.logs.pb"],
            [
                "8a5bea97": ["Weather in Paris?", "It is sunny in Paris."],
                "ec70fdda": ["Weather in Paris?", "It is sunny in Paris."],
                "b6c8d664": ["stream please", "It is sunny in Paris. "],
                "58af37d6": ["fail", nil],
            ]
        ),
        (
            ["clients/go-otel-app-4.pb"], ["clients/go-otel-app-6.logs.pb"],
            [
                "259c19b9": ["Weather in Paris? 日本語 🌤", "It is sunny in Paris."],
                "bd3b7fcd": ["What is the weather in Paris?", "It is sunny in Paris."],
            ]
        ),
        (
            ["clients/node-gemini-cli-1.json"], ["clients/node-gemini-cli-2.logs.json"],
            ["1873cfa9": ["What is the weather in Paris?", "It is sunny in Paris. "]]
        ),
        (
            ["clients/node-codex-2.pb", "clients/node-codex-3.pb"], ["clients/node-codex-1.logs.pb"],
            ["00b61f68": ["What is the weather in Paris?", nil]]
        ),
    ]

    @Test(arguments: recorded.indices)
    func `what was asked and answered in log records is shown`(index: Int) throws {
        let (files, logFiles, pages) = Self.recorded[index]
        let spans = try files.map { try Fixtures.request($0, .traces) }
        let logs = try logFiles.map { try Fixtures.request($0, .logs) }
        let traces = Set(spans.flatMap { TraceID.all(in: $0, signal: .traces) })
        var random = SeededGenerator(seed: UInt64(index))
        for (prefix, page) in pages {
            let trace = try #require(traces.first { $0.description.hasPrefix(prefix) })
            let own = try spans.compactMap { try only(trace, in: $0, .traces) }
            let parts = try logs.compactMap { try only(trace, in: $0, .logs) }.map { part($0, .logs) }
            var payloads: Set<[UInt8]> = []
            for _ in 0..<4 {
                let whole = try assemble(
                    own.shuffled(using: &random),
                    logs: parts.shuffled(using: &random),
                    trace: trace,
                    reason: .waited
                )
                payloads.insert(whole.payload)
                let root = try #require(try readSpans(whole.payload).first)
                #expect(root.isRoot)
                #expect(shown(root, "mlflow.spanInputs") == page[0], "\(prefix)")
                #expect(shown(root, "mlflow.spanOutputs") == page[1], "\(prefix)")
            }
            #expect(payloads.count == 1)
        }
    }

    @Test func `a record joins the span that it names, once, and only its own client's`() throws {
        let span = TestSpan("chat", id: 2, ["gen_ai.operation.name": "chat"])
        let record = TestLogRecord(span: 2, ["event.name": "gen_ai.user.message"], body: ["content": "Weather?"])
        func joined(
            _ records: [TestLogRecord],
            identity: String? = nil,
            _ span: TestSpan = span
        ) throws -> AssembledTrace {
            let logs = records.map { part(logsRequest([$0]), .logs, identity: identity) }
            return try assemble([tracesRequest([span])], logs: logs)
        }
        #expect(try joined([record]).joined == 1)
        let twice = try joined([record, record])
        #expect(twice.joined == 1)
        #expect(shown(try readSpans(twice.payload)[0], "mlflow.spanInputs") == "Weather?")
        var text = record
        text.body = #"{"role":"user","content":[{"type":"text","text":"Weather?"}],"n":[1,2.5,true,null,{"a":{}}]}"#
        #expect(shown(try readSpans(joined([text]).payload)[0], "mlflow.spanInputs") == "Weather?")
        text.body = "{Weather?"
        #expect(shown(try readSpans(joined([text]).payload)[0], "mlflow.spanInputs") == "{Weather?")
        // Of spans with one id the first gets it, and what is written stays within twice what came.
        let same = tracesRequest(Array(repeating: span, count: 300))
        let many = try assemble([same], logs: [part(logsRequest([record]), .logs)])
        #expect(many.joined == 1)
        var broad = record
        let numbers = #"{"content":["# + String(repeating: "-1,", count: 60_000) + "1]}"
        broad.body = .string(numbers)
        #expect(try joined([broad, record]).joined == 1)
        #expect(try joined([record], identity: "b").joined == 0)
        var other = record
        other.span = 0
        #expect(try joined([other]).joined == 0)
        other = record
        other.trace = 8
        #expect(try joined([other]).joined == 0)
        other = record
        other.attributes = [("event.name", "app.started")]
        #expect(try joined([other]).joined == 0)
        var own = span
        own.attributes.append(("input.value", "Mine?"))
        #expect(try joined([record], own).joined == 0)
        own = span
        own.events = [("gen_ai.user.message", [("content", "Mine?")])]
        #expect(try joined([record], own).joined == 0)
        var settings = AssembleSettings()
        settings.joinLogEvents = false
        let off = try assemble([tracesRequest([span])], logs: [part(logsRequest([record]), .logs)], settings)
        #expect(off.joined == 0)
    }

    // MARK: Helpers

    /// What MLflow's list shows of one side.
    private func shown(_ span: ReadSpan, _ key: String) -> String? {
        Preview.shown(span[key].map { Preview.text(of: $0, role: key == "mlflow.spanInputs" ? "user" : "assistant") })
    }

    /// What of a request is of one trace; nil where nothing is.
    private func only(_ trace: TraceID, in request: [UInt8], _ signal: Signal) throws -> [UInt8]? {
        var batch = try Envelope(request, signal: signal)
        for unit in 0..<batch.unitCount where batch.unit(unit).traceID != trace { batch.remove(unit, as: .filtered) }
        return batch.encoded()?.payload
    }

    private func permutations(_ list: [[UInt8]]) -> [[[UInt8]]] {
        guard list.count > 1 else { return [list] }
        return list.indices.flatMap { index in
            var rest = list
            let first = rest.remove(at: index)
            return permutations(rest).map { [first] + $0 }
        }
    }
}
