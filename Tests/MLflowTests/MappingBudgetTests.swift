import Basics
import Conditions
import Foundation
import OTLP
import TestKit
import Testing

@testable import MLflow

/// What one request may be given, and what becomes of spans that would get more.
struct MappingBudgetTests {
    private static func repeated(_ element: String, _ size: Int = 60_000) -> String {
        "[" + repeatElement(element, count: size / (element.utf8.count + 1)).joined(separator: ",") + "]"
    }

    private static let model: [(String, TestValue)] = [("gen_ai.operation.name", "chat")]

    private static func chat(_ id: UInt64, _ key: String, _ value: String) -> TestSpan {
        var span = TestSpan("chat", id: id, parent: 1000)
        span.attributes = model + [(key, .string(value))]
        return span
    }

    private static let expanding: [(key: String, value: String)] = [
        ("gen_ai.input.messages", #"[{"role":"assistant","tool_calls":"# + repeated("{}", 60_000) + "}]"),
        ("gen_ai.input.messages", #"[{"role":"user","content":"# + repeated("1", 60_000) + "}]"),
        ("gen_ai.input.messages", repeated(#"{"role":"a","content":0}"#)),
        ("gen_ai.input.messages", #"{"messages":"# + repeated("0", 60_000) + "}"),
        ("gen_ai.output.messages", repeated(#"{"parts":[0]}"#)),
        ("gen_ai.input.messages", repeated(#"{"role":"tool","parts":[{"type":"tool_result"}]}"#)),
        ("gen_ai.tool.definitions", repeated(#"{"name":0}"#)),
        ("llm.tools", repeated(#"{"function":{}}"#)),
        ("input.value", repeated("1e9")),
    ]

    @Test(arguments: MappingBudgetTests.expanding.indices)
    func `content that grows many times leaves its span as it came, and others beside it are mapped`(
        index: Int
    ) throws {
        let (key, value) = Self.expanding[index]
        let request = tracesRequest([
            Self.chat(1, key, value), Self.chat(2, "gen_ai.input.messages", #"[{"role":"user","content":"hi"}]"#),
        ])
        let (payload, outcome) = try mapCounting(request)
        #expect(payload.count <= 4 * request.count + 64 * 1024)
        let (before, after) = (try readSpans(request), try readSpans(payload))
        #expect(after[1]["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"hi"}]}"#)
        if outcome.unmappedSpans > 0 {
            #expect(outcome.unmappedSpans == 1)
            #expect(after[0].keys == before[0].keys)
        }
    }

    @Test func `tool calls that say nothing cost their span its mapping`() throws {
        let (key, value) = Self.expanding[0]
        let request = tracesRequest([Self.chat(1, key, value)])
        let (payload, outcome) = try mapCounting(request)
        #expect(outcome.unmappedSpans == 1)
        #expect(outcome.mappedSpans == 0)
        #expect(outcome.addedBytes == 0)
        #expect(payload == request)
    }

    @Test func `many spans that grow share one budget`() throws {
        let calls = #"[{"role":"assistant","tool_calls":"# + Self.repeated("{}", 6000) + "}]"
        let request = tracesRequest((1...64).map { Self.chat($0, "gen_ai.input.messages", calls) })
        let (payload, outcome) = try mapCounting(request)
        #expect(payload.count <= 4 * request.count + 64 * 1024)
        #expect(outcome.mappedSpans > 0)
        #expect(outcome.unmappedSpans > 0)
        #expect(outcome.mappedSpans + outcome.unmappedSpans == 64)
    }

    @Test func `what was marked before mapping stays where mapping is taken back`() throws {
        let spans = [
            Self.chat(1, "gen_ai.request.model", "m"), Self.chat(2, "gen_ai.request.model", "n"),
            Self.chat(3, "gen_ai.request.model", "o"),
        ]
        var batch = try SpanBatch(tracesRequest(spans))
        batch.addAttribute("first", to: .span(0)) { $0.int(1) }
        batch.removeAttribute(batch.spans[1].attributes.lowerBound)
        batch.addAttribute("second", to: .span(1)) { $0.int(2) }
        let marked = try #require(batch.encoded()?.payload)
        var mapper = SpanMapper(rules: try TestRules.all.get())
        let outcome = mapper.map(&batch, within: MappingBudget(bytesMax: 10, stepsMax: 100_000))
        #expect(outcome.unmappedSpans == 3)
        #expect(batch.encoded()?.payload == marked)
        batch.addAttribute("third", to: .span(1)) { $0.int(3) }
        let read = try readSpans(try #require(batch.encoded()?.payload))
        #expect(read[1].keys == ["gen_ai.request.model", "second", "third"])
        #expect(mapper.map(&batch).mappedSpans == 3)
    }

    @Test func `without steps left the spans that follow stay as they came, and it is told why`() throws {
        let spans = (1...20).map { Self.chat($0, "gen_ai.request.model", "m") }
        // Rules of their own, because those of other tests keep what was found out about keys.
        var first = try SpanBatch(tracesRequest(Array(spans.prefix(10))))
        var counting = SpanMapper(rules: try MappingRules())
        let half = counting.map(&first, explaining: true).steps
        var batch = try SpanBatch(tracesRequest(spans))
        var mapper = SpanMapper(rules: try MappingRules())
        let budget = MappingBudget(bytesMax: 1 << 20, stepsMax: half)
        let outcome = mapper.map(&batch, within: budget, explaining: true)
        #expect(outcome.mappedSpans > 0)
        #expect(outcome.unmappedSpans > 0)
        #expect(outcome.mappedSpans + outcome.unmappedSpans == 20)
        let read = try readSpans(try #require(batch.encoded()?.payload))
        #expect(read.last?.keys == ["gen_ai.operation.name", "gen_ai.request.model"])
        let told = try #require(outcome.decisions).filter { $0.span == 19 }
        #expect(told.map(\.rule) == ["budget"])
        #expect(told.map(\.action) == [.ignored("the request's budget of steps is used up")])
    }

    @Test func `usage of a model call that stays as it came is not taken off the span above`() throws {
        let usage: [(String, TestValue)] = [("gen_ai.usage.input_tokens", 5), ("gen_ai.usage.output_tokens", 5)]
        var agent = TestSpan("agent", id: 1000)
        agent.attributes = [("gen_ai.operation.name", "invoke_agent")] + usage
        var call = Self.chat(1, Self.expanding[0].key, Self.expanding[0].value)
        call.attributes += usage
        let (payload, outcome) = try mapCounting(tracesRequest([agent, call]))
        #expect(outcome.unmappedSpans == 1)
        let read = try readSpans(payload)
        #expect(read[0].keys.allSatisfy { $0 != "mlflow.chat.tokenUsage" })
        #expect(read[1].keys.allSatisfy { !$0.hasPrefix("mlflow.") })
    }

    @Test func `a form is not learned from what was stopped`() throws {
        let text = String(repeating: "said ", count: 20)
        let message = #"{"role":"user","content":"\#(text)"}"#
        let value = "[\(message),\(Self.repeated("0", 800).dropFirst())"
        let request = tracesRequest([Self.chat(1, "gen_ai.input.messages", value)])
        var mapper = SpanMapper(rules: try TestRules.all.get())
        for size in stride(from: 100, to: 4000, by: 97) {
            var batch = try SpanBatch(request)
            _ = mapper.map(&batch, within: MappingBudget(bytesMax: size, stepsMax: 1 << 20))
        }
        var batch = try SpanBatch(request)
        _ = mapper.map(&batch)
        let fresh = try mapCounting(request).payload
        #expect(batch.encoded()?.payload == fresh)
    }

    @Test func `bodies whose mapped form would have no positions are left as they came`() {
        let size = Int(Int32.max) - 10
        var largest = MappingAccount(MappingBudget(bodySize: size), addedBytes: 0, bodySize: size)
        let ofLargest = [largest.allows(spanOf: 100, after: 0), largest.allows(1, after: 0)]
        #expect(ofLargest == [false, false])
        var large = MappingAccount(MappingBudget(bodySize: 700 << 20), addedBytes: 0, bodySize: 700 << 20)
        let ofLarge = [100 << 20, 200 << 20].map { large.allows(spanOf: $0, after: 0) }
        let isCopied = large.allows(1400 << 20, after: 0)
        #expect(ofLarge == [true, false])
        #expect(!isCopied)
        var unlimited = MappingAccount(MappingBudget(bytesMax: .max, stepsMax: .max), addedBytes: 0, bodySize: 100)
        let isUnlimited = unlimited.allows(1 << 30, after: 0)
        #expect(isUnlimited)
    }
}

/// What real programs send stays far below the budget.
struct MappingRoomTests {
    private static let bodies: [URL] = {
        let tests = Fixtures.directory.deletingLastPathComponent()
        let folders = ["captures", "clients", "payloads"].map { Fixtures.directory.appendingPathComponent($0) }
        let emitters = tests.appendingPathComponent("MLflowTests/Emitters")
        return (folders + [emitters]).flatMap { folder in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            return names.filter { $0.hasSuffix(".pb") && !$0.contains(".metrics.") && !$0.contains(".logs.") }.sorted()
                .map { folder.appendingPathComponent($0) }
        }
    }()

    /// Whether mapping took at most half of the added bytes and an eighth of the steps.
    private func check(_ bytes: [UInt8], _ name: String) throws {
        let outcome = try mapCounting(bytes).outcome
        let budget = MappingBudget(bodySize: bytes.count)
        #expect(outcome.unmappedSpans == 0, "\(name)")
        #expect(outcome.addedBytes <= budget.bytesMax / 2, "\(name)")
        #expect(outcome.steps <= budget.stepsMax / 8, "\(name)")
    }

    @Test func `every recorded body stays far below the budget`() throws {
        var count = 0
        for file in Self.bodies {
            let bytes = Array(try Data(contentsOf: file))
            guard (try? SpanBatch(bytes)) != nil else { continue }
            try check(bytes, file.lastPathComponent)
            count += 1
        }
        #expect(count >= 120)
    }

    @Test func `a conversation of 10 MB in one span stays far below the budget`() throws {
        let message = #"{"role":"user","content":"\#(String(repeating: "all that was said ", count: 50))"}"#
        let text = "[" + repeatElement(message, count: (10 << 20) / message.utf8.count).joined(separator: ",") + "]"
        let whole = TestSpan("chat", ["gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(text)])
        try check(tracesRequest([whole]), "one attribute")
        var parts = TestSpan("chat", ["openinference.span.kind": "LLM"])
        for index in 0..<4000 {
            parts.attributes.append(("llm.input_messages.\(index).message.role", "user"))
            parts.attributes.append(
                ("llm.input_messages.\(index).message.content", .string(String(repeating: "said ", count: 500)))
            )
        }
        try check(tracesRequest([parts]), "an attribute a message")
        var events = TestSpan("chat", ["gen_ai.operation.name": "chat"])
        events.events = (0..<4000).map { _ in
            ("gen_ai.user.message", [("content", .string(String(repeating: "said ", count: 500)))])
        }
        try check(tracesRequest([events]), "an event a message")
    }

    @Test func `10,000 spans of 100 services stay far below the budget`() throws {
        var body: [UInt8] = []
        for service in 0..<100 {
            let spans = (0..<100).map { index -> TestSpan in
                let id = UInt64(service * 100 + index + 1)
                let parent = index % 5 == 0 ? 0 : id - UInt64(index % 5)
                var span = TestSpan("step", id: id, parent: parent, trace: id - UInt64(index % 5))
                span.attributes = [("http.request.method", "GET"), ("url.path", "/chat")]
                if index % 5 == 4 {
                    span.attributes = [
                        ("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "m"), ("session.id", "s"),
                        ("gen_ai.usage.input_tokens", 11), ("gen_ai.usage.output_tokens", 7),
                        ("gen_ai.input.messages", #"[{"role":"user","content":"Is it sunny in Paris today?"}]"#),
                    ]
                }
                return span
            }
            body += tracesRequest(spans, resource: ["service.name": .string("service-\(service)")])
        }
        try check(body, "spans of 100 services")
    }
}
