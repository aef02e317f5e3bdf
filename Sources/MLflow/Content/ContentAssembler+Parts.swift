import Basics
import OTLP

// Parts of a message that recorders put elsewhere: what a model thought, as the JSON of it in a part of text, where they have no form
// for it; the calls of tools, as messages of their own behind the text of the same answer.

extension ContentAssembler {
    /// Takes the texts out that are the JSON of a part with what a model thought, and keeps what was thought.
    mutating func readPrintedThoughts(_ bytes: RawSpan) {
        guard message.parts.contains(where: { mayBePart($0, bytes) }) else { return }
        let parts = message.parts
        message.parts.removeAll(keepingCapacity: true)
        for part in parts {
            if case .text(let node) = part, mayBePart(part, bytes), addThought(node, bytes) { continue }
            message.parts.append(part)
        }
    }

    private func mayBePart(_ part: ChatMessage.Part, _ bytes: RawSpan) -> Bool {
        guard case .text(let node) = part, tape.isText(node) else { return false }
        return bytes.mayBePart(tape.nodes[node].range)
    }

    /// Whether a text was what a model thought; it stands in JSON itself, so that it is taken apart on a tape of its own.
    private mutating func addThought(_ node: Int, _ bytes: RawSpan) -> Bool {
        let size = tape.nodes[node].range.count
        guard size <= contentMax else { return false }
        // How it is written depends on letters of the text.
        newForms = .init(repeating: nil)
        tape.account.steps &+= size &>> 2
        var json: [UInt8] = []
        tape.appendText(node, to: &json, bytes)
        let letters = json.span.bytes
        var inner = ContentTape()
        guard let root = inner.append(json: 0..<json.count, of: letters) else { return false }
        let fields = ContentFields(of: root, on: inner)
        guard let type = fields.first(.type),
            case .reasoning = ChatPartKind(named: inner.nodes[type].range, in: letters),
            let said = fields.first(.thinking, .text, .content, .reasoning, .summary)
        else { return false }
        // A summary is a list of texts, which may be empty.
        let isEmptyList = inner.nodes[said].kind == .array && inner.isEmpty(said)
        guard let texts = inner.isText(said) ? [said] : isEmptyList ? [] : inner.texts(of: said) else { return false }
        for text in texts where !inner.isEmpty(text) {
            if !message.thoughts.isEmpty { message.thoughts.append(UInt8(ascii: "\n")) }
            inner.appendText(text, to: &message.thoughts, letters)
        }
        return true
    }

    /// Writes what was thought, in nodes and elsewhere, on lines of their own, unless it is pieces of one answer.
    mutating func writeReasoning(_ side: Side, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        text.removeAll(keepingCapacity: true)
        for node in message.reasoning where builder.count + text.count <= bytesStop {
            if !text.isEmpty, side == .inputs || !joinsOutputs { text.append(UInt8(ascii: "\n")) }
            tape.appendText(node, to: &text, bytes)
        }
        if !text.isEmpty, !message.thoughts.isEmpty { text.append(UInt8(ascii: "\n")) }
        text += message.thoughts
        builder.member("reasoning", text.span.bytes, 0..<text.count)
    }

    /// Writes an answer that is nothing but a text in quotes, in which stands the JSON of messages; whether it is one.
    ///
    /// The tape holds places in the request only, so that what stands behind escapes is taken apart by another assembler.
    mutating func writeQuoted(_ range: Range<Int>, to builder: inout ValueBuilder, _ bytes: RawSpan) -> Bool {
        guard range.count == 1, case let node = sources[range.lowerBound].node, tape.nodes[node].kind == .escaped,
            case let size = tape.nodes[node].range.count, size <= contentMax,
            bytes.firstLetter(tape.nodes[node].range) == UInt8(ascii: "{")
        else { return false }
        tape.account.steps &+= size
        var json: [UInt8] = []
        tape.appendText(node, to: &json, bytes)
        var inner = ContentAssembler(contentMax: contentMax)
        guard let root = inner.tape.append(json: 0..<json.count, of: json.span.bytes),
            inner.isChat(root, json.span.bytes)
        else { return false }
        inner.addMessages(root, role: .assistant, json.span.bytes)
        inner.write(.messages(0..<inner.sources.count), .outputs, to: &builder, json.span.bytes)
        return true
    }

    /// Outputs in which nobody answers, such as what tools did, as messages from `start` on; nil of an answer.
    ///
    /// On a root, where one would be shown as the answer, and where inputs are no messages, the structure that they were found in.
    mutating func passed(_ root: Int, from start: Int, isRoot: Bool, _ bytes: RawSpan) -> Prepared? {
        guard isNoAnswer(start..<sources.count, bytes) else { return nil }
        guard !isRoot, start > 0 else { return .node(root) }
        passesOn = true
        keepState(root)
        return .messages(start..<sources.count, root: root)
    }

    /// Adds to a text that was read the messages behind it that only call tools: parts of one answer that a recorder made messages of.
    mutating func joinCalls(from next: inout Int, before end: Int, _ bytes: RawSpan) {
        guard next < end, !message.parts.isEmpty, message.calls.isEmpty, message.finishReason == nil else { return }
        while next < end, onlyCalls(sources[next], bytes) {
            readMore(sources[next], bytes)
            next += 1
        }
    }

    /// Whether a message of an assistant calls tools, says nothing and is no choice of its own.
    private func onlyCalls(_ source: ChatSource, _ bytes: RawSpan) -> Bool {
        guard tape.nodes[source.node].kind == .object else { return false }
        let fields = ContentFields(of: source.node, on: tape)
        guard let calls = fields.first(.toolCalls), !tape.isEmpty(calls), fields.first(.message, .finishReason) == nil,
            fields.first(.content, .contents, .parts, .text).map({ tape.isEmpty($0) }) ?? true,
            let role = fields.first(.role), tape.isText(role)
        else { return false }
        return ChatRole(named: tape.nodes[role].range, in: bytes) == .assistant
    }
}

extension RawSpan {
    /// Whether a text, with or without JSON's escapes, begins as the JSON of a part: with its type or its id.
    func mayBePart(_ text: Range<Int>) -> Bool {
        guard let first = text.first, byte(at: first) == UInt8(ascii: "{") else { return false }
        var rest = text.dropFirst()
        while let next = rest.first,
            [UInt8(ascii: " "), UInt8(ascii: "\\"), UInt8(ascii: "\"")].contains(byte(at: next))
        {
            rest = rest.dropFirst()
        }
        let start = rest.lowerBound
        return rest.count > 8
            && (equals("type", start..<start + 4) || equals("id", start..<start + 2))
    }
}
