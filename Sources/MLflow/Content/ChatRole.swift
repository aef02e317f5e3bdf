import Basics
import OTLP

/// Who speaks in a message of OpenAI Chat Completions.
enum ChatRole: String, Sendable, CaseIterable {
    case system
    case user
    case assistant
    case tool

    private static let names = KeyTable(roles.map(\.0))
    private static let values = roles.map(\.1)
    private static let roles: [(String, ChatRole)] = [
        ("system", .system), ("developer", .system), ("System", .system), ("SYSTEM", .system),
        ("user", .user), ("human", .user), ("User", .user), ("USER", .user), ("Human", .user),
        ("assistant", .assistant), ("ai", .assistant), ("model", .assistant), ("AIMessageChunk", .assistant),
        ("Assistant", .assistant), ("ASSISTANT", .assistant), ("AI", .assistant), ("bot", .assistant),
        ("tool", .tool), ("function", .tool), ("Tool", .tool), ("TOOL", .tool), ("tool_response", .tool),
        ("observation", .tool), ("toolResult", .tool), ("tool_result", .tool), ("toolResponse", .tool),
        // The last part of the id of a message that LangChain serialised.
        ("SystemMessage", .system), ("HumanMessage", .user), ("HumanMessageChunk", .user), ("AIMessage", .assistant),
        ("ToolMessage", .tool), ("FunctionMessage", .tool),
    ]

    /// The role that one of the many names in use stands for; nil for an unknown one.
    init?(named range: Range<Int>, in bytes: RawSpan) {
        guard let index = Self.names.find(bytes, range) else { return nil }
        self = Self.values[index]
    }

    /// Its name on the page.
    var text: StaticString {
        switch self {
        case .system: "system"
        case .user: "user"
        case .assistant: "assistant"
        case .tool: "tool"
        }
    }
}

/// What a part of a message's content is.
enum ChatPartKind: Sendable {
    case text
    case reasoning
    case toolCall
    case toolResponse
    case image
    /// Something that is an image if its media type says so.
    case file

    private static let names = KeyTable(kinds.map(\.0))
    private static let values = kinds.map(\.1)
    private static let kinds: [(String, ChatPartKind)] = [
        ("text", .text), ("input_text", .text), ("output_text", .text), ("string", .text),
        ("reasoning", .reasoning), ("thinking", .reasoning), ("redacted_thinking", .reasoning),
        ("tool_call", .toolCall), ("tool-call", .toolCall), ("tool_use", .toolCall), ("function_call", .toolCall),
        ("function", .toolCall), ("toolCall", .toolCall), ("toolUse", .toolCall), ("builtin-tool-call", .toolCall),
        ("server_tool_use", .toolCall),
        ("tool_call_response", .toolResponse), ("tool-result", .toolResponse), ("tool_result", .toolResponse),
        ("function_call_output", .toolResponse), ("tool_response", .toolResponse), ("tool-return", .toolResponse),
        ("builtin-tool-return", .toolResponse), ("toolResult", .toolResponse), ("tool-error", .toolResponse),
        ("tool_output", .toolResponse),
        ("image_url", .image), ("image", .image), ("input_image", .image), ("image-url", .image),
        ("uri", .file), ("blob", .file), ("file", .file), ("binary", .file), ("media", .file), ("input_file", .file),
        ("input_audio", .file), ("audio", .file), ("video", .file), ("document", .file),
    ]

    /// The kind that one of the many names in use stands for; nil for an unknown one.
    init?(named range: Range<Int>, in bytes: RawSpan) {
        guard let index = Self.names.find(bytes, range) else { return nil }
        self = Self.values[index]
    }
}

/// Why a choice ended, as OpenAI calls it.
enum FinishReason: Sendable {
    case stop
    case length
    case toolCalls
    case contentFilter

    private static let names = KeyTable(reasons.map(\.0))
    private static let values = reasons.map(\.1)
    private static let reasons: [(String, FinishReason)] = [
        ("end_turn", .stop), ("stop_sequence", .stop), ("STOP", .stop), ("FinishReason.STOP", .stop),
        ("COMPLETE", .stop), ("endTurn", .stop),
        ("max_tokens", .length), ("MAX_TOKENS", .length), ("FinishReason.LENGTH", .length),
        ("tool_call", .toolCalls), ("tool_use", .toolCalls), ("tool-calls", .toolCalls),
        ("FinishReason.TOOL_CALLS", .toolCalls), ("TOOL_CALLS", .toolCalls), ("TOOL_CALL", .toolCalls),
        ("TOOL_EXECUTION", .toolCalls),
        ("toolUse", .toolCalls), ("LENGTH", .length), ("maxTokens", .length),
        ("SAFETY", .contentFilter), ("content-filter", .contentFilter),
    ]

    /// The reason that one of the other names in use stands for; nil for OpenAI's own and for an unknown one.
    init?(named range: Range<Int>, in bytes: RawSpan) {
        guard let index = Self.names.find(bytes, range) else { return nil }
        self = Self.values[index]
    }

    /// OpenAI's name.
    var text: StaticString {
        switch self {
        case .stop: "stop"
        case .length: "length"
        case .toolCalls: "tool_calls"
        case .contentFilter: "content_filter"
        }
    }
}
