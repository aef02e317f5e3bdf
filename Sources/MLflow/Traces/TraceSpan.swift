package import OTLP

/// What a span says of its own, or what of a trace is still to be found.
package struct Sides: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Inputs, where a question may stand.
    package static let question = Sides(rawValue: 1)
    /// Outputs, where an answer may stand.
    package static let answer = Sides(rawValue: 2)
    /// An agent or a workflow that it names itself after; no side of a conversation.
    package static let name = Sides(rawValue: 4)
}

/// One span of a trace, as far as the trace's question, answer and name depend on it.
package struct TraceSpan: Sendable {
    /// What its type makes of it.
    package enum Kind: Sendable {
        /// A tool: neither it nor what it calls converses with the user.
        case tool
        /// Something beside the conversation, as embeddings, retrieval and judging are, with all below it.
        case aside
        /// A model call.
        case model
        /// An agent or a workflow.
        case agent
        /// Anything else.
        case other

        /// The kind of a type as MLflow names it; nil stands for no type.
        package init(type: String?) {
            switch type {
            case "TOOL": self = .tool
            case "EMBEDDING", "RERANKER", "RETRIEVER", "EVALUATOR", "GUARDRAIL", "PARSER", "MEMORY": self = .aside
            case "LLM", "CHAT_MODEL": self = .model
            case "AGENT", "WORKFLOW": self = .agent
            default: self = .other
            }
        }
    }

    /// How it ended.
    package enum Status: Sendable {
        case unset, ok, failed
    }

    package let id: SpanID
    /// Nil for a root.
    package let parent: SpanID?
    /// Nanoseconds since 1970.
    package let start: UInt64
    /// Nanoseconds since 1970; zero where it never ended.
    package let end: UInt64
    package let kind: Kind
    /// What it has content for; a hint that makes looking at it worth while.
    package let says: Sides
    package let status: Status

    package init(
        id: SpanID,
        parent: SpanID?,
        start: UInt64,
        end: UInt64,
        kind: Kind,
        says: Sides,
        status: Status = .unset
    ) {
        self.id = id
        self.parent = parent
        self.start = start
        self.end = max(start, end)
        self.kind = kind
        self.says = says
        self.status = status
    }
}
