import Basics
import OTLP

extension SpanMapper {
    /// What was found for one span, side by side.
    private struct Found {
        var inputs: ContentAssembler.Prepared?
        var outputs: ContentAssembler.Prepared?
        var hasTools = false
        var inputsRank = 0
        var outputsRank = 0
        var toolsRank = 0
    }

    /// Gives inputs, outputs and tools from the first convention that has any of them.
    mutating func decideContent(
        _ index: Int,
        isModelCall: Bool,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        let group: RuleGroup = isModelCall ? .content : .contentElsewhere
        var candidates = scan.rules(of: group)
        guard candidates != 0, scan[.inputs] == nil, scan[.outputs] == nil else { return }
        var found = Found()
        var convention: Int?
        while let rank = candidates.popLowest() {
            let own = isModelCall ? rules.contents[rank].convention : rules.contentsElsewhere[rank].convention
            guard convention == nil || convention == own else { continue }
            find(isModelCall ? rules.contents[rank] : rules.contentsElsewhere[rank], rank, of: index, &found, bytes)
            if found.inputs != nil || found.outputs != nil { convention = own }
        }
        write(found, index, group, &batch, bytes)
    }

    private mutating func find(
        _ rule: MappingRules.Content,
        _ rank: Int,
        of index: Int,
        _ found: inout Found,
        _ bytes: RawSpan
    ) {
        if found.inputs == nil, let source = rule.inputs {
            found.inputs = prepare(source, .inputs, of: index, bytes)
            if found.inputs != nil { found.inputsRank = rank }
        }
        if found.outputs == nil, let source = rule.outputs {
            found.outputs = prepare(source, .outputs, of: index, bytes)
            if case .messages = found.outputs, let reasons = source.finishReasons.flatMap({ scan[$0] }) {
                content.unreadReasons = attributes[reasons].value
            }
            if found.outputs != nil { found.outputsRank = rank }
        }
        if !found.hasTools, let source = rule.tools, scan[.tools] == nil,
            let node = node(source, bytes)
        {
            found.hasTools = content.readTools(node, bytes)
            if found.hasTools { found.toolsRank = rank }
        }
    }

    private mutating func write(
        _ found: Found,
        _ index: Int,
        _ group: RuleGroup,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        var inputs = found.inputs
        var outputs = found.outputs
        let isChat = inputs?.isChat ?? false || outputs?.isChat ?? false
        if isChat {
            inputs = inputs.map { content.asMessages($0, .inputs, bytes) }
            outputs = outputs.map { content.asMessages($0, .outputs, bytes) }
        }
        if let inputs {
            batch.addAttribute("mlflow.spanInputs", to: .span(index), expecting: content.size(of: inputs)) {
                content.write(inputs, .inputs, to: &$0, bytes)
            }
            didSet("mlflow.spanInputs", index, by: .rule(group, found.inputsRank))
        }
        if let outputs {
            batch.addAttribute("mlflow.spanOutputs", to: .span(index), expecting: content.size(of: outputs)) {
                content.write(outputs, .outputs, to: &$0, bytes)
            }
            didSet("mlflow.spanOutputs", index, by: .rule(group, found.outputsRank))
        }
        if isChat, scan[.messageFormat] == nil {
            batch.addAttribute("mlflow.message.format", to: .span(index)) { $0.word("openai") }
            didSet(
                "mlflow.message.format",
                index,
                by: .rule(group, found.inputs == nil ? found.outputsRank : found.inputsRank)
            )
        }
        if found.hasTools {
            batch.addAttribute("mlflow.chat.tools", to: .span(index)) { content.writeTools(to: &$0, bytes) }
            didSet("mlflow.chat.tools", index, by: .rule(group, found.toolsRank))
        }
    }

    private mutating func prepare(
        _ source: MappingRules.Source,
        _ side: ContentAssembler.Side,
        of index: Int,
        _ bytes: RawSpan
    ) -> ContentAssembler.Prepared? {
        if case .attribute(let key) = source.origin {
            guard let attribute = scan[key] else { return nil }
            let value = attributes[attribute].value
            let isPlain = source.mediaType.flatMap { scan[$0] }.map { attributes.isPlainText($0, bytes) } ?? false
            if source.shape == .value || value.count > content.contentMax {
                let prepared = ContentAssembler.prepare(value: value, isPlain: isPlain, upTo: content.contentMax, bytes)
                if prepared != nil { use(attribute) }
                return prepared
            }
        }
        let start = content.sources.count
        if case .events(let events) = source.origin {
            for event in spans[index].events { addEvent(event, events.range, bytes) }
        } else {
            guard let node = node(source, bytes) else { return nil }
            if source.shape == .documents {
                return content.tape.firstElement(of: node) == nil ? nil : .documents(node)
            }
            guard source.shape == .chat else { return nil }
            content.addMessages(node, role: nil, bytes)
            if content.sources.count > start, let key = source.instructions, let attribute = scan[key] {
                addInstructions(attributes[attribute].value, at: start, bytes)
            }
        }
        return content.sources.count > start ? .messages(start..<content.sources.count) : nil
    }

    /// The root of a source that is one attribute or a flattened list.
    private mutating func node(_ source: MappingRules.Source, _ bytes: RawSpan) -> Int? {
        switch source.origin {
        case .attribute(let key):
            guard let attribute = scan[key],
                let node = content.append(value: attributes[attribute].value, bytes)
            else { return nil }
            use(attribute)
            return node
        case .flattened(let family, let unwrap):
            guard
                let node = content.flattened.build(
                    family,
                    unwrap: unwrap.range.map { rules.words[Int(rules.numbers[$0])] },
                    on: &content.tape,
                    of: bytes
                )
            else {
                return nil
            }
            if !settings.keepsSource {
                used += content.flattened.entries.filter { $0.family == family }.map(\.attribute)
            }
            return node
        case .events: return nil
        }
    }

    /// Puts the system's instructions before the messages, unless those begin with some.
    private mutating func addInstructions(_ value: Range<Int>, at start: Int, _ bytes: RawSpan) {
        content.read(content.sources[start], defaultRole: .user, bytes)
        guard content.message.role != .system, let node = content.append(value: value, bytes),
            !content.tape.isEmpty(node)
        else { return }
        content.sources.insert(ChatSource(node: node, role: .system), at: start)
    }

    private mutating func addEvent(
        _ event: Int,
        _ sources: Range<Int>,
        _ bytes: RawSpan
    ) {
        let entry = events[event]
        guard let id = rules.eventNames.find(bytes, entry.name),
            let source = sources.first(where: { rules.events[$0].event == id }).map({ rules.events[$0] })
        else { return }
        guard let name = source.attribute.map({ rules.words[$0] }) else {
            if let node = content.append(event: entry, attributes, bytes) {
                content.sources.append(ChatSource(node: node, role: source.role))
            }
            return
        }
        let start = content.sources.count
        for attribute in entry.attributes where bytes.equals(name, attributes[attribute].key) {
            if let node = content.append(value: attributes[attribute].value, bytes) {
                content.addMessages(node, role: source.role, bytes)
            }
        }
        guard let instructions = source.instructions.map({ rules.words[$0] }), content.sources.count > start else {
            return
        }
        for attribute in entry.attributes where bytes.equals(instructions, attributes[attribute].key) {
            addInstructions(attributes[attribute].value, at: start, bytes)
        }
    }
}

extension ContentAssembler.Prepared {
    /// Whether it is written as messages.
    var isChat: Bool {
        if case .messages = self { return true }
        return false
    }
}

extension ContentAssembler {
    /// Adds an event as one message; nil where it says nothing.
    mutating func append(event: EventEntry, _ attributes: [AttributeEntry], _ bytes: RawSpan) -> Int? {
        let node = tape.begin(.object)
        for attribute in event.attributes {
            tape.appendName(.text, .joined, attributes[attribute].key, bytes)
            if append(value: attributes[attribute].value, bytes) == nil { _ = tape.append(.null) }
        }
        tape.end(node)
        let fields = ContentFields(of: node, on: tape)
        guard let content = fields.first(.content, .message, .parts, .text, .toolCalls, .functionCall),
            !tape.isEmpty(content)
        else { return nil }
        return node
    }
}
