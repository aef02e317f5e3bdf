import Basics
import OTLP
import TestKit
import Testing

@testable import MLflow

/// Messages that are written in the form of earlier ones are those that would be written without it.
struct ContentFormTests {
    @Test(arguments: [UInt64.random(in: 0...UInt64.max), 4])
    func `messages in a known form are what they are without it`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var found = 0
        var mapper = SpanMapper(rules: try TestRules.all.get())
        for round in 0..<120 {
            if round % 8 == 0 {
                found += mapper.content.forms.credit.found
                mapper = SpanMapper(rules: try TestRules.all.get())
            }
            let inputs = messages(&generator)
            let outputs = messages(&generator)
            let reasons = ["stop", "end_turn", "length"]
            let spans = (2...7).map { id in
                TestSpan(
                    id: id,
                    parent: 1,
                    [
                        "gen_ai.operation.name": Bool.random(using: &generator) ? "chat" : "execute_tool",
                        "gen_ai.input.messages": .string(fill(inputs, &generator)),
                        "gen_ai.output.messages": .string(fill(outputs, &generator)),
                        "gen_ai.response.finish_reasons": .array([
                            .string(reasons.randomElement(using: &generator) ?? "")
                        ]),
                    ]
                )
            }
            var batch = try SpanBatch(tracesRequest(spans, resource: []))
            _ = mapper.map(&batch)
            let together = try readSpans(batch.encoded()?.payload ?? [])
            for (span, read) in zip(spans, together) {
                let alone = try map(span)[0]
                #expect(read.attributes == alone.attributes && read.keys == alone.keys, "seed \(seed): \(span)")
            }
        }
        #expect(found > 20, "seed \(seed)")
    }

    /// Only one of two equal texts is written, and from what is written it cannot be told which.
    @Test(arguments: [
        #"[{"role":"user","text":"ONE","content":"TWO"}]"#, #"[{"role":"user","content":"ONE","content":"TWO"}]"#,
        #"[{"role":"user","content":"TWO","text":"ONE"}]"#,
    ])
    func `of two equal texts none is taken for the other`(form: String) throws {
        let texts = ["a", "b", "c"].map { String(repeating: $0, count: 40) }
        let spans = [(0, 0), (1, 0), (0, 1), (2, 2), (1, 2)].enumerated().map { index, pair in
            let chat = form.replacing("ONE", with: texts[pair.0]).replacing("TWO", with: texts[pair.1])
            return TestSpan(
                id: UInt64(index + 2),
                parent: 1,
                ["gen_ai.operation.name": "chat", "gen_ai.input.messages": .string(chat)]
            )
        }
        let together = try map(tracesRequest(spans, resource: []))
        for (span, read) in zip(spans, together) {
            #expect(try read["mlflow.spanInputs"] == map(span)[0]["mlflow.spanInputs"])
        }
    }

    /// What outputs are in is known from before, while a form more than there is room for is met in inputs.
    @Test func `a form that was found is not forgotten before it is written`() throws {
        let text = String(repeating: "a", count: 40)
        let spans = (2..<60).map { id in
            TestSpan(
                id: id,
                parent: 1,
                [
                    "gen_ai.operation.name": "chat",
                    "gen_ai.input.messages": .string(#"[{"role":"user","name":"\#(id)","content":"\#(text)"}]"#),
                    "gen_ai.output.messages": .string(#"[{"role":"assistant","content":"\#(text)\#(id)"}]"#),
                ]
            )
        }
        let together = try map(tracesRequest(spans, resource: []))
        for (span, read) in zip(spans, together) {
            let alone = try map(span)[0]
            #expect(read["mlflow.spanInputs"] == alone["mlflow.spanInputs"])
            #expect(read["mlflow.spanOutputs"] == alone["mlflow.spanOutputs"])
        }
    }

    /// A chat as JSON with `TEXT` where something long is said.
    private func messages(_ generator: inout SeededGenerator) -> String {
        let list = (0..<Int.random(in: 1...2, using: &generator)).map { _ in message(&generator) }.joined(
            separator: ", "
        )
        return [
            "[\(list)]", "{\"messages\": [\(list)]}", "{\"choices\":[{\"message\":\(message(&generator))}], \"n\":1}",
        ].randomElement(using: &generator) ?? ""
    }

    private func message(_ generator: inout SeededGenerator) -> String {
        let role = ["user", "assistant", "system", "tool"].randomElement(using: &generator) ?? ""
        let part = { (generator: inout SeededGenerator) in
            [
                #"{"type":"text","content":"TEXT"}"#, #"{"type": "reasoning", "content": "TEXT"}"#, #"{"text":"TEXT"}"#,
                #"{"type":"tool_call","name":"f","id":"1","arguments":{"text":"TEXT"}}"#, #""TEXT""#,
                #"{"type":"tool_call_response","id":"TEXT","response":{"content":"TEXT"}}"#,
                #"{"type":"uri","mime_type":"TEXT","uri":"http://i"}"#, #"{"type":"TEXT","text":"TEXT"}"#,
            ].randomElement(using: &generator) ?? ""
        }
        return [
            "{\"role\": \"\(role)\", \"content\": \"TEXT\"}",
            "{\"role\": \"\(role)\", \"content\": \"TEXT\", \"finish_reason\": \"TEXT\"}",
            "{\"role\":\"\(role)\",\"parts\":[\(part(&generator))],\"finish_reason\":\"tool_use\"}",
            "{\"content\":\"TEXT\",\"role\":\"\(role)\",\"tool_call_id\":\"TEXT\"}",
            "{\"role\":\"\(role)\",\"parts\":[\(part(&generator)), \(part(&generator))]}",
            "{\"role\":\"TEXT\",\"content\":[\(part(&generator))]}",
        ].randomElement(using: &generator) ?? ""
    }

    /// Puts a text in the place of each `TEXT`, sometimes one of few, so that several are the same.
    private func fill(_ json: String, _ generator: inout SeededGenerator) -> String {
        let few = ["a", "b"].map { String(repeating: $0, count: 40) }
        let isFew = Int.random(in: 0...2, using: &generator) == 0
        var parts = json.split(separator: "TEXT", omittingEmptySubsequences: false)[...]
        var filled = String(parts.removeFirst())
        for part in parts {
            filled += (isFew ? few.randomElement(using: &generator) ?? "" : text(&generator)) + part
        }
        return filled
    }

    /// Some have lengths at which the lengths around take another byte.
    private func text(_ generator: inout SeededGenerator) -> String {
        let word =
            ["a", #"\n"#, "ü", #"\u00fc"#, #"{\"role\":\"user\"}"#, "image/"].randomElement(using: &generator) ?? ""
        let counts = [1, 5, 31, 32, 40, 64, 100, 127, 130, 150, 250, 256, 300, 16_000, 16_300]
        let count = counts.randomElement(using: &generator) ?? 0
        return String(repeating: word, count: max(1, count / word.utf8.count))
    }
}
