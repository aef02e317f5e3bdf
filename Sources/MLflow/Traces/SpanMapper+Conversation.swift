import Basics
import Conditions
import OTLP

// Contents are mapped span by span and not kept; of the few spans that a trace's question and answer are looked for in they are read
// again.

extension SpanMapper {
    /// Reads what a span that was mapped before says of its conversation.
    mutating func conversation(
        of index: Int,
        _ kind: TraceSpan.Kind,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) -> Conversation? {
        guard content.tape.account.hasSteps else { return nil }
        look(at: index, spans[index], bytes)
        if !used.isEmpty { used.removeAll(keepingCapacity: true) }
        content.usesForms = false
        defer { content.usesForms = true }
        var conversation = Conversation()
        conversation.isHelper = isHelper(index, kind, bytes)
        guard !conversation.isHelper else { return conversation }
        let (inputs, outputs) = sides(of: index, &batch, bytes)
        if let inputs { readInputs(inputs, &conversation, bytes) }
        if let outputs { readOutputs(outputs, &conversation, bytes) }
        return conversation
    }

    /// Whether a model call only finds a title, or what to remember.
    mutating func isHelper(_ index: Int, _ kind: TraceSpan.Kind, _ bytes: RawSpan) -> Bool {
        guard kind == .model || kind == .agent else { return false }
        content.tape.account.steps &+= spans[index].attributes.count
        if isHelper(spans[index].name, kind, bytes) { return true }
        for attribute in spans[index].attributes {
            let key = attributes[attribute].key
            guard bytes.equals("ai.telemetry.functionId", key) || bytes.equals("gen_ai.agent.name", key) else {
                continue
            }
            if let name = attributes.text(of: attribute, bytes), isHelper(name, kind, bytes) { return true }
        }
        return false
    }

    private mutating func isHelper(_ name: Range<Int>, _ kind: TraceSpan.Kind, _ bytes: RawSpan) -> Bool {
        bytes.hasWord("title", in: name) || kind == .model && bytes.hasWord("memory", in: name)
    }

    /// The content of a span: what the app wrote for MLflow, else what the rules find.
    private mutating func sides(
        of index: Int,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) -> (inputs: ContentAssembler.Prepared?, outputs: ContentAssembler.Prepared?) {
        let own = [KnownKey.inputs, .outputs].map { scan[$0] }
        guard own.allSatisfy({ $0 == nil }) else {
            let nodes = own.map { $0.flatMap { content.tree(of: attributes[$0].value, bytes) } }
            return (nodes[0].map { .node($0) }, nodes[1].map { .node($0) })
        }
        let isModelCall = outcome.spans[index].type.map(MappingRules.isModelCall) ?? false
        let found = findContent(index, isModelCall: isModelCall, opensArgument: true, &batch, bytes)
        return (found.inputs, found.outputs)
    }

    private mutating func readInputs(
        _ inputs: ContentAssembler.Prepared,
        _ conversation: inout Conversation,
        _ bytes: RawSpan
    ) {
        guard let range = content.conversing(inputs, .inputs, bytes) else { return }
        for source in range {
            content.read(content.sources[source], defaultRole: .user, bytes)
            guard content.message.role != .system else { continue }
            let said = content.said(bytes)
            conversation.messages.append(content.fingerprint(bytes))
            if content.message.role == .user, !content.message.isUnknownRole, let said { conversation.question = said }
        }
    }

    private mutating func readOutputs(
        _ outputs: ContentAssembler.Prepared,
        _ conversation: inout Conversation,
        _ bytes: RawSpan
    ) {
        guard let range = content.conversing(outputs, .outputs, bytes) else { return }
        if content.joinsOutputs, let first = range.first {
            content.read(content.sources[first], defaultRole: .assistant, bytes)
            for source in range.dropFirst() { content.readMore(content.sources[source], bytes) }
            conversation.answer = content.said(bytes)
            conversation.call = conversation.answer == nil ? content.arguments(bytes) : nil
            return
        }
        for source in range {
            content.read(content.sources[source], defaultRole: .assistant, bytes)
            guard content.message.role == .assistant else { continue }
            if let said = content.said(bytes) { (conversation.answer, conversation.call) = (said, nil) }
            if conversation.answer == nil, conversation.call == nil { conversation.call = content.arguments(bytes) }
        }
    }
}

extension ContentAssembler {
    /// The messages of content: those that were found, or a text as one; nil of anything that nobody said.
    fileprivate mutating func conversing(_ content: Prepared, _ side: Side, _ bytes: RawSpan) -> Range<Int>? {
        let node: Int?
        switch content {
        case .messages(let range, _): return range
        case .text(let range): node = tape.append(.text, .joined, range)
        case .json(let range): node = tape.append(json: range, of: bytes)
        case .value(let range): node = range.count > contentMax ? nil : tape.append(value: range, of: bytes)
        case .node(let found): node = found
        case .documents, .form: node = nil
        }
        guard var node else { return nil }
        let start = sources.count
        if tape.isPrinted(node, bytes) { return start..<start }
        if let prompt = tape.member(.prompt, of: node), tape.isText(prompt) { node = prompt }
        if tape.isText(node) {
            sources.append(ChatSource(node: node, role: side.role))
        } else if isChat(node, bytes) {
            addMessages(node, role: side.role, bytes)
        }
        return start..<sources.count
    }

    /// The text of the message that was read, context that a program put before it left out; nil where there is none.
    fileprivate mutating func said(_ bytes: RawSpan) -> [UInt8]? {
        var texts: [[UInt8]] = []
        for part in message.parts {
            guard case .text(let node) = part, tape.isText(node), !tape.isEmpty(node) else { continue }
            var text: [UInt8] = []
            tape.appendText(node, to: &text, bytes)
            texts.append(text)
        }
        if texts.count == 1 { return texts[0].contains { $0 > UInt8(ascii: " ") } ? texts[0] : nil }
        // Google's ADK hands what other agents said on as a message of the user that begins so.
        if message.role == .user, texts.first?.elementsEqual("For context:".utf8) == true { return nil }
        let asked = texts.filter { !$0.span.bytes.isTagged(0..<$0.count) }
        let said = Array((asked.isEmpty ? texts : asked).joined(separator: joinsOutputs ? [] : [UInt8(ascii: "\n")]))
        return said.contains { $0 > UInt8(ascii: " ") } ? said : nil
    }

    /// The arguments of the first tool call of the message that was read.
    fileprivate mutating func arguments(_ bytes: RawSpan) -> [UInt8]? {
        guard let call = message.calls.first else { return nil }
        let fields = ContentFields(of: call, on: tape)
        let function = ContentFields(of: fields[.function] ?? call, on: tape)
        guard let node = function.first(.arguments, .args, .input, .parameters), !tape.isEmpty(node) else { return nil }
        var text: [UInt8] = []
        tape.appendText(node, to: &text, bytes)
        return text
    }

    /// What the message that was read can be recognised by: who speaks, and how long its parts are and how they begin and end.
    fileprivate mutating func fingerprint(_ bytes: RawSpan) -> UInt64 {
        var print = Fingerprint()
        print.add(message.role == .assistant ? 1 : message.role == .tool ? 2 : 0)
        for part in message.parts {
            switch part {
            case .text(let node), .image(let node), .imageData(_, let node), .media(let node):
                print.add(tape.nodes[node].range, bytes)
            }
        }
        for call in message.calls { print.add(UInt64(tape.nodes[call].range.count)) }
        for response in message.responses { print.add(UInt64(tape.nodes[response].range.count)) }
        return print.value
    }
}

/// Tells messages of one conversation apart; not proof against whoever wants two to look the same.
private struct Fingerprint {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ number: UInt64) {
        value = (value ^ number) &* 0x100_0000_01B3
        value ^= value >> 29
    }

    /// Adds a text by its length, its first and its last letters.
    mutating func add(_ range: Range<Int>, _ bytes: RawSpan) {
        add(UInt64(range.count))
        let (head, tail) = (range.prefix(Self.lettersMax), range.suffix(Self.lettersMax))
        for offset in head { add(UInt64(bytes.byte(at: offset))) }
        for offset in tail where offset >= head.upperBound { add(UInt64(bytes.byte(at: offset))) }
    }

    private static let lettersMax = 24
}
