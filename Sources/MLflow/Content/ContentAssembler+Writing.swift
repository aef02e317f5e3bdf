import Basics
import OTLP

extension ContentAssembler {
    /// Writes one side of a span.
    mutating func write(_ content: Prepared, _ side: Side, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        switch content {
        case .value(let range): builder.raw(bytes, range)
        case .text(let range): builder.string(bytes, range)
        case .json(let range): if !builder.json(bytes, range) { builder.string(bytes, range) }
        case .messages(let range):
            inventedCalls = 0
            inventedResponses = 0
            if side == .inputs {
                writeMessages(range, to: &builder, bytes)
            } else {
                writeChoices(range, to: &builder, bytes)
            }
        case .documents(let node): writeDocuments(node, to: &builder, bytes)
        }
    }

    private mutating func writeMessages(_ range: Range<Int>, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        builder.beginKeyValueList()
        builder.key("messages")
        builder.beginArray()
        for index in range {
            read(sources[index], defaultRole: .user, bytes)
            for response in message.responses { writeToolMessage(response, to: &builder, bytes) }
            let hasMore = !message.parts.isEmpty || !message.calls.isEmpty || !message.reasoning.isEmpty
            if hasMore || message.responses.isEmpty { writeMessage(.inputs, to: &builder, bytes) }
        }
        builder.endArray()
        builder.endKeyValueList()
    }

    private mutating func writeChoices(_ range: Range<Int>, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        builder.beginKeyValueList()
        builder.key("choices")
        builder.beginArray()
        for (index, source) in range.enumerated() {
            read(sources[source], defaultRole: .assistant, bytes)
            message.role = .assistant
            message.parts.append(contentsOf: message.responses.map { .text($0) })
            builder.beginKeyValueList()
            builder.key("index")
            builder.int(Int64(index))
            builder.key("message")
            writeMessage(.outputs, to: &builder, bytes)
            let reason = message.finishReason ?? (index < finishReasons.count ? finishReasons[index] : nil)
            if let reason, tape.isText(reason), !tape.isEmpty(reason) {
                builder.key("finish_reason")
                writeFinishReason(reason, to: &builder, bytes)
            }
            builder.endKeyValueList()
        }
        builder.endArray()
        builder.endKeyValueList()
    }

    /// OpenAI says `tool_calls` where OpenTelemetry says `tool_call`.
    private mutating func writeFinishReason(_ node: Int, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        if tape.equals(node, "tool_call", bytes) {
            builder.string("tool_calls")
        } else {
            writeText(node, to: &builder, bytes)
        }
    }

    private mutating func writeToolMessage(_ response: Int, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let fields = ContentFields(of: response, on: tape, in: bytes)
        builder.beginKeyValueList()
        builder.key("role")
        builder.string("tool")
        builder.key("tool_call_id")
        let id = fields.first(.id, .toolCallID, .callID, .toolUseID, on: tape) ?? message.toolCallID
        writeResponseID(id, to: &builder, bytes)
        builder.key("content")
        if let result = fields.first(.response, .result, .output, .content, on: tape) {
            writeText(result, to: &builder, bytes)
        } else {
            builder.string("")
        }
        builder.endKeyValueList()
    }

    private mutating func writeMessage(_ side: Side, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        builder.beginKeyValueList()
        builder.key("role")
        builder.string("\(message.role.text)")
        builder.key("content")
        writeContent(side, to: &builder, bytes)
        if message.role == .assistant, !message.reasoning.isEmpty {
            builder.key("reasoning")
            writeJoined(message.reasoning, to: &builder, bytes)
        }
        if message.role == .assistant, !message.calls.isEmpty {
            builder.key("tool_calls")
            builder.beginArray()
            for call in message.calls { writeCall(call, to: &builder, bytes) }
            builder.endArray()
        }
        if message.role == .tool {
            builder.key("tool_call_id")
            writeResponseID(message.toolCallID, to: &builder, bytes)
        }
        builder.endKeyValueList()
    }

    private mutating func writeContent(_ side: Side, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        switch (message.parts.first, message.parts.count) {
        case (nil, _):
            if message.role == .assistant { builder.null() } else { builder.string("") }
        case (.text(let node), 1):
            writeText(node, to: &builder, bytes)
        case (_, _) where side == .outputs:
            // MLflow 3.6.0 takes no list here.
            let nodes = message.parts.map { part in
                switch part {
                case .text(let node), .image(let node), .imageData(_, let node): node
                }
            }
            writeJoined(nodes, to: &builder, bytes)
        default:
            builder.beginArray()
            for part in message.parts { writePart(part, to: &builder, bytes) }
            builder.endArray()
        }
    }

    private mutating func writePart(_ part: ChatMessage.Part, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        builder.beginKeyValueList()
        builder.key("type")
        if case .text(let node) = part {
            builder.string("text")
            builder.key("text")
            writeText(node, to: &builder, bytes)
        } else {
            builder.string("image_url")
            builder.key("image_url")
            builder.beginKeyValueList()
            builder.key("url")
            writeAddress(part, to: &builder, bytes)
            builder.endKeyValueList()
        }
        builder.endKeyValueList()
    }

    private mutating func writeAddress(_ part: ChatMessage.Part, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        text.removeAll(keepingCapacity: true)
        switch part {
        case .text(let node), .image(let node): tape.appendText(node, to: &text, bytes)
        case .imageData(let mediaType, let data):
            text.append("data:")
            if let mediaType { tape.appendText(mediaType, to: &text, bytes) } else { text.append("image/png") }
            text.append(";base64,")
            tape.appendText(data, to: &text, bytes)
        }
        builder.string(text.span.bytes, 0..<text.count)
    }

    private mutating func writeCall(_ call: Int, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let fields = ContentFields(of: call, on: tape, in: bytes)
        let function = fields[.function].map { ContentFields(of: $0, on: tape, in: bytes) } ?? fields
        builder.beginKeyValueList()
        builder.key("id")
        if let id = fields.first(.id, .toolCallID, .callID, .toolUseID, on: tape), !tape.isEmpty(id) {
            writeText(id, to: &builder, bytes)
        } else {
            builder.string("call_\(inventedCalls)")
            inventedCalls += 1
        }
        builder.key("type")
        builder.string("function")
        builder.key("function")
        builder.beginKeyValueList()
        builder.key("name")
        if let name = function.first(.name, .toolName, on: tape) ?? fields.first(.name, .toolName, on: tape) {
            writeText(name, to: &builder, bytes)
        } else {
            builder.string("function")
        }
        builder.key("arguments")
        let arguments = function.first(.arguments, .args, .input, .parameters, on: tape)
        if let arguments { writeText(arguments, to: &builder, bytes) } else { builder.string("{}") }
        builder.endKeyValueList()
        builder.endKeyValueList()
    }

    private mutating func writeResponseID(_ node: Int?, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        if let node, !tape.isEmpty(node) {
            writeText(node, to: &builder, bytes)
        } else {
            builder.string("call_\(inventedResponses)")
            inventedResponses += 1
        }
    }

    /// A node as a string: text itself, everything else as JSON.
    mutating func writeText(_ node: Int, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        if tape.nodes[node].kind == .text { return builder.string(bytes, tape.nodes[node].range) }
        text.removeAll(keepingCapacity: true)
        tape.appendText(node, to: &text, bytes)
        builder.string(text.span.bytes, 0..<text.count)
    }

    private mutating func writeJoined(_ nodes: [Int], to builder: inout ValueBuilder, _ bytes: RawSpan) {
        text.removeAll(keepingCapacity: true)
        for (index, node) in nodes.enumerated() {
            if index > 0 { text.append(UInt8(ascii: "\n")) }
            tape.appendText(node, to: &text, bytes)
        }
        builder.string(text.span.bytes, 0..<text.count)
    }
}
