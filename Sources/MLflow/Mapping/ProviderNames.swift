import Basics
import OTLP

/// Spellings of models and providers that say something else than their letters.
enum ProviderNames {
    /// What some emitters write where they know no model.
    private static let unknown = KeyTable(["none", "unknown", "None", "Unknown", "null", "undefined", "N/A"])
    /// Frameworks that write their own name where the provider's belongs.
    private static let frameworks = KeyTable([
        "spring_ai", "eino", "vercel", "vercel_ai", "langchain", "langchain4j", "langgraph", "llama_index",
        "llamaindex",
        "crewai", "strands-agents", "gcp.vertex.agent", "mastra", "autogen", "semantic_kernel", "haystack", "agno",
        "dspy",
        "smolagents", "openai_agents", "openai-agents", "pydantic_ai", "genkit", "voltagent", "agent_framework",
    ])
    /// Providers that may stand before a model's name; organisations of a model hub, such as `meta-llama`, may not.
    private static let prefixes = KeyTable([
        "openai", "azure", "anthropic", "bedrock", "gemini", "googleai", "vertexai", "vertex_ai", "groq", "ollama",
        "mistral",
        "cohere", "xai", "openrouter", "together_ai", "fireworks_ai", "perplexity", "huggingface", "deepinfra",
    ])

    static func isUnknown(_ range: Range<Int>, _ bytes: RawSpan) -> Bool { unknown.find(bytes, range) != nil }
    static func isFramework(_ range: Range<Int>, _ bytes: RawSpan) -> Bool { frameworks.find(bytes, range) != nil }

    /// The provider before the first slash of a model, and the model behind it.
    static func prefix(of model: Range<Int>, _ bytes: RawSpan) -> (provider: Range<Int>, model: Range<Int>)? {
        guard let slash = sign(UInt8(ascii: "/"), behindProviderIn: model, bytes) else { return nil }
        return (model.lowerBound..<slash, slash + 1..<model.upperBound)
    }

    /// A provider without the name of the interface that some put behind it, as in `openai:completions`.
    static func withoutInterface(_ provider: Range<Int>, _ bytes: RawSpan) -> Range<Int> {
        sign(UInt8(ascii: ":"), behindProviderIn: provider, bytes).map { provider.lowerBound..<$0 } ?? provider
    }

    /// The model of an ARN of Amazon's, such as `arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0`.
    ///
    /// What is behind the last slash of another kind of resource, such as an agent's, is no model.
    static func withoutResource(_ model: Range<Int>, _ bytes: RawSpan) -> Range<Int> {
        guard bytes.begins(model, with: "arn:"),
            let slash = model.last(where: { bytes.byte(at: $0) == UInt8(ascii: "/") }), slash + 1 < model.upperBound,
            let colon = model.last(where: { $0 < slash && bytes.byte(at: $0) == UInt8(ascii: ":") }),
            resources.contains(where: { bytes.equals($0, colon + 1..<slash) })
        else { return model }
        return slash + 1..<model.upperBound
    }

    private static let resources: [StaticString] = ["foundation-model", "inference-profile"]

    /// Where the first such sign stands, if a provider's name is before it and anything behind.
    private static func sign(_ sign: UInt8, behindProviderIn text: Range<Int>, _ bytes: RawSpan) -> Int? {
        guard let position = text.first(where: { bytes.byte(at: $0) == sign }), position + 1 < text.upperBound,
            prefixes.find(bytes, text.lowerBound..<position) != nil
        else { return nil }
        return position
    }
}
