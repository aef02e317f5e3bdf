import Basics
import Conditions
import OTLP

extension SpanMapper {
    /// What was found for one span, side by side.
    struct Found {
        var inputs: ContentAssembler.Prepared?
        var outputs: ContentAssembler.Prepared?
        var hasTools = false
        /// Whether the output was the print of an object, which says nothing.
        var isSilent = false
        fileprivate var inputsRank = 0
        fileprivate var outputsRank = 0
        fileprivate var toolsRank = 0
        /// Parts of `used`.
        fileprivate var inputsUse = 0..<0
        fileprivate var outputsUse = 0..<0
        fileprivate var toolsUse = 0..<0

        /// Whether one side was recognised as messages while the other is a structure that says something else.
        fileprivate func isMixed(_ tape: borrowing ContentTape) -> Bool {
            if case .messages(_, _?) = inputs { return outputs?.isStructure(on: tape) ?? false }
            if case .messages(_, _?) = outputs { return inputs?.isStructure(on: tape) ?? false }
            return false
        }

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
        let isRoot = spans[index].parentID == nil
        var found = findContent(index, isModelCall: isModelCall, opensArgument: isRoot, &batch, bytes)
        let withheld = isRoot ? withholdPrints(&found, index, bytes) : []
        write(found, index, isModelCall ? .content : .contentElsewhere, &batch, bytes)
        if !withheld.isEmpty {
            used.removeAll(where: withheld.contains)
            toldUse = min(toldUse, used.count)
        }
        if found.inputs != nil || found.outputs != nil {
            traces.noteContent(index, found.inputs != nil, found.outputs != nil)
        }
    }

    /// Takes from a root the sides that hold only what a language prints of objects, so that the trace shows what was said below.
    ///
    /// - Returns: The attributes that they came from, which stay.
    private mutating func withholdPrints(_ found: inout Found, _ index: Int, _ bytes: RawSpan) -> [Int] {
        var withheld: [Int] = []
        if let inputs = found.inputs, content.isPrinted(inputs, bytes) {
            found.inputs = nil
            withheld += used[found.inputsUse]
        }
        if let outputs = found.outputs, content.isPrinted(outputs, bytes) {
            found.outputs = nil
            withheld += used[found.outputsUse]
        }
        if found.isSilent { traces.noteSilent(index) }
        return withheld
    }

    /// Finds inputs, outputs and tools by the first convention that has any of them.
    ///
    /// With `opensArgument`, inputs that are the one argument of a program are what the user said.
    mutating func findContent(
        _ index: Int,
        isModelCall: Bool,
        opensArgument: Bool,
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
        if let outputs = found.outputs, content.isPrintedAddress(outputs, bytes) {
            (found.outputs, found.isSilent) = (nil, true)
        }
        if opensArgument {
            open(&found, of: index, bytes)
        } else if !isModelCall {
            found.keepStructure(content.tape)
        }
        if spans[index].statusCode == 2, let outputs = found.outputs, isErrorText(outputs, index, bytes) {
            found.outputs = nil
        }
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
            if case .messages = found.outputs, let reasons = firstAttribute(source.finishReasons) {
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
        // A root may have messages on one side and a structure on the other: MLflow's list reads each for itself.
        if isChat, group == .content || !found.isMixed(content.tape) {
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
        if found.isSilent, spans[index].parentID != nil {
            silence(index, .rule(group, found.outputsRank), found.outputsUse, &batch)
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
            let isWhole = source.isWhole && !(source.isQuoted && content.isQuoted(value, bytes))
            if isWhole || isPlain || value.count > content.contentMax {
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
                if let other = notChat(node, side, of: index, bytes) { return other }
                root = node
            case .chat: break
            }
            content.portion = source.portion
            content.addMessages(node, role: nil, bytes)
            content.portion = .all
            if let root, side == .outputs {
                // Of a prompt or a step that only passes on what it got there is no answer.
                let isRoot = spans[index].parentID == nil
                if let passed = content.passed(root, from: start, isRoot: isRoot, bytes) { return passed }
                content.keepState(root)
            }
            if let whole = source.whole { complete(by: whole, source, of: index, from: start, bytes) }
            if side == .inputs, !source.parameters.range.isEmpty { addParameters(source.parameters, bytes) }
            if content.sources.count > start, let key = source.instructions, let attribute = scan[key] {
                addInstructions(attributes[attribute].value, at: start, bytes)
            }
        }
        guard content.saysAnything(from: start, side, bytes) else { return nil }
        content.newForms[side.rawValue] = form
        return .messages(start..<content.sources.count, root: root)
    }

    /// What a value is that is no conversation; nil for one.
    private mutating func notChat(
        _ node: Int,
        _ side: ContentAssembler.Side,
        of index: Int,
        _ bytes: RawSpan
    ) -> ContentAssembler.Prepared? {
        let type = outcome.spans[index].type
        if side == .outputs, type == "RETRIEVER", let list = content.documents(in: node) { return .documents(list) }
        // A tool's arguments are no conversation, and its result is what the message of a tool says.
        if type == "TOOL" { return .node(side == .outputs ? content.toolResult(node, bytes) : node) }
        return content.isChat(node, bytes) ? nil : .node(node)
    }

    /// Takes messages from the attribute that has them whole, where those of a flattened list lack something.
    ///
    /// What a language printed there is no message.
    private mutating func complete(
        by key: Int,
        _ source: MappingRules.Source,
        of index: Int,
        from start: Int,
        _ bytes: RawSpan
    ) {
        let range = start..<content.sources.count
        guard !range.isEmpty, let attribute = scan[key], content.areIncomplete(range, bytes),
            let root = content.tree(of: attributes[attribute].value, bytes),
            let node = opened(root, source, of: index, bytes), content.isChat(node, bytes)
        else { return }
        let takesBeside = content.takesBeside
        content.takesBeside = false
        content.addMessages(node, role: nil, bytes)
        content.takesBeside = takesBeside
        let whole = content.sources[range.upperBound...].filter { !content.tape.isPrintedObject($0.node, bytes) }
        content.sources.removeSubrange((whole.count == range.count ? start : range.upperBound)...)
        guard whole.count == range.count else { return }
        content.sources += whole
        use(attribute)
    }

    /// The text of a source whose messages depend on nothing else; nil for any other source.
    private mutating func form(
        of source: MappingRules.Source,
        _ value: Range<Int>,
        _ side: ContentAssembler.Side,
        _ rule: ContentForms.Rule,
        _ bytes: RawSpan
    ) -> ContentAssembler.NewForm? {
        guard source.shape == .chat, source.parameters.range.isEmpty, source.wrappers.range.isEmpty, source.path == nil,
            source.instructions.flatMap({ scan[$0] }) == nil,
            case .string(let text) = AttributeValue(value, in: bytes)
        else { return nil }
        let reasons = firstAttribute(source.finishReasons).map { attributes[$0].value } ?? 0..<0
        return .init(text: text, context: .init(rule: rule, side: side, reasons: reasons))
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
        // Some emitters quote the text as JSON does.
        let isQuoted = content.isQuoted(value, bytes)
        guard content.message.role != .system, let node = content.append(value: value, isJSON: isQuoted, bytes),
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
    mutating func value(of key: [UInt8], in range: Range<Int>, _ bytes: RawSpan) -> Range<Int>? {
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
