import Basics
import OTLP

extension ContentAssembler {
    /// Writes one side of a span.
    mutating func write(_ content: Prepared, _ side: Side, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        switch content {
        case .value(let range): builder.raw(ofBody: bytes, range)
        case .text(let range): builder.string(ofBody: bytes, range)
        case .json(let range):
            tape.account.steps &+= range.count &>> 2
            if !builder.json(bytes, range) { builder.string(ofBody: bytes, range) }
        case .messages(let range, _):
            inventedCalls = 0
            inventedResponses = 0
            builder.expect(bytes: size(of: content))
            let start = builder.count
            if side == .inputs {
                writeMessages(range, to: &builder, bytes)
            } else if passesOn {
                writePassed(range, to: &builder, bytes)
            } else if !writeQuoted(range, to: &builder, bytes) {
                writeChoices(range, to: &builder, bytes)
            }
            // What was stopped is not how such messages are written.
            if let form = newForms[side.rawValue], tape.hasRoom, !tape.account.isOver(builder.count) {
                keep(form, builder, from: start, bytes)
            }
        case .form(let match): write(match, to: &builder, bytes)
        case .documents(let node): writeDocuments(node, to: &builder, bytes)
        case .node(let node): tape.write(node, to: &builder, bytes)
        }
    }

    /// How many bytes the builder may hold: over it no other part of a content is begun, because all of it is taken back.
    @inline(__always) var bytesStop: Int { tape.account.bytesStop }

    /// How many bytes of one side of a span are copied as they stand; 0 where it is put together.
    mutating func copiedSize(of content: Prepared?) -> Int {
        switch content {
        case .value(let range), .text(let range): range.count
        case nil, .json, .messages, .form, .documents, .node: 0
        }
    }

    /// About how many bytes one side of a span takes when it is written.
    mutating func size(of content: Prepared) -> Int {
        switch content {
        case .value(let range), .text(let range), .json(let range): return range.count
        case .messages(let range, _):
            var size = 0
            for source in range { size += self.size(of: sources[source]) }
            return size
        case .form(let match): return match.text.count
        case .documents(let node), .node(let node): return tape.nodes[node].range.count
        }
    }

    private mutating func writeMessages(_ range: Range<Int>, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let request = builder.beginKeyValueList()
        writeMessageList(range, to: &builder, bytes)
        if let beside {
            tape.writeMembers(of: beside, except: Self.messageFields, isSparing: true, to: &builder, bytes)
        }
        builder.end(request)
    }

    /// Writes messages of which none is an answer as what they are.
    private mutating func writePassed(_ range: Range<Int>, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let passed = builder.beginKeyValueList()
        writeMessageList(range, to: &builder, bytes)
        if let besideOutputs {
            tape.writeMembers(of: besideOutputs, except: Self.messageFields, to: &builder, bytes)
        }
        builder.end(passed)
    }

    private mutating func writeMessageList(_ range: Range<Int>, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        builder.key("messages")
        let messages = builder.beginArray()
        for index in range {
            guard builder.count <= bytesStop else { break }
            builder.expect(bytes: size(of: sources[index]))
            read(sources[index], defaultRole: .user, bytes)
            writeTurn(to: &builder, bytes)
        }
        builder.end(messages)
    }

    /// Writes the message that was read as those that OpenAI makes of it: what tools answered is a message each.
    private mutating func writeTurn(to builder: inout ValueBuilder, _ bytes: RawSpan) {
        if message.parts.count > 1, message.role == .user { writeContext(to: &builder, bytes) }
        if message.role == .assistant, !message.calls.isEmpty, !message.responses.isEmpty {
            let parts = message.parts
            message.parts.removeAll()
            writeMessage(.inputs, to: &builder, bytes)
            message.calls.removeAll()
            message.reasoning.removeAll()
            message.thoughts.removeAll()
            message.parts = parts
        }
        for response in message.responses where builder.count <= bytesStop {
            writeToolMessage(response, to: &builder, bytes)
        }
        let hasMore = !message.parts.isEmpty || !message.calls.isEmpty || !message.reasoning.isEmpty
        if hasMore || message.responses.isEmpty { writeMessage(.inputs, to: &builder, bytes) }
    }

    private mutating func writeChoices(_ range: Range<Int>, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let answers = builder.beginKeyValueList()
        builder.key("choices")
        let list = builder.beginArray()
        let answer = answer(in: range, bytes)
        let choices = answer.map { $0..<$0 + 1 } ?? (joinsOutputs ? range.prefix(1) : range)
        var hasAnswers = answer != nil
        var (index, next) = (0, choices.lowerBound)
        while next < choices.upperBound, builder.count <= bytesStop {
            let source = next
            next += 1
            read(sources[source], defaultRole: .assistant, bytes)
            if joinsOutputs { for more in range.dropFirst() { readMore(sources[more], bytes) } }
            if answer == nil { joinCalls(from: &next, before: choices.upperBound, bytes) }
            message.role = .assistant
            if message.parts.isEmpty, message.calls.isEmpty {
                message.parts = message.responses.map { .text($0) }
            } else if !message.responses.isEmpty {
                hasAnswers = true
                // Calls that were answered are no part of the final answer.
                if !message.parts.isEmpty { message.calls.removeAll() }
            }
            builder.expect(bytes: size(of: sources[source]))
            let choice = builder.beginKeyValueList()
            builder.member("index", int: Int64(index))
            builder.key("message")
            writeMessage(.outputs, to: &builder, bytes)
            let reason = message.finishReason ?? finishReason(of: index, bytes)
            if let reason, tape.isText(reason), !tape.isEmpty(reason) {
                writeFinishReason(reason, to: &builder, bytes)
            }
            builder.end(choice)
            index += 1
        }
        builder.end(list)
        if hasAnswers { writeMessageList(range, to: &builder, bytes) }
        if let besideOutputs {
            tape.writeMembers(of: besideOutputs, except: Self.messageFields, to: &builder, bytes)
        }
        builder.end(answers)
    }

    /// Of a whole conversation given as output, as agents do, the last thing that the assistant said; nil of choices.
    private mutating func answer(in range: Range<Int>, _ bytes: RawSpan) -> Int? {
        guard range.count > 1, !joinsOutputs else { return nil }
        var last: Int?
        var isConversation = false
        for index in range {
            read(sources[index], defaultRole: .assistant, bytes)
            if message.role == .assistant, message.responses.isEmpty { last = index } else { isConversation = true }
        }
        return isConversation ? last ?? range.upperBound - 1 : nil
    }

    /// The reason beside the messages for which a choice ended.
    private mutating func finishReason(of choice: Int, _ bytes: RawSpan) -> Int? {
        if let value = unreadReasons, let node = append(value: value, bytes) {
            finishReasons = tape.isText(node) ? [node] : tape.elements(of: node)
        }
        unreadReasons = nil
        return choice < finishReasons.count ? finishReasons[choice] : nil
    }

    /// About how many bytes a message takes when it is written: as many as it took.
    @inline(__always)
    private mutating func size(of source: ChatSource) -> Int { max(tape.nodes[source.node].range.count, 64) }

    /// What becomes messages, so that it does not stand beside them once more.
    private static let messageFields: Set<ContentField> = [
        .messages, .choices, .contents, .candidates, .generations, .items, .system, .prompt,
    ]

    /// The reason as OpenAI calls it, where another name of it is known.
    private mutating func writeFinishReason(_ node: Int, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        guard !ProviderNames.isUnknown(tape.nodes[node].range, bytes) else { return }
        if tape.nodes[node].kind == .text, let reason = FinishReason(named: tape.nodes[node].range, in: bytes) {
            builder.member("finish_reason", word: reason.text)
        } else {
            writeText("finish_reason", node, to: &builder, bytes)
        }
    }

    private mutating func writeToolMessage(_ response: Int, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let fields = ContentFields(of: response, on: tape)
        let result = builder.beginKeyValueList()
        builder.member("role", word: "tool")
        let origin = fields[.origin].flatMap { tape.member(.id, of: $0) }
        let id = fields.first(.toolCallID, .callID, .toolUseID, .id) ?? origin ?? message.toolCallID
        writeResponseID(id, to: &builder, bytes)
        if let result = fields.first(.response, .result, .output, .content) {
            writeResult("content", tape.openedResult(result, bytes), to: &builder, bytes)
        } else {
            builder.member("content", word: "")
        }
        builder.end(result)
    }

    /// What a tool answered: the text of a list of text parts, also where that is JSON text, else text or JSON.
    mutating func writeResult(
        _ name: StaticString,
        _ node: Int,
        to builder: inout ValueBuilder,
        _ bytes: RawSpan
    ) {
        if let texts = tape.texts(of: node) {
            writeJoined(name, texts.map { .text($0) }, .inputs, to: &builder, bytes)
        } else if let text = textInside(node, bytes) {
            builder.member(name, text.span.bytes, 0..<text.count)
        } else {
            writeText(name, node, to: &builder, bytes)
        }
    }

    /// The text of a list of text parts that is JSON text inside of JSON; nil for anything else.
    private mutating func textInside(_ node: Int, _ bytes: RawSpan) -> [UInt8]? {
        let range = tape.nodes[node].range
        guard tape.isText(node), range.count <= contentMax, bytes.firstLetter(range) == UInt8(ascii: "[") else {
            return nil
        }
        // How it is written depends on letters of the text.
        newForms = .init(repeating: nil)
        tape.account.steps &+= range.count &>> 2
        var json: [UInt8] = []
        tape.appendText(node, to: &json, bytes)
        var inner = ContentTape()
        guard let list = inner.append(json: 0..<json.count, of: json.span.bytes), let texts = inner.texts(of: list)
        else { return nil }
        var text: [UInt8] = []
        for (index, part) in texts.enumerated() {
            if index > 0 { text.append(UInt8(ascii: "\n")) }
            inner.appendText(part, to: &text, json.span.bytes)
        }
        return text
    }

    private mutating func writeMessage(_ side: Side, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let object = builder.beginKeyValueList()
        builder.member("role", word: message.role.text)
        writeContent(side, to: &builder, bytes)
        if message.role == .assistant, !message.reasoning.isEmpty || !message.thoughts.isEmpty {
            writeReasoning(side, to: &builder, bytes)
        }
        if message.role == .assistant, !message.calls.isEmpty {
            builder.key("tool_calls")
            let calls = builder.beginArray()
            for call in message.calls where builder.count <= bytesStop { writeCall(call, to: &builder, bytes) }
            builder.end(calls)
        }
        if message.role == .tool {
            writeResponseID(message.toolCallID, to: &builder, bytes)
        }
        builder.end(object)
    }

    private mutating func writeContent(_ side: Side, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        switch (message.parts.first, message.parts.count) {
        case (nil, _):
            if message.role == .assistant {
                builder.nullMember("content")
            } else {
                builder.member("content", word: "")
            }
        case (.text(let node), 1):
            writeText("content", node, to: &builder, bytes)
        case (_, _) where side == .outputs:
            // MLflow 3.6.0 takes no list here.
            writeJoined("content", message.parts, side, to: &builder, bytes)
        default:
            builder.key("content")
            let parts = builder.beginArray()
            for part in message.parts where builder.count <= bytesStop { writePart(part, to: &builder, bytes) }
            builder.end(parts)
        }
    }

    private mutating func writePart(_ part: ChatMessage.Part, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let object = builder.beginKeyValueList()
        switch part {
        case .text(let node):
            builder.member("type", word: "text")
            writeText("text", node, to: &builder, bytes)
        case .media:
            builder.member("type", word: "text")
            writeJoined("text", [part], .inputs, to: &builder, bytes)
        case .image, .imageData:
            builder.member("type", word: "image_url")
            builder.key("image_url")
            let address = builder.beginKeyValueList()
            writeAddress(part, to: &builder, bytes)
            builder.end(address)
        }
        builder.end(object)
    }

    private mutating func writeAddress(_ part: ChatMessage.Part, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        text.removeAll(keepingCapacity: true)
        switch part {
        case .text(let node), .image(let node), .media(let node): tape.appendText(node, to: &text, bytes)
        case .imageData(let mediaType, let data):
            text.append("data:")
            if let mediaType { tape.appendText(mediaType, to: &text, bytes) } else { text.append("image/png") }
            text.append(";base64,")
            tape.appendText(data, to: &text, bytes)
        }
        builder.member("url", text.span.bytes, 0..<text.count)
    }

    private mutating func writeCall(_ call: Int, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let fields = ContentFields(of: call, on: tape)
        let function = ContentFields(of: fields[.function] ?? call, on: tape)
        let object = builder.beginKeyValueList()
        if let id = fields.first(.toolCallID, .callID, .toolUseID, .id), !tape.isEmpty(id) {
            writeText("id", id, to: &builder, bytes)
        } else {
            builder.key("id")
            builder.string("call_\(inventedCalls)")
            inventedCalls += 1
        }
        builder.member("type", word: "function")
        builder.key("function")
        let body = builder.beginKeyValueList()
        if let name = function.first(.name, .toolName) ?? fields.first(.name, .toolName) {
            writeText("name", name, to: &builder, bytes)
        } else {
            builder.member("name", word: "function")
        }
        if let arguments = function.first(.arguments, .args, .input, .parameters) {
            writeText("arguments", arguments, to: &builder, bytes)
        } else {
            builder.member("arguments", word: "{}")
        }
        builder.end(body)
        builder.end(object)
    }

    private mutating func writeResponseID(_ node: Int?, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        if let node, !tape.isEmpty(node) {
            writeText("tool_call_id", node, to: &builder, bytes)
        } else {
            builder.key("tool_call_id")
            builder.string("call_\(inventedResponses)")
            inventedResponses += 1
        }
    }

    /// A member that is a node as a string: text itself, everything else as JSON.
    mutating func writeText(
        _ name: StaticString,
        _ node: Int,
        to builder: inout ValueBuilder,
        _ bytes: RawSpan
    ) {
        let item = tape.nodes[node]
        if item.kind == .text { return builder.member(name, bytes, item.range) }
        text.removeAll(keepingCapacity: true)
        tape.appendText(node, to: &text, bytes)
        builder.member(name, text.span.bytes, 0..<text.count)
    }

    /// Texts as one: on lines of their own, unless they are pieces of one answer.
    private mutating func writeJoined(
        _ name: StaticString,
        _ parts: [ChatMessage.Part],
        _ side: Side,
        to builder: inout ValueBuilder,
        _ bytes: RawSpan
    ) {
        text.removeAll(keepingCapacity: true)
        for (index, part) in parts.enumerated() {
            guard builder.count + text.count <= bytesStop else { break }
            if index > 0, side == .inputs || !joinsOutputs { text.append(UInt8(ascii: "\n")) }
            switch part {
            case .text(let node), .image(let node), .imageData(_, let node): tape.appendText(node, to: &text, bytes)
            case .media(let node): text += mediaLine(node, bytes)
            }
        }
        builder.member(name, text.span.bytes, 0..<text.count)
    }
}
