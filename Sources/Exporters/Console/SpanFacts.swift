import Basics
import OTLP

/// What the console says of one span.
struct SpanFacts {
    let traceID: TraceID
    let spanID: SpanID
    let parentID: SpanID?
    let start: UInt64
    let name: String
    let service: String
    /// Nil where the span has not ended.
    let duration: Duration?
    /// The span's kind or, where it has one, MLflow's type.
    let kind: String
    let model: String?
    let tokens: Tokens?
    /// The message of an error; nil for a span without error.
    let error: String?

    /// What a model call used.
    struct Tokens: Equatable {
        var input: Int64?
        var output: Int64?
    }

    init(_ index: Int, in batch: SpanBatch) {
        let span = batch.spans[index]
        let reader = AttributeReader(batch: batch, range: span.attributes)
        let resource = batch.resources[batch.scopes[span.scope].resource].attributes
        traceID = span.traceID
        spanID = span.spanID
        parentID = span.parentID
        start = span.start
        let name = batch.text(span.name).excerpt(max: 120)
        self.name = name.isEmpty ? "(no name)" : name
        service = AttributeReader(batch: batch, range: resource).text(["service.name"]) ?? "(no service)"
        duration =
            span.end >= span.start && span.end > 0
            ? .nanoseconds(Int64(clamping: span.end - span.start)) : nil
        kind = reader.text(["mlflow.spanType"]) ?? Self.kinds[span.kind] ?? ""
        model = reader.text(["mlflow.llm.model", "gen_ai.response.model", "gen_ai.request.model", "llm.model_name"])
        tokens = reader.tokens
        let message = batch.text(span.statusMessage).excerpt(max: 120)
        error = span.statusCode == 2 ? message : nil
    }

    /// `SpanKind` without the unspecified and the internal one, which say nothing.
    private static let kinds = [2: "server", 3: "client", 4: "producer", 5: "consumer"]
}

/// Looks attributes of one place up by key.
private struct AttributeReader {
    let batch: SpanBatch
    let range: Range<Int>

    /// The first of the keys that holds a text which is not empty.
    func text(_ keys: [StaticString]) -> String? {
        for key in keys {
            guard let index = batch.attribute(key, in: range), case .string(let text) = batch.value(of: index),
                !text.isEmpty
            else { continue }
            return batch.text(text).excerpt(max: 80)
        }
        return nil
    }

    var tokens: SpanFacts.Tokens? {
        if let index = batch.attribute("mlflow.chat.tokenUsage", in: range),
            case .keyValueList(let list) = batch.value(of: index)
        {
            let usage = usage(in: list)
            if usage != SpanFacts.Tokens() { return usage }
        }
        let usage = SpanFacts.Tokens(
            input: number(["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"]),
            output: number([
                "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
            ])
        )
        return usage == SpanFacts.Tokens() ? nil : usage
    }

    private func usage(in list: Range<Int>) -> SpanFacts.Tokens {
        var usage = SpanFacts.Tokens()
        let bytes = batch.bytes.span.bytes
        bytes.forEachMember(of: list) { key, value in
            guard case .int(let count) = AttributeValue(value, in: bytes) else { return }
            if bytes.equals("input_tokens", key) { usage.input = count }
            if bytes.equals("output_tokens", key) { usage.output = count }
        }
        return usage
    }

    private func number(_ keys: [StaticString]) -> Int64? {
        for key in keys {
            guard let index = batch.attribute(key, in: range) else { continue }
            if case .int(let number) = batch.value(of: index) { return number }
        }
        return nil
    }
}
