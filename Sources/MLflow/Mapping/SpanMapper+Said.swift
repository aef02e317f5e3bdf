import Basics
import OTLP

// What of a span's content somebody said: the argument of a program that is the user's question, and no text of an error.

extension SpanMapper {
    /// Puts the text that a person said in the place of the object around it; never of a tool or of a model call, whose arguments
    /// are no conversation.
    mutating func open(_ found: inout Found, of index: Int, _ bytes: RawSpan) {
        guard [.agent, .other].contains(kind(of: index)) else { return }
        if case .node(let node) = found.inputs, let said = ownArgument(node, bytes) { found.inputs = .node(said) }
        if case .node(let node) = found.outputs, let said = ownResult(node, bytes) { found.outputs = .node(said) }
    }

    /// The one argument of a program, where it is what the user said: `{"question": "Is it sunny?"}`, and not `{"city": "Paris"}`;
    /// also of the parts of a program that all get the same.
    private mutating func ownArgument(_ node: Int, _ bytes: RawSpan) -> Int? {
        guard let only = content.tape.onlyText(of: node, bytes) else { return nil }
        if content.tape.isNamed(only.text, Self.asking, bytes) { return only.text }
        let text = content.tape.nodes[only.text].range
        return only.isAlone && text.contains { bytes.byte(at: $0) == UInt8(ascii: " ") } ? only.text : nil
    }

    /// The one result of a program, where its name says that it is the answer.
    private mutating func ownResult(_ node: Int, _ bytes: RawSpan) -> Int? {
        guard let only = content.tape.onlyText(of: node, bytes), content.tape.isNamed(only.text, Self.answering, bytes)
        else { return nil }
        return only.text
    }

    /// Names of arguments that are what a user says, be it one word.
    private static let asking = KeyTable([
        "question", "query", "prompt", "message", "input", "text", "content", "request", "task", "utterance",
        "user_input", "user_message", "user_query", "user_prompt", "userInput", "userMessage", "userQuery",
        "userPrompt",
        "input_text", "inputText", "msg", "q",
    ])

    /// Names of results that are what a program answers.
    private static let answering = KeyTable([
        "answer", "response", "reply", "output", "result", "text", "content", "message", "completion", "final_answer",
        "finalAnswer", "final_output", "finalOutput", "output_text", "outputText",
    ])

    /// Says of a span that it has no output, before MLflow takes the print of an object for one.
    mutating func silence(_ index: Int, _ decider: Decider, _ use: Range<Int>, _ batch: inout SpanBatch) {
        batch.addAttribute("mlflow.spanOutputs", to: .span(index)) { $0.null() }
        didSet("mlflow.spanOutputs", index, by: decider, of: use)
    }

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
    func suffix(while passes: (Int) -> Bool) -> Range<Int> {
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
