import Basics
import OTLP

/// A log record of a coding CLI that tells a part of a session: what a person asked, what a model or a tool did, what was answered.
struct SessionEvent {
    /// What it tells.
    enum Role {
        case prompt, answer
        /// A model call that has ended; its own text is an answer, where it has one.
        case call
        /// A request to a model that the records of its answer do not tell the start of.
        case request
        case failure
        case decision, tool
    }

    /// What the records of one program have in common.
    struct Program {
        let session: StaticString
        /// The attribute that names the turn; nil where none does.
        var turn: StaticString?
        /// Who makes the models; empty where that is not known.
        var provider = ""
        /// Whether its input tokens leave out the cached ones.
        var leavesOutCached = false
        /// Whether no record holds an answer, so that a call that has ended is all that there is.
        var hasNoAnswers = false
    }

    private struct Known {
        let name: StaticString
        let program: Program
        let role: Role
        var text: StaticString?
    }

    private static let claude = Program(
        session: "session.id",
        turn: "prompt.id",
        provider: "anthropic",
        leavesOutCached: true
    )
    private static let codex = Program(session: "conversation.id", provider: "openai", hasNoAnswers: true)
    private static let gemini = Program(session: "session.id", turn: "prompt_id", provider: "gcp.gemini")
    private static let qwen = Program(session: "session.id", turn: "prompt_id")

    private static let known =
        [
            Known(name: "claude_code.user_prompt", program: claude, role: .prompt, text: "prompt"),
            Known(name: "claude_code.assistant_response", program: claude, role: .answer, text: "response"),
            Known(name: "claude_code.api_request", program: claude, role: .call),
            Known(name: "claude_code.api_error", program: claude, role: .failure),
            Known(name: "claude_code.tool_decision", program: claude, role: .decision),
            Known(name: "claude_code.tool_result", program: claude, role: .tool),
            Known(name: "codex.user_prompt", program: codex, role: .prompt, text: "prompt"),
            Known(name: "codex.api_request", program: codex, role: .request),
            Known(name: "codex.sse_event", program: codex, role: .call),
            Known(name: "codex.tool_decision", program: codex, role: .decision),
            Known(name: "codex.tool_result", program: codex, role: .tool),
            Known(name: "gemini_cli.user_prompt", program: gemini, role: .prompt, text: "prompt"),
            Known(name: "gemini_cli.api_response", program: gemini, role: .call, text: "response_text"),
            Known(name: "gemini_cli.api_error", program: gemini, role: .failure),
            Known(name: "gemini_cli.tool_call", program: gemini, role: .tool),
            Known(name: "qwen-code.user_prompt", program: qwen, role: .prompt, text: "prompt"),
            Known(name: "qwen-code.api_response", program: qwen, role: .call, text: "response_text"),
            Known(name: "qwen-code.api_error", program: qwen, role: .failure),
            Known(name: "qwen-code.tool_call", program: qwen, role: .tool),
        ]
    private static let names = KeyTable(known.map { "\($0.name)" })

    let role: Role
    let program: Program
    /// The session, and the turn; that is empty where no attribute names it.
    let (session, turn): (String, String)
    /// Nanoseconds since 1970.
    let time: UInt64
    /// The bytes of the record, by which one that was sent twice is known.
    let field: Range<Int>
    private let textKey: StaticString?
    private let attributes: Range<Int>

    /// Nil for any other record, and for one that names no session.
    init?(_ unit: Int, of batch: borrowing Envelope) {
        let event = batch.logEvent(unit)
        guard let index = batch.index(of: event, in: Self.names) else { return nil }
        let known = Self.known[index]
        let attributes = batch.unit(unit).attributes
        guard let session = batch.text(of: known.program.session, in: attributes), !session.isEmpty else { return nil }
        let turn = known.program.turn.flatMap { batch.text(of: $0, in: attributes) }
        // Events of a stream tell the tokens once it has ended.
        if known.role == .call, batch.number(of: Keys.output, in: attributes) == nil { return nil }
        (self.session, self.turn, self.attributes) = (session, turn ?? "", attributes)
        (role, program, textKey) = (known.role, known.program, known.text)
        (time, field) = (event.time, event.field)
    }

    /// Whether the decision lets a tool run.
    func isAllowed(_ batch: borrowing Envelope) -> Bool {
        let decision = text(["decision"], batch) ?? ""
        return decision.hasPrefix("accept") || decision.hasPrefix("approved")
    }

    /// Whether the record ends a turn, as long as no tool runs.
    func isEnd(_ batch: borrowing Envelope) -> Bool {
        switch role {
        case .answer, .failure: true
        case .call: program.hasNoAnswers || said(batch) != nil
        case .prompt, .request, .decision, .tool: false
        }
    }

    /// What was asked or answered; nil for an empty text.
    func said(_ batch: borrowing Envelope) -> String? {
        guard let textKey, let text = batch.text(of: textKey, in: attributes), !text.isEmpty else { return nil }
        guard role == .call else { return text }
        // Those who help answer nobody.
        let isHelper = batch.text(of: "role", in: attributes) ?? "main" != "main"
        guard !isHelper, batch.text(of: "subagent_name", in: attributes) ?? "" == "" else { return nil }
        if let answer = GeminiText(text) { return answer.text }
        return text
    }

    func text(_ keys: [StaticString], _ batch: borrowing Envelope) -> String? {
        for key in keys {
            if let text = batch.text(of: key, in: attributes), !text.isEmpty { return text }
        }
        return nil
    }

    func number(_ keys: [StaticString], _ batch: borrowing Envelope) -> Double? {
        batch.number(of: keys, in: attributes)
    }

    /// Attributes that different programs give what is the same.
    enum Keys {
        static let model: [StaticString] = ["model", "model_name"]
        static let input: [StaticString] = ["input_tokens", "input_token_count"]
        static let output: [StaticString] = ["output_tokens", "output_token_count"]
        static let cacheRead: [StaticString] = [
            "cache_read_tokens", "cached_content_token_count", "cached_token_count",
        ]
        static let cacheCreation: [StaticString] = ["cache_creation_tokens", "cache_write_token_count"]
        static let reasoning: [StaticString] = ["thoughts_token_count", "reasoning_token_count"]
        static let total: [StaticString] = ["total_token_count"]
        static let cost: [StaticString] = ["cost_usd"]
        static let duration: [StaticString] = ["duration_ms"]
        static let response: [StaticString] = ["response_id", "request_id"]
        static let tool: [StaticString] = ["tool_name", "function_name"]
        static let arguments: [StaticString] = ["tool_input", "tool_parameters", "function_args", "arguments"]
        static let result: [StaticString] = ["tool_output", "output"]
        static let call: [StaticString] = ["tool_use_id", "call_id"]
        static let success: [StaticString] = ["success"]
        static let error: [StaticString] = ["error", "error.message", "error_message"]
        static let status: [StaticString] = ["status_code", "http.response.status_code", "http.status_code"]
        static let user: [StaticString] = ["user.email", "user.id", "user.account_id"]
    }
}

extension Envelope {
    /// Finds an event by its name, else by its body: Claude Code puts a short name into the attribute.
    func index(of event: LogEvent, in names: KeyTable) -> Int? {
        if !event.name.isEmpty, let index = names.find(bytes.span.bytes, event.name) { return index }
        guard !event.body.isEmpty, case .string(let text) = AttributeValue(event.body, in: bytes.span.bytes) else {
            return nil
        }
        return names.find(bytes.span.bytes, text)
    }

    /// An attribute as text; nil for containers, and where it has no value.
    fileprivate func text(of key: StaticString, in range: Range<Int>) -> String? {
        guard let index = attribute(key, in: range) else { return nil }
        switch value(of: index) {
        case .string(let range): return text(range)
        case .bool(let flag): return flag ? "true" : "false"
        case .int(let number): return "\(number)"
        case .double(let number): return "\(number)"
        case .empty, .bytes, .array, .keyValueList: return nil
        }
    }

    /// The first of several attributes that is a number, also one in a text.
    fileprivate func number(of keys: [StaticString], in range: Range<Int>) -> Double? {
        for key in keys {
            if let number = text(of: key, in: range).flatMap(Double.init), number.isFinite { return number }
        }
        return nil
    }
}

/// The text in what Gemini's API answers: an array of chunks, or one.
private struct GeminiText {
    let text: String?

    /// Nil where it is no such answer.
    init?(_ answer: String) {
        guard answer.hasPrefix("[") || answer.hasPrefix("{"),
            let node = try? JSONNode(parsing: Array(answer.utf8))
        else { return nil }
        let chunks = node.elements ?? [node]
        guard !chunks.isEmpty, chunks.allSatisfy({ $0["candidates"] != nil }) else { return nil }
        let parts = chunks.flatMap { chunk in
            (chunk["candidates"]?.elements ?? []).prefix(1).flatMap { $0["content"]?["parts"]?.elements ?? [] }
        }
        let texts = parts.filter { $0["thought"]?.bool != true }.compactMap { $0["text"]?.string }
        text = texts.isEmpty ? nil : texts.joined()
    }
}
