import Basics
import OTLP

// Every emitter has its own form of a message; they differ in names and nesting, not in what they say. So one reader knows
// all names, and a new convention needs only to say where its messages are.

extension ContentAssembler {
    /// Adds the messages that a node holds: a list, an object with a list inside, one message, or text.
    mutating func addMessages(_ node: Int, role: ChatRole?, _ bytes: RawSpan) {
        guard !tape.isEmpty(node) else { return }
        switch tape.nodes[node].kind {
        case .array:
            if let (role, text) = pair(node, bytes) { return sources.append(ChatSource(node: text, role: role)) }
            var element = node + 1
            while element < tape.nodes[node].next {
                if !isCutMark(element, bytes) { addMessages(element, role: role, bytes) }
                element = tape.nodes[element].next
            }
        case .object: addObject(node, role: role, bytes)
        default:
            sources.append(ChatSource(node: node, role: role))
        }
    }

    /// Whether an element says how many others `truncate` left out: nobody said that.
    private func isCutMark(_ node: Int, _ bytes: RawSpan) -> Bool {
        let range = tape.nodes[node].range
        guard tape.isText(node), 16...48 ~= range.count else { return false }
        return bytes.equals("… [", range.lowerBound..<range.lowerBound + 5)
            && bytes.equals(" cut]", range.upperBound - 5..<range.upperBound)
    }

    /// A message as LangChain lets people write it: a list of its role and its text.
    private mutating func pair(_ list: Int, _ bytes: RawSpan) -> (ChatRole, text: Int)? {
        guard let first = tape.firstElement(of: list), tape.isText(first),
            let second = tape.element(after: first, in: list), tape.isText(second),
            tape.element(after: second, in: list) == nil,
            let role = ChatRole(named: tape.nodes[first].range, in: bytes)
        else { return nil }
        return (role, second)
    }

    /// The message inside a choice, an event or a serialised object.
    private mutating func inner(_ fields: borrowing ContentFields) -> Int? {
        if let message = fields.first(.message) { return message }
        guard let object = fields.first(.kwargs, .data), tape.nodes[object].kind == .object else { return nil }
        let inside = ContentFields(of: object, on: tape)
        return inside[.content] != nil || inside.first(.text, .toolCalls) != nil ? object : nil
    }

    /// Adds what an object says: the list inside, after the system's instructions beside it; else it is one message.
    private mutating func addObject(_ node: Int, role: ChatRole?, _ bytes: RawSpan) {
        let fields = ContentFields(of: node, on: tape)
        if let list = serialisedList(fields) { return addMessages(list, role: role, bytes) }
        let inside =
            fields[.role] == nil ? fields.first(.messages, .choices, .contents, .candidates, .generations, .items) : nil
        let hasList = inside.map { tape.nodes[$0].kind == .array } ?? false
        let isPrompt = !hasList && fields[.role] == nil && fields.first(.content, .parts, .text) == nil
        guard let list = hasList ? inside : isPrompt ? fields.first(.prompt) : nil else {
            guard !isNote(fields, bytes) else { return }
            let isChoice = fields[.eventName].map { tape.equals($0, "gen_ai.choice", bytes) } ?? false
            if portion == .all || isChoice == (portion == .choices) {
                sources.append(ChatSource(node: node, role: role))
            }
            return
        }
        if takesBeside, beside == nil { beside = node }
        let config = fields[.config].map { tape.member(.system, of: $0) } ?? nil
        if let system = fields.first(.system) ?? config, !tape.isEmpty(system) {
            sources.append(ChatSource(node: system, role: .system))
        }
        addMessages(list, role: role, bytes)
    }

    /// The messages of a prompt that LangChain serialised.
    private func serialisedList(_ fields: borrowing ContentFields) -> Int? {
        guard let object = fields[.kwargs], fields[.role] == nil, let list = tape.member(.messages, of: object),
            tape.nodes[list].kind == .array
        else { return nil }
        return list
    }

    /// Whether an object in a list of messages is a note of LiveKit's about its agent, which nobody said.
    private mutating func isNote(_ fields: borrowing ContentFields, _ bytes: RawSpan) -> Bool {
        guard let type = fields.first(.type) else { return false }
        return tape.equals(type, "agent_config_update", bytes) || tape.equals(type, "agent_handoff", bytes)
    }

    /// Whether a node is the messages, or the request or answer with them, of any chat API.
    mutating func isChat(_ node: Int, _ bytes: RawSpan) -> Bool {
        switch tape.nodes[node].kind {
        case .array:
            guard let first = tape.firstElement(of: node) else { return false }
            return pair(first, bytes) != nil || isChat(first, bytes)
        case .object:
            let fields = ContentFields(of: node, on: tape)
            let list = fields.first(.messages, .choices, .contents, .candidates, .generations)
            if let list, tape.nodes[list].kind == .array { return !isListOfTexts(list) }
            if fields.first(.prompt) != nil, fields.first(.system) != nil { return true }
            if serialisedList(fields) != nil { return true }
            if let inner = fields.first(.message), tape.nodes[inner].kind == .object { return isChat(inner, bytes) }
            let inner = inner(fields)
            let says = fields.first(.content, .parts, .text, .toolCalls) ?? inner
            guard says != nil || fields[.content] != nil else { return false }
            if fields[.role] != nil || fields[.eventName] != nil || inner != nil && inner == fields[.kwargs] {
                return true
            }
            return fields.first(.type).map { ChatRole(named: tape.nodes[$0].range, in: bytes) != nil } ?? false
        default: return false
        }
    }

    /// What a tool answered: the content of the message of a tool, else the value itself.
    mutating func toolResult(_ node: Int, _ bytes: RawSpan) -> Int {
        if let texts = tape.texts(of: node), texts.count == 1 { return texts[0] }
        guard tape.nodes[node].kind == .object, isChat(node, bytes) else { return node }
        read(ChatSource(node: node, role: nil), defaultRole: .user, bytes)
        let fields = ContentFields(of: node, on: tape)
        let object = inner(fields) ?? node
        guard message.role == .tool, tape.nodes[object].kind == .object else { return node }
        return tape.member(.content, of: object) ?? node
    }

    /// Keeps what an object has beside its list of messages, so that it stands beside the answer.
    mutating func keepState(_ node: Int) {
        guard let list = tape.member(.messages, of: node) else { return }
        if tape.values(of: node).contains(where: { $0 != list && !tape.isEmpty($0) }) { besideOutputs = node }
    }

    /// Whether there are messages from `start` on; an answer that holds nothing goes, and one that inputs end with.
    mutating func saysAnything(from start: Int, _ side: Side, _ bytes: RawSpan) -> Bool {
        while side == .inputs, sources.count > start + 1, let last = sources.last, isEmptyAnswer(last, bytes) {
            sources.removeLast()
        }
        if side == .outputs, sources.count == start + 1, !saysAnything(sources[start]) { sources.removeLast() }
        if side == .inputs, sources[start...].allSatisfy({ isBare($0) }) { sources.removeSubrange(start...) }
        return sources.count > start
    }

    /// Whether a message is a role and nothing else: some recorders leave out what they have no form for.
    private func isBare(_ source: ChatSource) -> Bool {
        guard let role = tape.member(.role, of: source.node) else { return false }
        return tape.values(of: source.node).allSatisfy { $0 == role || tape.isEmpty($0) }
    }

    /// Whether a message is one of an assistant and holds nothing: some recorders write the one that is still to come.
    private func isEmptyAnswer(_ source: ChatSource, _ bytes: RawSpan) -> Bool {
        guard let role = tape.member(.role, of: source.node), tape.isText(role) else { return false }
        return ChatRole(named: tape.nodes[role].range, in: bytes) == .assistant && !saysAnything(source)
    }

    /// Whether a message holds anything but its role: some emitters record an empty text where a model only called tools.
    private func saysAnything(_ source: ChatSource) -> Bool {
        guard tape.nodes[source.node].kind == .object else { return !tape.isEmpty(source.node) }
        let fields = ContentFields(of: source.node, on: tape)
        let others = [
            fields.first(.toolCalls), fields.first(.functionCall), fields.first(.functionResponse),
            fields.first(.reasoning, .reasoningContent, .thinking),
        ]
        guard let content = fields.first(.parts, .content, .text),
            !others.contains(where: { $0.map { !tape.isEmpty($0) } ?? false }),
            fields.first(.role) != nil || !tape.values(of: source.node).contains(where: { !tape.isEmpty($0) })
        else { return true }
        guard tape.nodes[content].kind == .array else { return !tape.isEmpty(content) }
        return tape.elements(of: content).contains { part in
            let text = tape.member(.content, of: part) ?? tape.member(.text, of: part)
            return text.map { !tape.isText($0) || !tape.isEmpty($0) } ?? true
        }
    }

    /// Whether a list holds nothing but texts, such as what a language prints of its own objects.
    private func isListOfTexts(_ list: Int) -> Bool {
        tape.firstElement(of: list) != nil && tape.elements(of: list).allSatisfy { tape.isText($0) }
    }

    /// Whether messages that were read as an answer are none: all of them say that somebody else speaks.
    mutating func isNoAnswer(_ range: Range<Int>, _ bytes: RawSpan) -> Bool {
        for index in range {
            read(sources[index], defaultRole: .assistant, bytes)
            if message.role == .assistant { return false }
        }
        return true
    }

    /// Whether messages lack what the emitter has elsewhere: content beside a role, or the id of a tool's call.
    mutating func areIncomplete(_ range: Range<Int>, _ bytes: RawSpan) -> Bool {
        range.contains { index in
            let fields = ContentFields(of: sources[index].node, on: tape)
            guard let calls = fields.first(.toolCalls) else {
                guard let role = fields.first(.role) else { return false }
                if fields.first(.content, .contents, .parts, .text, .function) == nil { return true }
                return tape.equals(role, "tool", bytes) && fields.first(.toolCallID, .callID, .toolUseID, .id) == nil
            }
            return tape.elements(of: calls).contains { tape.member(.id, of: $0) == nil }
        }
    }

    /// Takes one message apart into `message`.
    mutating func read(_ source: ChatSource, defaultRole: ChatRole, _ bytes: RawSpan) {
        message.clear(role: source.role ?? defaultRole)
        readMore(source, bytes)
    }

    /// Adds another message to the one that was read.
    mutating func readMore(_ source: ChatSource, _ bytes: RawSpan) {
        readMessage(source.node, bytes)
        if message.role == .assistant, !message.parts.isEmpty { readPrintedThoughts(bytes) }
    }

    private mutating func readMessage(_ node: Int, _ bytes: RawSpan) {
        guard tape.nodes[node].kind == .object else { return readContent(node, bytes) }
        let fields = ContentFields(of: node, on: tape)
        let hasRole = readRole(fields, bytes)
        let info = fields.first(.generationInfo)
        if let reason = fields.first(.finishReason) ?? info.flatMap({ tape.member(.finishReason, of: $0) }) {
            message.finishReason = reason
        }
        let content = content(fields)
        if let inner = inner(fields), content == nil || tape.nodes[inner].kind == .object {
            return readInner(inner, bytes)
        }
        if !hasRole, let type = fields[.type], let kind = ChatPartKind(named: tape.nodes[type].range, in: bytes),
            kind != .text || fields.first(.text, .content) != nil
        {
            if kind == .toolCall { message.role = .assistant }
            return readPart(node, bytes)
        }
        if let content {
            readContent(content, bytes)
        } else if !hasRole, fields.first(.toolCalls, .functionCall, .functionResponse) == nil {
            return message.parts.append(.text(node))
        }
        let partCalls = message.calls.count
        if let calls = fields.first(.toolCalls) { readCalls(calls, bytes) }
        if partCalls > 0, message.calls.count > partCalls { dropRepeatedCalls(after: partCalls, bytes) }
        if let call = fields.first(.functionCall), !tape.isEmpty(call) { message.calls.append(call) }
        if let reasoning = fields.first(.reasoning, .reasoningContent, .thinking) { addReasoning(reasoning) }
        if message.role == .tool, let results = fields.first(.function), tape.nodes[results].kind == .array {
            for result in tape.elements(of: results) {
                if let response = object(result, bytes) {
                    message.responses.append(response)
                } else {
                    message.parts.append(.text(result))
                }
            }
        }
        if !message.calls.isEmpty, !message.parts.isEmpty { dropPrintedCalls(bytes) }
        let id = fields.first(.toolCallID, .callID, .toolUseID)
        message.toolCallID = id ?? (message.role == .tool ? fields.first(.id) ?? idInside(content) : nil)
        // Anthropic's API has a user bring what a tool answered.
        if message.role == .user, message.responses.isEmpty, let id, !tape.isEmpty(id) { message.role = .tool }
    }

    /// The id of a tool's call that the parts of a message have instead of itself.
    private func idInside(_ content: Int?) -> Int? {
        guard let part = content.flatMap({ tape.firstElement(of: $0) }), tape.nodes[part].kind == .object else {
            return nil
        }
        return ContentFields(of: part, on: tape).first(.toolCallID, .callID, .toolUseID)
    }

    /// Adds what was thought: a text, or a list or an object with texts.
    private mutating func addReasoning(_ node: Int) {
        guard !tape.isEmpty(node) else { return }
        switch tape.nodes[node].kind {
        case .array:
            for element in tape.elements(of: node) {
                message.reasoning.append(tape.member(.text, of: element) ?? element)
            }
        case .object:
            let fields = ContentFields(of: node, on: tape)
            message.reasoning.append(fields.first(.text) ?? fields.first(.reasoningContent) ?? node)
        default: message.reasoning.append(node)
        }
    }

    private mutating func content(_ fields: borrowing ContentFields) -> Int? {
        if let parts = fields[.parts], !tape.isEmpty(parts) { return parts }
        if let content = fields[.content], !tape.isEmpty(content) { return content }
        if let contents = fields[.contents], !tape.isEmpty(contents) { return contents }
        return fields[.text] ?? fields[.content] ?? fields[.parts]
    }

    /// Reads what may be the JSON text of a message.
    private mutating func readInner(_ node: Int, _ bytes: RawSpan) {
        if tape.isText(node), let parsed = parse(node, startingWith: UInt8(ascii: "{"), bytes) {
            readMessage(parsed, bytes)
        } else {
            readMessage(node, bytes)
        }
    }

    private mutating func readContent(_ node: Int, _ bytes: RawSpan) {
        switch tape.nodes[node].kind {
        case .null: return
        case .array:
            var element = node + 1
            while element < tape.nodes[node].next {
                readPart(element, bytes)
                element = tape.nodes[element].next
            }
        case .object where tape.member(.parts, of: node) != nil: readMessage(node, bytes)
        case .object: readPart(node, bytes)
        default:
            if let parsed = parse(node, startingWith: UInt8(ascii: "["), bytes), isListOfParts(parsed, bytes) {
                readContent(parsed, bytes)
            } else if !tape.isEmpty(node) {
                message.parts.append(.text(node))
            }
        }
    }

    private mutating func isListOfParts(_ node: Int, _ bytes: RawSpan) -> Bool {
        guard var element = tape.firstElement(of: node) else { return false }
        while ContentFields(of: element, on: tape).first(.type, .functionCall, .functionResponse) != nil {
            guard let next = tape.element(after: element, in: node) else { return true }
            element = next
        }
        return false
    }

    private mutating func readPart(_ node: Int, _ bytes: RawSpan) {
        guard tape.nodes[node].kind == .object else {
            if !tape.isEmpty(node) { message.parts.append(.text(node)) }
            return
        }
        let fields = ContentFields(of: node, on: tape)
        let type = fields.first(.type, .kind)
        if let type, tape.nodes[node].next == tape.nodes[type].next, type == node + 2 { return }
        switch type.flatMap({ ChatPartKind(named: tape.nodes[$0].range, in: bytes) }) {
        case .text:
            if let text = fields.first(.text, .content) { message.parts.append(.text(text)) }
        case .reasoning:
            let text = fields.first(.content, .text, .thinking, .reasoning, .summary)
            if let text { addReasoning(text) }
        case .toolCall: message.calls.append(node)
        case .toolResponse: message.responses.append(node)
        case .image, .file: addMedia(node, isImage: isImage(type, fields, bytes), bytes)
        case nil: readUntypedPart(node, fields, hasType: type != nil, bytes)
        }
    }

    /// Whether a part is called an image, or whoever sent it says that it is one.
    private func isImage(_ type: Int?, _ fields: borrowing ContentFields, _ bytes: RawSpan) -> Bool {
        if let modality = fields.first(.modality) { return tape.equals(modality, "image", bytes) }
        if case .image = type.flatMap({ ChatPartKind(named: tape.nodes[$0].range, in: bytes) }) { return true }
        return false
    }

    private mutating func readUntypedPart(
        _ node: Int,
        _ fields: borrowing ContentFields,
        hasType: Bool,
        _ bytes: RawSpan
    ) {
        if !hasType, fields.first(.name) != nil, fields.first(.arguments) != nil, fields.first(.callID, .id) != nil {
            message.calls.append(node)
        } else if !hasType, fields.first(.name) != nil, fields.first(.content) != nil, fields.first(.callID) != nil {
            message.responses.append(node)
        } else if !hasType, let call = fields.first(.functionCall) {
            message.calls.append(call)
        } else if !hasType, let response = fields.first(.functionResponse) {
            message.responses.append(response)
        } else if !hasType, let text = fields.first(.text, .content), tape.isText(text) {
            message.parts.append(.text(text))
        } else if !hasType, fields.first(.toolName) != nil, fields.first(.args, .arguments) != nil {
            message.calls.append(node)
        } else if !hasType, let reasoning = fields.first(.reasoning, .reasoningContent, .thinking) {
            addReasoning(reasoning)
        } else if !hasType, fields.first(.imageURL, .image, .media) != nil {
            addMedia(node, isImage: fields.first(.imageURL, .image) != nil, bytes)
        } else {
            message.parts.append(.text(node))
        }
    }

    private mutating func readCalls(_ node: Int, _ bytes: RawSpan) {
        var list = node
        if tape.isText(node), let parsed = parse(node, startingWith: UInt8(ascii: "["), bytes) { list = parsed }
        switch tape.nodes[list].kind {
        case .array: message.calls.append(contentsOf: tape.elements(of: list).filter { tape.nodes[$0].kind == .object })
        case .object: message.calls.append(list)
        default: return
        }
    }

    /// Text of an attribute that is JSON itself, taken apart; nil where it is none.
    private mutating func parse(_ node: Int, startingWith bracket: UInt8, _ bytes: RawSpan) -> Int? {
        let item = tape.nodes[node]
        guard item.kind == .text, item.origin != .json, let first = bytes.firstLetter(item.range), first == bracket,
            item.range.count <= contentMax
        else { return nil }
        return tape.append(json: item.range, of: bytes)
    }
}
