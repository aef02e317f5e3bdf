import TestKit
import Testing

struct UsageTests {
    private func usage(_ attributes: KeyValuePairs<String, TestValue>) throws -> String? {
        var span = TestSpan(id: 2, parent: 1, attributes)
        span.attributes.append(("gen_ai.operation.name", "chat"))
        return try map(span)[0]["mlflow.chat.tokenUsage"]
    }

    private func counts(_ input: Int, _ output: Int, _ total: Int, _ more: String = "") -> String {
        #"{"input_tokens":\#(input),"output_tokens":\#(output),"total_tokens":\#(total)\#(more)}"#
    }

    @Test func `usage is always input, output and total`() throws {
        #expect(try usage(["gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 2]) == counts(5, 2, 7))
        #expect(try usage(["gen_ai.usage.input_tokens": 5]) == counts(5, 0, 5))
        #expect(
            try usage([
                "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 2, "gen_ai.usage.total_tokens": 9,
            ]) == counts(5, 2, 9)
        )
        #expect(try usage(["gen_ai.usage.prompt_tokens": 5, "gen_ai.usage.completion_tokens": 2]) == counts(5, 2, 7))
        #expect(try usage(["llm.token_count.prompt": 5, "llm.token_count.completion": 2]) == counts(5, 2, 7))
    }

    @Test func `numbers written as text or with a fraction of zero become whole`() throws {
        #expect(
            try usage(["gen_ai.usage.input_tokens": "5", "gen_ai.usage.output_tokens": 2.0]) == counts(5, 2, 7)
        )
        #expect(try usage(["gen_ai.usage.input_tokens": "many"]) == nil)
        #expect(try usage(["gen_ai.usage.input_tokens": -1]) == nil)
        #expect(try usage(["gen_ai.usage.input_tokens": .double(.nan)]) == nil)
        #expect(
            try usage(["gen_ai.usage.input_tokens": .int(.max), "gen_ai.usage.output_tokens": 1])
                == counts(.max, 1, .max)
        )
    }

    @Test(
        arguments: [
            "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
            "llm.token_count.prompt_details.cache_read",
        ]
    )
    func `cached tokens are found in every spelling, also that of another convention`(key: String) throws {
        let span = try map(
            TestSpan(
                id: 2,
                parent: 1,
                ["gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5, key: 3]
            )
        )[0]
        #expect(span["mlflow.chat.tokenUsage"] == counts(5, 0, 5, #","cache_read_input_tokens":3"#))
    }

    @Test func `an input below the cached tokens leaves them out, so they are added`() throws {
        #expect(
            try usage([
                "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 1,
                "gen_ai.usage.cache_read.input_tokens": 100, "gen_ai.usage.cache_write.input_tokens": 10,
            ])
                == counts(115, 1, 116, #","cache_read_input_tokens":100,"cache_creation_input_tokens":10"#)
        )
    }

    @Test func `the first convention with usage gives all of it`() throws {
        #expect(
            try usage([
                "gen_ai.usage.input_tokens": 5, "llm.token_count.prompt": 50, "llm.token_count.completion": 20,
            ]) == counts(5, 0, 5)
        )
    }

    @Test func `cost is set only whole and finite`() throws {
        func cost(_ attributes: KeyValuePairs<String, TestValue>) throws -> String? {
            var span = TestSpan(id: 2, parent: 1, attributes)
            span.attributes.append(("openinference.span.kind", "LLM"))
            return try map(span)[0]["mlflow.llm.cost"]
        }
        let whole = #"{"input_cost":0.5,"output_cost":0.25,"total_cost":0.75}"#
        #expect(try cost(["llm.cost.prompt": 0.5, "llm.cost.completion": 0.25, "llm.cost.total": 0.75]) == whole)
        #expect(try cost(["llm.cost.prompt": 0.5, "llm.cost.completion": 0.25]) == whole)
        #expect(try cost(["llm.cost.total": 0.75]) == nil)
        #expect(try cost(["llm.cost.prompt": .double(.infinity), "llm.cost.completion": 0.25]) == nil)
    }

    @Test func `a span that is no model call gets no usage`() throws {
        let span = try mapChild(["gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5])
        #expect(span["mlflow.chat.tokenUsage"] == nil)
    }

    @Test func `a wrapper above a model call of the request is told to count nothing`() throws {
        let agent = TestSpan("agent", id: 1, ["gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5])
        let step = TestSpan("step", id: 2, parent: 1)
        let call = TestSpan(
            "call",
            id: 3,
            parent: 2,
            ["gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5]
        )
        let other = TestSpan(
            "other",
            id: 9,
            parent: 8,
            [
                "gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5,
            ]
        )
        let spans = try map(call, step, agent, other)
        #expect(spans[0]["mlflow.chat.tokenUsage"] == counts(5, 0, 5))
        #expect(spans[2]["mlflow.chat.tokenUsage"] == "null")
        #expect(spans[3]["mlflow.chat.tokenUsage"] == nil)
    }

    @Test func `model and provider come from one convention, the answering model first`() throws {
        let span = try mapChild([
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt", "gen_ai.response.model": "gpt-1",
            "gen_ai.system": "old", "gen_ai.provider.name": "openai", "llm.model_name": "other",
        ])
        #expect(span["mlflow.llm.model"] == "\"gpt-1\"")
        #expect(span["mlflow.llm.provider"] == "\"openai\"")
        let own = try mapChild(["gen_ai.operation.name": "chat", "gen_ai.system": "x", "mlflow.llm.model": "mine"])
        #expect(own["mlflow.llm.model"] == "\"mine\"")
        #expect(own["mlflow.llm.provider"] == nil)
    }

    @Test func `a call without an answer is known by the model in its parameters`() throws {
        let span = try mapChild([
            "openinference.span.kind": "LLM", "llm.system": "openai", "llm.invocation_parameters": #"{"model":"gpt"}"#,
        ])
        #expect(span["mlflow.llm.model"] == "\"gpt\"")
    }
}
