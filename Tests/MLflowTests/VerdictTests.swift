import Basics
import Conditions
import OTLP
import TestKit
import Testing

@testable import MLflow

/// Types, models and providers that are copied from earlier spans are those that would be decided anew.
struct VerdictTests {
    private static let keys = [
        "gen_ai.operation.name", "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system",
        "gen_ai.response.model",
        "gen_ai.request.model", "openinference.span.kind", "llm.model_name", "llm.provider", "ai.operationId",
        "ai.model.id", "ai.model.provider", "agent_name", "model_name", "entity.type", "span.type", "model",
        "llm_request", "gen_ai.usage.output_tokens", "gen_ai.input.messages", "mlflow.spanType", "mlflow.llm.model",
    ]
    private static let texts = [
        "chat", "execute_tool", "embeddings", "LLM", "TOOL", "ai.generateText", "openai", "openai.chat", "a", "b", "",
        "tool",
        "\"chat\"", "UNKNOWN", "text_completion", "llm_request", "gpt-4o-2026-05-13",
        "text-embedding-3-large-2026-05-13",
        String(repeating: "m", count: 127), String(repeating: "m", count: 128), "ü", "01234567", "0123456789012345",
    ]

    private static func isKind(_ key: String) -> Bool {
        ["operation", "kind", "type"].contains { key.contains($0) }
    }

    private static func span(_ keys: [String], _ id: UInt64, _ generator: inout SeededGenerator) -> TestSpan {
        let names = ["invocation", "agent [x", "first", "second"]
        var span = TestSpan(names.randomElement(using: &generator) ?? "", id: id, parent: 1)
        span.attributes = keys.map { key in
            switch Int.random(in: 0..<20, using: &generator) {
            case 0: (key, .int(Int64.random(in: 0..<3, using: &generator)))
            case 1: (key, [.string("chat")])
            case 2: (key, .empty)
            case 3: (key, .string(Self.texts.randomElement(using: &generator) ?? ""))
            // Mostly one of a few, so that the same texts meet again.
            default: (key, .string(Self.texts[Int.random(in: isKind(key) ? 0..<6 : 6..<9, using: &generator)]))
            }
        }
        return span
    }

    /// A rule of which more than attributes decides, before the others and behind them.
    private static let rules = [
        nil, #"{"type": {"when": {"name": "first"}, "type": "TASK"}}"#,
        #"{"type": [{"attribute": "gen_ai.operation.name", "values": {"chat": "TOOL"}}, {"when": {"name": "first"}, "type": "TASK"}]}"#,
        #"{"model": {"when": {"name": "first"}, "model": "gen_ai.request.model"}}"#,
    ]

    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 5], [0, 1, 2, 3])
    func `spans with the texts of earlier ones get what they would get alone`(seed: UInt64, rules: Int) throws {
        var generator = SeededGenerator(seed: seed)
        let user = try Self.rules[rules].map { [try RuleDocument(userRules: try JSONNode(parsing: Array($0.utf8)))] }
        let compiled = try MappingRules(user: user ?? [])
        var mapper = SpanMapper(rules: compiled)
        var kinds: [[String]] = []
        for round in 0..<60 {
            if round % 10 == 0 {
                kinds = (0..<4).map { kind in
                    let count = Int.random(in: 1...4, using: &generator)
                    let keys = (0..<count).map { _ in Self.keys.randomElement(using: &generator) ?? "" }
                    return Set(keys + Self.keys.prefix(kind / 2)).sorted()
                }
            }
            let spans = (2..<42).map { id in
                Self.span(kinds.randomElement(using: &generator) ?? [], id, &generator)
            }
            var batch = try SpanBatch(tracesRequest(spans, resource: []))
            let outcome = mapper.map(&batch)
            let together = try readSpans(batch.encoded()?.payload ?? [])
            for (index, span) in spans.enumerated() {
                var single = try SpanBatch.of(span)
                var fresh = SpanMapper(rules: compiled)
                let alone = fresh.map(&single)
                let read = try readSpans(single.encoded()?.payload ?? [])[0]
                #expect(
                    together[index].keys == read.keys && together[index].attributes == read.attributes,
                    "seed \(seed): \(span)"
                )
                #expect(outcome.spans[index].type == alone.spans[0].type, "seed \(seed): \(span)")
            }
        }
        // Where the first rule asks more, no text decides alone.
        #expect((mapper.verdicts.credit.found > 20) == (rules != 1), "seed \(seed)")
    }

    @Test func `ever new texts are not kept for ever`() throws {
        var mapper = SpanMapper(rules: try TestRules.all.get())
        for round in 0..<200 {
            let spans = (2..<22).map { id in
                TestSpan(
                    id: id,
                    parent: 1,
                    ["gen_ai.operation.name": "chat", "gen_ai.request.model": .string("\(round)-\(id)")]
                )
            }
            var batch = try SpanBatch(tracesRequest(spans, resource: []))
            _ = mapper.map(&batch)
            let read = try readSpans(batch.encoded()?.payload ?? [])
            #expect(read.map { $0["mlflow.llm.model"] } == spans.map { "\"\(round)-\($0.id)\"" })
        }
        #expect(mapper.verdicts.letters.count < 20_000)
        #expect(!mapper.verdicts.credit.isGranted)
    }
}
