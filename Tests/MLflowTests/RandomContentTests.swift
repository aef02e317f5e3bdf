import Basics
import OTLP
import TestKit
import Testing

@testable import MLflow

/// Whatever a client sends, mapping ends, and what it writes is a request that can be read.
struct RandomContentTests {
    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 1])
    func `damaged requests are mapped or refused, never more`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let captures = try Recordings.names.map { try Recordings.bytes($0) }.filter { $0.count < 30_000 }
        var mapped = 0
        for _ in 0..<1500 {
            var bytes = try #require(captures.randomElement(using: &generator))
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            guard var batch = try? SpanBatch(bytes) else { continue }
            try expectReadable(&batch, "seed \(seed)")
            mapped += 1
        }
        #expect(mapped > 100, "seed \(seed)")
    }

    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 2])
    func `content of any form is mapped`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<1500 {
            let text = randomJSON(0, &generator)
            let structured = randomValue(0, &generator)
            let span = TestSpan(
                id: 2,
                parent: 1,
                [
                    "gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(text),
                    "gen_ai.output.messages": structured, "gen_ai.tool.definitions": .string(text),
                    "gen_ai.system_instructions": structured, "mlflow.llm.cost": structured,
                    "retrieval.documents.0.document.metadata": .string(text),
                ]
            )
            var batch = try SpanBatch.of(span)
            try expectReadable(&batch, "seed \(seed): \(text)")
        }
    }

    /// Spans of any mix of conventions: keys and values that the rules name, with content of any form.
    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 3])
    func `spans of all conventions at once are mapped, explained or not`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let words = try EmbeddedRules.conventions.flatMap { Self.words(in: try JSONNode(parsing: $0.text)) }
        let keys = words.filter { $0.contains(where: { ".:_".contains($0) }) }
        #expect(keys.count > 300)
        for _ in 0..<1000 {
            var span = TestSpan("invocation", id: 2, parent: Bool.random(using: &generator) ? 1 : 0)
            span.status = Int.random(in: 0...2, using: &generator)
            for _ in 0..<Int.random(in: 1...14, using: &generator) {
                span.attributes.append(randomAttribute(keys, words, &generator))
            }
            let event = keys.randomElement(using: &generator) ?? ""
            span.events = [(event, [randomAttribute(keys, words, &generator)])]
            var batch = try SpanBatch.of(span)
            var explained = batch
            try expectReadable(&batch, "seed \(seed): \(span)")
            var mapper = SpanMapper(rules: try TestRules.all.get())
            _ = mapper.map(&explained, explaining: true)
            #expect(explained.encoded()?.payload == batch.encoded()?.payload, "seed \(seed): \(span)")
        }
    }

    private static func words(in node: JSONNode) -> [String] {
        if let text = node.string { return [text] }
        if let elements = node.elements { return elements.flatMap(words) }
        return (node.members ?? []).flatMap { [$0.name] + words(in: $0.node) }
    }

    private func randomAttribute(
        _ keys: [String],
        _ words: [String],
        _ generator: inout SeededGenerator
    ) -> (String, TestValue) {
        var key = keys.randomElement(using: &generator) ?? ""
        if Int.random(in: 0...5, using: &generator) == 0 { key += ".0.message.content" }
        switch Int.random(in: 0...3, using: &generator) {
        case 0: return (key, .string(words.randomElement(using: &generator) ?? ""))
        case 1: return (key, randomValue(0, &generator))
        default: return (key, .string(randomJSON(0, &generator)))
        }
    }

    private func expectReadable(_ batch: inout SpanBatch, _ comment: Comment) throws {
        var mapper = SpanMapper(rules: try TestRules.all.get())
        _ = mapper.map(&batch)
        guard let encoded = batch.encoded() else { return }
        let again = try SpanBatch(encoded.payload)
        #expect(again.spans.allSatisfy { $0.flaw == nil }, comment)
        #expect(again.spans.count == encoded.items, comment)
    }

    private static let names = ContentField.allCases.flatMap(\.names) + ["x", "input_cost", "total_cost"]
    private static let words = [
        "user", "assistant", "tool", "text", "tool_call", "tool_call_response", "image_url", "reasoning", "function",
        "http://i/1", #"[{\"type\":\"text\"}]"#, #"{\"role\":\"user\"}"#, "ü\\n\\u00fc\\ud83d", "", "message",
    ]

    private func randomJSON(_ depth: Int, _ generator: inout SeededGenerator) -> String {
        switch Int.random(in: depth > 4 ? 4...7 : 0...7, using: &generator) {
        case 0, 1:
            let elements = (0..<Int.random(in: 0...3, using: &generator)).map { _ in randomJSON(depth + 1, &generator) }
            return "[\(elements.joined(separator: ","))]"
        case 2, 3:
            let members = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                "\"\(Self.names.randomElement(using: &generator) ?? "")\":\(randomJSON(depth + 1, &generator))"
            }
            return "{\(members.joined(separator: ","))}"
        case 4: return "\(Int.random(in: -5...5, using: &generator))"
        case 5: return ["null", "true", "1.5e3", "12345678901234567890"].randomElement(using: &generator) ?? "null"
        default: return "\"\(Self.words.randomElement(using: &generator) ?? "")\""
        }
    }

    private func randomValue(_ depth: Int, _ generator: inout SeededGenerator) -> TestValue {
        switch Int.random(in: depth > 4 ? 4...8 : 0...8, using: &generator) {
        case 0, 1:
            return .array(
                (0..<Int.random(in: 0...3, using: &generator)).map { _ in randomValue(depth + 1, &generator) }
            )
        case 2, 3:
            return .members(
                (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                    (Self.names.randomElement(using: &generator) ?? "", randomValue(depth + 1, &generator))
                }
            )
        case 4: return .int(Int64.random(in: .min ... .max, using: &generator))
        case 5: return .double([0.5, .nan, .infinity, -1e300].randomElement(using: &generator) ?? 0)
        case 6: return .empty
        default: return .string(Self.words.randomElement(using: &generator) ?? "")
        }
    }
}
