import Basics
import Conditions
import OTLP

extension SpanMapper {
    /// What was found for one span, side by side.
    struct Found {
        var inputs: ContentAssembler.Prepared?
        var outputs: ContentAssembler.Prepared?
        var hasTools = false
        fileprivate var inputsRank = 0
        fileprivate var outputsRank = 0
        fileprivate var toolsRank = 0
        /// Parts of `used`.
        fileprivate var inputsUse = 0..<0
        fileprivate var outputsUse = 0..<0
        fileprivate var toolsUse = 0..<0

        /// Leaves messages as they came where the other side is a structure that would have to become text.
        fileprivate mutating func keepStructure(_ tape: borrowing ContentTape) {
            if case .messages(_, let root?) = inputs, outputs?.isStructure(on: tape) ?? false { inputs = .node(root) }
            if case .messages(_, let root?) = outputs, inputs?.isStructure(on: tape) ?? false { outputs = .node(root) }
        }
    }

    /// Gives inputs, outputs and tools from the first convention that has any of them.
    mutating func decideContent(
        _ index: Int,
        isModelCall: Bool,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        let hasOwn = scan[.inputs] != nil || scan[.outputs] != nil
        guard !hasOwn, scan.contentRules(isModelCall: isModelCall) != 0 else {
            if hasOwn { traces.noteContent(index, scan[.inputs] != nil, scan[.outputs] != nil) }
            return
        }
        let found = findContent(index, isModelCall: isModelCall, &batch, bytes)
        write(found, index, isModelCall ? .content : .contentElsewhere, &batch, bytes)
        if found.inputs != nil || found.outputs != nil {
            traces.noteContent(index, found.inputs != nil, found.outputs != nil)
        }
    }

    /// Finds inputs, outputs and tools by the first convention that has any of them.
    mutating func findContent(
        _ index: Int,
        isModelCall: Bool,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) -> Found {
        let group: RuleGroup = isModelCall ? .content : .contentElsewhere
        var candidates = scan.contentRules(isModelCall: isModelCall)
        var found = Found()
        var convention: Int?
        while let rank = candidates.popLowest() {
            let own = isModelCall ? rules.contents[rank].convention : rules.contentsElsewhere[rank].convention
            guard convention == nil || convention == own, holds(group, rank, index, &batch) else { continue }
            let rule = isModelCall ? rules.contents[rank] : rules.contentsElsewhere[rank]
            find(rule, group, rank, of: index, &found, bytes)
            if found.inputs != nil || found.outputs != nil { convention = own }
        }
        if !isModelCall { found.keepStructure(content.tape) }
        return found
    }

    private mutating func find(
        _ rule: MappingRules.Content,
        _ group: RuleGroup,
        _ rank: Int,
        of index: Int,
        _ found: inout Found,
        _ bytes: RawSpan
    ) {
        var start = used.count
        if found.inputs == nil, let source = rule.inputs {
            found.inputs = prepare(source, .inputs, .init(group: group, rank: rank), of: index, bytes)
            if found.inputs != nil { (found.inputsRank, found.inputsUse) = (rank, start..<used.count) }
        }
        start = used.count
        if found.outputs == nil, let source = rule.outputs {
            found.outputs = prepare(source, .outputs, .init(group: group, rank: rank), of: index, bytes)
            if case .messages = found.outputs, let reasons = source.finishReasons.flatMap({ scan[$0] }) {
                content.unreadReasons = attributes[reasons].value
            }
            content.joinsOutputs = source.isJoined
            if found.outputs != nil { (found.outputsRank, found.outputsUse) = (rank, start..<used.count) }
        }
        start = used.count
        if !found.hasTools, let source = rule.tools, scan[.tools] == nil,
            let node = node(source, of: index, bytes)
        {
            found.hasTools = content.readTools(node, bytes)
            if found.hasTools { (found.toolsRank, found.toolsUse) = (rank, start..<used.count) }
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
        let size = content.copiedSize(of: inputs) + content.copiedSize(of: outputs)
        guard content.tape.account.allows(size, after: batch.addedBytes) else {
            isStopped = true
            return
        }
        if let inputs {
            batch.addAttribute("mlflow.spanInputs", to: .span(index), expecting: content.size(of: inputs)) {
                content.write(inputs, .inputs, to: &$0, bytes)
            }
            didSet("mlflow.spanInputs", index, by: .rule(group, found.inputsRank), of: found.inputsUse)
        }
        if let outputs {
            batch.addAttribute("mlflow.spanOutputs", to: .span(index), expecting: content.size(of: outputs)) {
                content.write(outputs, .outputs, to: &$0, bytes)
            }
            didSet("mlflow.spanOutputs", index, by: .rule(group, found.outputsRank), of: found.outputsUse)
        }
        if isChat, scan[.messageFormat] == nil {
            batch.addAttribute("mlflow.message.format", to: .span(index)) { $0.word("openai") }
            let rank = found.inputs == nil ? found.outputsRank : found.inputsRank
            didSet("mlflow.message.format", index, by: .rule(group, rank), of: 0..<0)
        }
        if found.hasTools {
            batch.addAttribute("mlflow.chat.tools", to: .span(index)) { content.writeTools(to: &$0, bytes) }
            didSet("mlflow.chat.tools", index, by: .rule(group, found.toolsRank), of: found.toolsUse)
        }
    }

    private mutating func prepare(
        _ source: MappingRules.Source,
        _ side: ContentAssembler.Side,
        _ rule: ContentForms.Rule,
        of index: Int,
        _ bytes: RawSpan
    ) -> ContentAssembler.Prepared? {
        var form: ContentAssembler.NewForm?
        if case .attribute(let key) = source.origin {
            guard let attribute = scan[key] else { return nil }
            let value = attributes[attribute].value
            let isPlain = source.mediaType.flatMap { scan[$0] }.map { attributes.isPlainText($0, bytes) } ?? false
            if source.isWhole || isPlain || value.count > content.contentMax {
                let prepared = ContentAssembler.prepare(value: value, isPlain: isPlain, upTo: content.contentMax, bytes)
                if prepared != nil { use(attribute) }
                return prepared
            }
            if content.usesForms { form = self.form(of: source, value, side, rule, bytes) }
            if let form, let match = content.forms.find(form.text, form.context, bytes) {
                use(attribute)
                return .form(match)
            }
        }
        var root: Int?
        let start = content.sources.count
        content.takesBeside = side == .inputs
        if side == .inputs { content.beside = nil }
        if case .events(let events) = source.origin, source.shape == .chat {
            for event in spans[index].events { addEvent(event, events.range, bytes) }
        } else {
            guard let node = node(source, of: index, bytes) else { return nil }
            switch source.shape {
            case .value: return .node(node)
            case .documents: return content.tape.firstElement(of: node) == nil ? nil : .documents(node)
            case .tools: return nil
            case .auto:
                if side == .outputs, outcome.spans[index].type == "RETRIEVER", let list = content.documents(in: node) {
                    return .documents(list)
                }
                guard content.isChat(node, bytes) else { return .node(node) }
                root = node
            case .chat: break
            }
            content.portion = source.portion
            content.addMessages(node, role: nil, bytes)
            content.portion = .all
            if side == .inputs, !source.parameters.range.isEmpty { addParameters(source.parameters, bytes) }
            if content.sources.count > start, let key = source.instructions, let attribute = scan[key] {
                addInstructions(attributes[attribute].value, at: start, bytes)
            }
        }
        guard content.sources.count > start else { return nil }
        content.newForms[side.rawValue] = form
        return .messages(start..<content.sources.count, root: root)
    }

    /// The text of a source whose messages depend on nothing else; nil for any other source.
    private mutating func form(
        of source: MappingRules.Source,
        _ value: Range<Int>,
        _ side: ContentAssembler.Side,
        _ rule: ContentForms.Rule,
        _ bytes: RawSpan
    ) -> ContentAssembler.NewForm? {
        guard source.shape == .chat, source.parameters.range.isEmpty,
            source.instructions.flatMap({ scan[$0] }) == nil,
            case .string(let text) = AttributeValue(value, in: bytes)
        else { return nil }
        let reasons = source.finishReasons.flatMap { scan[$0] }.map { attributes[$0].value } ?? 0..<0
        return .init(text: text, context: .init(rule: rule, side: side, reasons: reasons))
    }

    /// The root of a source: one attribute, a flattened list, an object put together, or what an event carries.
    private mutating func node(_ source: MappingRules.Source, of index: Int, _ bytes: RawSpan) -> Int? {
        switch source.origin {
        case .attribute(let key):
            guard let attribute = scan[key],
                let root = content.tree(of: attributes[attribute].value, isJSON: source.isJSON, bytes)
            else { return nil }
            let path = source.path.map { rules.words[$0] }
            guard let node = path.map({ content.tape.node(at: $0, of: root, bytes) }) ?? root,
                content.tape.nodes[node].kind != .null
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
            if tracksUse {
                used += content.flattened.entries.filter { $0.family == family }.map(\.attribute)
            }
            return node
        case .object(let members): return object(members, bytes)
        case .events(let sources): return node(events: sources.range, of: index, bytes)
        }
    }

    /// What the first event that has one of the sources' attributes carries there.
    private mutating func node(events sources: Range<Int>, of index: Int, _ bytes: RawSpan) -> Int? {
        for event in spans[index].events {
            guard let id = rules.eventNames.find(bytes, events[event].name),
                let source = sources.first(where: { rules.events[$0].event == id }).map({ rules.events[$0] }),
                let name = source.attribute.map({ rules.words[$0] })
            else { continue }
            if let value = value(of: name, in: events[event].attributes, bytes),
                let node = content.append(value: value, bytes)
            {
                return node
            }
        }
        return nil
    }

    /// The object that attributes are put together to; nil where none of them says anything.
    private mutating func object(_ members: NumberList, _ bytes: RawSpan) -> Int? {
        let node = content.tape.begin(.object)
        var isEmpty = true
        for index in stride(from: members.range.lowerBound, to: members.range.upperBound, by: 2) {
            guard let attribute = scan[Int(rules.numbers[index + 1])] else { continue }
            let start = content.tape.nodes.count
            content.tape.appendName(ownWord: rules.words[Int(rules.numbers[index])])
            if content.append(value: attributes[attribute].value, bytes) == nil {
                content.tape.truncate(to: start)
            } else {
                isEmpty = false
                use(attribute)
            }
        }
        content.tape.end(node)
        if isEmpty { content.tape.truncate(to: node) }
        return isEmpty ? nil : node
    }

    /// Puts what else a request says beside its messages.
    private mutating func addParameters(_ keys: NumberList, _ bytes: RawSpan) {
        for index in keys.range {
            guard let attribute = scan[Int(rules.numbers[index])],
                let node = content.tree(of: attributes[attribute].value, bytes),
                content.tape.nodes[node].kind == .object
            else { continue }
            content.beside = node
            return use(attribute)
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
        if let value = value(of: name, in: entry.attributes, bytes),
            let node = content.append(value: value, bytes)
        {
            content.addMessages(node, role: source.role, bytes)
        }
        guard let instructions = source.instructions.map({ rules.words[$0] }), content.sources.count > start else {
            return
        }
        if let value = value(of: instructions, in: entry.attributes, bytes) {
            addInstructions(value, at: start, bytes)
        }
    }

    /// The value of the first of an event's attributes that has that key: one that is repeated says nothing more.
    private mutating func value(of key: [UInt8], in range: Range<Int>, _ bytes: RawSpan) -> Range<Int>? {
        content.tape.account.steps &+= range.count
        for attribute in range where bytes.equals(key, attributes[attribute].key) { return attributes[attribute].value }
        return nil
    }
}

extension ContentAssembler.Prepared {
    /// Whether it is written as messages.
    var isChat: Bool {
        switch self {
        case .messages, .form: true
        case .value, .text, .json, .documents, .node: false
        }
    }

    /// Whether it is a structure that says something else than messages.
    fileprivate func isStructure(on tape: borrowing ContentTape) -> Bool {
        switch self {
        case .text, .messages, .form: false
        case .value, .json, .documents: true
        case .node(let node): tape.nodes[node].kind == .object || tape.nodes[node].kind == .array
        }
    }
}

extension ContentAssembler {
    /// Adds an event as one message; nil where it says nothing.
    mutating func append(event: EventEntry, _ attributes: Table<AttributeEntry>, _ bytes: RawSpan) -> Int? {
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
