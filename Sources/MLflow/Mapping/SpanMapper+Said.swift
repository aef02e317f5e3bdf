import Basics
import OTLP

// What of a span's content somebody said: the argument of a program that is the user's question, and no text of an error.

extension SpanMapper {
    /// The one argument of a program, where it is what the user said: `{"question": "Is it sunny?"}`, and not `{"city": "Paris"}`.
    ///
    /// Never of a tool or of a model call, whose arguments are no conversation.
    mutating func ownArgument(_ node: Int, of index: Int, _ bytes: RawSpan) -> Int? {
        guard content.tape.nodes[node].kind == .object, [.agent, .other].contains(kind(of: index)),
            case let value = node + 2, value < content.tape.nodes[node].next,
            content.tape.nodes[value].next == content.tape.nodes[node].next, content.tape.isText(value)
        else { return nil }
        let text = content.tape.nodes[value].range
        content.tape.account.steps &+= text.count >> 4
        guard let first = bytes.firstLetter(text), first != UInt8(ascii: "{"), first != UInt8(ascii: "[") else {
            return nil
        }
        let name = content.tape.nodes[node + 1]
        let isAsked = name.kind == .text && Self.asking.find(bytes, name.range) != nil
        return isAsked || text.contains { bytes.byte(at: $0) == UInt8(ascii: " ") } ? value : nil
    }

    /// Names of arguments that are what a user says, be it one word.
    private static let asking = KeyTable([
        "question", "query", "prompt", "message", "input", "text", "content", "request", "task", "utterance",
        "user_input", "user_message", "user_query", "user_prompt", "userInput", "userMessage", "userQuery",
        "userPrompt",
        "input_text", "inputText", "msg", "q",
    ])

    /// Whether the output of a span that failed is the text of its error, which nobody answered.
    mutating func isErrorText(_ outputs: ContentAssembler.Prepared, _ index: Int, _ bytes: RawSpan) -> Bool {
        let text: Range<Int>
        switch outputs {
        case .text(let range): text = range
        case .node(let node) where content.tape.nodes[node].kind == .text: text = content.tape.nodes[node].range
        default: return false
        }
        let status = spans[index].statusMessage
        if !status.isEmpty, bytes.begins(text, with: status) { return true }
        guard let error = lastException(of: index, bytes), !error.message.isEmpty else { return false }
        if bytes.begins(text, with: error.message) { return true }
        let type = error.type.suffix(while: { bytes.byte(at: $0) != UInt8(ascii: ".") })
        guard !type.isEmpty, bytes.begins(text, with: type) else { return false }
        let message = error.message.prefix(Self.messageMax)
        let head = text.prefix(message.count + Self.messageMax)
        content.tape.account.steps &+= head.count &* (1 &+ message.count >> 4)
        return bytes.contains(message, in: head)
    }

    /// What the last exception of a span says; nil where there is none but what Millrace added.
    mutating func lastException(of index: Int, _ bytes: RawSpan) -> (type: Range<Int>, message: Range<Int>)? {
        guard let event = spans[index].events.last(where: { bytes.equals("exception", events[$0].name) }) else {
            return nil
        }
        content.tape.account.steps &+= spans[index].events.count &+ events[event].attributes.count
        var found = (type: 0..<0, message: 0..<0)
        for attribute in events[event].attributes {
            if bytes.equals("millrace.added", attributes[attribute].key) { return nil }
            guard let text = attributes.text(of: attribute, bytes) else { continue }
            if bytes.equals("exception.message", attributes[attribute].key) { found.message = text }
            if bytes.equals("exception.type", attributes[attribute].key) { found.type = text }
        }
        return found
    }

    /// Why a span failed: its status message, else what its last exception says.
    mutating func failureMessage(of index: Int, _ bytes: RawSpan) -> Range<Int> {
        let status = spans[index].statusMessage
        guard status.isEmpty, let error = lastException(of: index, bytes) else { return status }
        return error.message.isEmpty ? error.type : error.message
    }

    /// Gives a failed span without a status message that of its exception: MLflow's list shows no other.
    mutating func setStatusMessage(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        let message = bytes.prefix(of: failureMessage(of: index, bytes), characters: TextLimit.statusMessage)
        guard !message.isEmpty else { return }
        batch.setFailed(message, of: index)
        didSet("status", index, by: .engine("exception.message"), of: 0..<0)
    }

    /// Bytes of an error's message that are looked for, at most.
    private static var messageMax: Int { 256 }
}

extension Range<Int> {
    /// The longest end of it whose offsets all pass.
    fileprivate func suffix(while passes: (Int) -> Bool) -> Range<Int> {
        var start = upperBound
        while start > lowerBound, passes(start - 1) { start -= 1 }
        return start..<upperBound
    }
}

extension RawSpan {
    fileprivate func begins(_ text: Range<Int>, with other: Range<Int>) -> Bool {
        other.count <= text.count && isSame(other, as: self, text.prefix(other.count))
    }
}
