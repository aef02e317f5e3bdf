import Basics
import Conditions
import OTLP
import TestKit
import Testing

@testable import MLflow

/// What is counted for twice as much is about twice as much.
struct MappingCostTests {
    private static let tag = "mlflow.traceTag."

    /// Maps what `make` makes for a number and for twice as many, and compares what is counted.
    ///
    /// - Returns: What left the larger one.
    @discardableResult
    private func grow(
        _ count: Int,
        rules: MappingRules? = nil,
        _ make: (Int) -> [UInt8]
    ) throws -> (payload: [UInt8], outcome: MappingOutcome) {
        let unlimited = MappingBudget(bytesMax: .max, stepsMax: .max)
        let first = try mapCounting(make(count), rules: rules, within: unlimited).outcome
        let second = try mapCounting(make(2 * count), rules: rules, within: unlimited)
        #expect(second.outcome.steps <= first.steps * 9 / 4 + 1000)
        #expect(second.outcome.addedBytes <= first.addedBytes * 9 / 4 + 1000)
        let body = make(2 * count)
        #expect(second.outcome.steps <= 8 * body.count + 100_000)
        return second
    }

    private func children(_ count: Int, _ attributes: (Int) -> [(String, TestValue)]) -> [TestSpan] {
        (0..<count).map { index in
            var span = TestSpan("child", id: UInt64(index + 10), parent: 1)
            span.attributes = attributes(index)
            return span
        }
    }

    @Test func `a text with more tags than a trace may have costs no more than its length`() throws {
        try grow(1_000_000) { count in
            tracesRequest([
                TestSpan("root", ["langfuse.trace.tags": .string(String(repeating: "a,", count: count))])
            ])
        }
        let body = tracesRequest([TestSpan("root", ["langfuse.trace.tags": .string("blue, green,blue")])])
        let (payload, _) = try grow(1) { _ in body }
        let keys = try #require(readSpans(payload).first).keys.filter { $0.hasPrefix(Self.tag) }
        #expect(keys.filter { $0.hasSuffix("blue") || $0.hasSuffix("green") }.count == 2)
    }

    @Test func `a name with a path says something, whatever its words are`() {
        func isPlain(_ name: String) -> Bool {
            let bytes = Array(name.utf8)
            return bytes.span.bytes.isPlainName(0..<bytes.count)
        }
        for name in ["POST /message", "GET /trace", "call/process"] { #expect(!isPlain(name), "\(name)") }
        for name in ["GET", "HTTP POST", "tcp.connect", "POST /", "request"] { #expect(isPlain(name), "\(name)") }
    }

    @Test func `tags of a trace with many roots are written once, to the first`() throws {
        let (payload, _) = try grow(1500) { count in
            tracesRequest(
                (0..<count).map { index in
                    TestSpan(
                        "root",
                        id: UInt64(index + 1),
                        ["langfuse.trace.tags": .array([.string("t\(index)")]), "session.id": "s"]
                    )
                }
            )
        }
        let spans = try readSpans(payload)
        let tags = spans.map { $0.keys.count { $0.hasPrefix(Self.tag) && !$0.hasSuffix("traceName") } }
        #expect(tags[0] == 100)
        #expect(tags.dropFirst().allSatisfy { $0 == 0 })
        #expect(spans.allSatisfy { $0[Self.tag + "mlflow.traceName"] == "\"root\"" })
    }

    @Test func `one long list of tags is read once, however many roots there are`() throws {
        let list = "[" + (0..<5000).map { "\"tag-\($0)\"" }.joined(separator: ",") + "]"
        let (payload, outcome) = try grow(500) { count in
            var spans = (0..<count).map { TestSpan("root", id: UInt64($0 + 1)) }
            spans[0].attributes = [("langfuse.trace.tags", .string(list))]
            return tracesRequest(spans)
        }
        #expect(outcome.steps < 30_000)
        #expect(try readSpans(payload)[0].keys.count { $0.hasPrefix(Self.tag + "tag-") } == 100)
    }

    @Test func `a session and a user of a trace are written to its first root`() throws {
        let session = String(repeating: "s", count: 250)
        let (payload, _) = try grow(1000) { count in
            let child = TestSpan("child", id: 9_999_999, parent: 1, ["gen_ai.conversation.id": .string(session)])
            return tracesRequest([child] + (0..<count).map { TestSpan("root", id: UInt64($0 + 1)) })
        }
        let spans = try readSpans(payload)
        #expect(spans[1]["session.id"] == "\"\(session)\"")
        #expect(spans.dropFirst(2).allSatisfy { $0["session.id"] == nil })
    }

    @Test func `keys of a resource are looked at once, however many traces have tags`() throws {
        try grow(500) { count in
            let spans = (0..<count).map {
                TestSpan("root", id: UInt64($0 + 1), trace: UInt64($0 + 1), ["langfuse.release": "r"])
            }
            return request(spans, resourceAttributes: count)
        }
    }

    /// A request of one resource with that many attributes.
    private func request(_ spans: [TestSpan], resourceAttributes count: Int) -> [UInt8] {
        func field(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
            var bytes = [tag]
            bytes.appendVarint(content.count)
            return bytes + content
        }
        let attributes = (0..<count).flatMap { index in
            field(0x0A, field(0x0A, Array("key-\(index)".utf8)) + field(0x12, TestValue.int(1).wire))
        }
        return field(0x0A, field(0x0A, attributes) + field(0x12, spans.flatMap { field(0x12, $0.wire) }))
    }

    @Test func `a condition of tags by prefix is asked once for a span, however many there are`() throws {
        let prefixed = try rules(#"{"tags": [{"when": {"attribute": "last", "exists": true}, "prefix": "tag."}]}"#)
        let (payload, _) = try grow(1000, rules: prefixed) { count in
            var span = TestSpan("root")
            span.attributes = (0..<count).map { ("tag.\($0)", TestValue.string("x")) }
            span.attributes.append(("last", 1))
            return tracesRequest([span])
        }
        #expect(try readSpans(payload)[0].keys.count { $0.hasPrefix(Self.tag) && !$0.hasSuffix("traceName") } == 100)
    }

    @Test func `prompts that a trace names are one short tag`() throws {
        let (payload, _) = try grow(1000) { count in
            tracesRequest(
                [TestSpan("root")]
                    + children(count) { index in
                        [
                            ("langfuse.observation.prompt.name", .string("prompt-\(index / 2)")),
                            ("langfuse.observation.prompt.version", 1),
                        ]
                    }
            )
        }
        let prompts = try #require(try readSpans(payload)[0][Self.tag + "mlflow.linkedPrompts"])
        #expect(prompts.hasPrefix(#""[{\"name\":\"prompt-0\",\"version\":\"1\"},{\"name\":\"prompt-1\""#))
        #expect(prompts.replacing("\\", with: "").utf8.count <= 4096 + 2)
    }

    @Test func `tags that are no letters to Unicode are as long as MLflow counts them`() throws {
        let marks = String(repeating: "\u{301}", count: 9000)
        let root = try map(
            TestSpan("root", ["langfuse.trace.metadata": ["a\(marks)": "x", "long": .string("b" + marks)]])
        )[0]
        let tags = root.keys.filter { $0.hasPrefix(Self.tag) && !$0.hasSuffix("traceName") }
        #expect(tags.map { $0.unicodeScalars.count - Self.tag.count } == [250, 4])
        #expect(root[Self.tag + "long"]?.unicodeScalars.count == 4096 + 2)
    }

    @Test func `plain roots of one trace name it once`() throws {
        let (payload, _) = try grow(500) { count in
            let agent = TestSpan("run", id: 9_999_999, parent: 1, ["gen_ai.agent.name": "travel"])
            let roots = (0..<count).map { TestSpan("GET", id: UInt64($0 + 1), ["http.request.method": "GET"]) }
            return tracesRequest([agent] + roots)
        }
        let names = try readSpans(payload).map { $0.keys.count { $0 == Self.tag + "mlflow.traceName" } }
        #expect(names.reduce(0, +) == 1)
        #expect(names[1] == 1)
    }

    @Test func `of a key that an event repeats only the first value is read`() throws {
        let message = #"[{"role":"user","content":"\#(String(repeating: "x", count: 500))"}]"#
        let (payload, outcome) = try grow(500) { count in
            var span = TestSpan("chat", id: 2, parent: 1, ["gen_ai.operation.name": "chat"])
            var attributes: [(String, TestValue)] = [
                ("gen_ai.input.messages", #"[{"role":"user","content":"first"}]"#)
            ]
            for _ in 1..<count { attributes.append(("gen_ai.input.messages", .string(message))) }
            for _ in 1..<count { attributes.append(("gen_ai.system_instructions", "")) }
            span.events = [("gen_ai.client.inference.operation.details", attributes)]
            return tracesRequest([span])
        }
        #expect(try readSpans(payload)[0]["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"first"}]}"#)
        #expect(outcome.steps < 20_000)
    }

    @Test func `lists in attributes are put together whatever their indices and order`() throws {
        let (payload, _) = try grow(1500) { count in
            var span = TestSpan("chat", id: 2, parent: 1, ["openinference.span.kind": "LLM"])
            for index in (0..<count).reversed() {
                let key = "llm.input_messages.\(index * 99_991).message.content"
                span.attributes.append((key, .string("m\(index)")))
            }
            return tracesRequest([span])
        }
        let inputs = try #require(try readSpans(payload)[0]["mlflow.spanInputs"])
        #expect(inputs.hasPrefix(#"{"messages":[{"role":"user","content":"m0"},{"role":"user","content":"m1"}"#))
    }

    @Test func `a key of a list that is longer than any program's is no part of it`() throws {
        let long = "llm.input_messages.0.message." + String(repeating: "a.", count: 400) + "b"
        let span = try mapChild([
            "openinference.span.kind": "LLM", "llm.input_messages.0.message.content": "hi", long: "x",
        ])
        #expect(span["mlflow.spanInputs"] == #"{"messages":[{"role":"user","content":"hi"}]}"#)
    }

    /// Every span with its own keys: none of them can use what was found out about another.
    @Test func `spans with ever new keys cost no more than their size`() throws {
        try grow(1000) { count in tracesRequest(children(count) { [("own.key.\($0)", 1)] }) }
    }

    @Test func `ends and usage find their way up a deep trace, each span looked at once`() throws {
        func chain(_ count: Int) -> [TestSpan] {
            (0..<count).map { index in
                var span = TestSpan("agent", id: UInt64(index + 1), parent: UInt64(index))
                span.end = 0
                span.attributes = [("gen_ai.operation.name", "invoke_agent"), ("gen_ai.usage.input_tokens", 5)]
                if index == count - 1 {
                    span.end = 9000
                    span.attributes[0].1 = "chat"
                }
                return span
            }
        }
        let (payload, _) = try grow(200) { tracesRequest(chain($0)) }
        #expect(try SpanBatch(payload).spans.allSatisfy { $0.end == 9000 })
        #expect(try readSpans(payload)[0]["mlflow.chat.tokenUsage"] == "null")
    }

    @Test func `spans that are each other's parents end by themselves`() throws {
        var first = TestSpan("a", id: 2, parent: 3)
        var second = TestSpan("b", id: 3, parent: 2)
        (first.end, second.end) = (0, 0)
        let mapped = try SpanBatch(mappedBytes(tracesRequest([first, second])))
        #expect(mapped.spans.map(\.end) == [1000, 1000])
    }

    @Test func `nothing of a large request stays in memory`() throws {
        var span = TestSpan("chat", ["openinference.span.kind": "LLM", "gen_ai.operation.name": "chat"])
        let numbers = "[" + repeatElement("0", count: 30_000).joined(separator: ",") + "]"
        for index in 0..<5000 { span.attributes.append(("llm.input_messages.\(index).message.content", "said")) }
        for index in 0..<8 {
            span.attributes.append(("llm.output_messages.\(index).message.content", .string(numbers)))
        }
        let roots = (0..<5000).map { TestSpan("root", id: UInt64($0 + 2), trace: UInt64($0 + 100)) }
        var batch = try SpanBatch(tracesRequest(roots + [span]))
        var mapper = SpanMapper(rules: try TestRules.all.get())
        _ = mapper.map(&batch)
        #expect(mapper.traces.traces.capacity <= 1024)
        #expect(mapper.traces.roots.capacity <= 1024)
        #expect(mapper.content.flattened.entries.capacity <= 1024)
        #expect(mapper.content.sources.capacity <= 4096)
        #expect(mapper.content.text.capacity <= 65_536)
        let hasNodes = !mapper.content.tape.nodes.isEmpty
        #expect(!hasNodes)
        #expect(mapper.scan.plan === SpanPlan.empty)
    }
}
