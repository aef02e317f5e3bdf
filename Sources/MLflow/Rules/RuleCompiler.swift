import OTLP

/// Turns rule documents into tables: names become numbers, order becomes bits.
struct RuleCompiler {
    /// Names that got numbers, each with what it triggers.
    struct Interner {
        private(set) var names: [String] = []
        private(set) var triggers: [[Trigger]] = []
        private var ids: [String: Int] = [:]

        mutating func id(of name: String) -> Int {
            if let id = ids[name] { return id }
            ids[name] = names.count
            names.append(name)
            triggers.append([])
            return names.count - 1
        }

        mutating func trigger(_ name: String, _ group: RuleGroup, rank: Int) {
            let id = id(of: name)
            let rule = UInt128(1) << UInt128(rank)
            if let index = triggers[id].firstIndex(where: { $0.group == group }) {
                triggers[id][index].rules |= rule
            } else {
                triggers[id].append(Trigger(group: group, rules: rule))
            }
        }
    }

    private let precedence: Precedence
    var keys = Interner()
    var families = Interner()
    var events = Interner()

    init(precedence: Precedence) {
        self.precedence = precedence
        for key in KnownKey.allCases { _ = keys.id(of: "\(key.text)") }
        for event in KnownEvent.allCases { _ = events.id(of: event.text) }
    }

    mutating func types(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.TypeDecision] {
        try ranked(documents, \.type, \.name, .type).enumerated().map { rank, entry in
            switch entry.rule.form {
            case .values(let attribute, let types):
                keys.trigger(attribute, .type, rank: rank)
                let values = types.keys.sorted()
                let form = MappingRules.TypeDecision.Form.values(
                    key: keys.id(of: attribute),
                    table: KeyTable(values),
                    types: values.map { types[$0] ?? "" }
                )
                return MappingRules.TypeDecision(name: entry.name, form: form)
            case .present(let attributes, let type):
                keys.trigger(attributes[0], .type, rank: rank)
                let form = MappingRules.TypeDecision.Form.present(keys: attributes.map { keys.id(of: $0) }, type: type)
                return MappingRules.TypeDecision(name: entry.name, form: form)
            }
        }
    }

    mutating func contents(
        _ documents: [RuleDocument],
        _ group: RuleGroup
    ) throws(DocumentProblems) -> [MappingRules.Content] {
        try ranked(documents, \.content, \.name, group).enumerated().map { rank, entry in
            MappingRules.Content(
                name: entry.name,
                convention: entry.convention,
                inputs: entry.rule.inputs.map { source($0, group, rank) },
                outputs: entry.rule.outputs.map { source($0, group, rank) },
                tools: entry.rule.tools.map { source($0, group, rank) }
            )
        }
    }

    private mutating func source(_ source: ContentSource, _ group: RuleGroup, _ rank: Int) -> MappingRules.Source {
        let origin: MappingRules.Source.Origin
        switch source.origin {
        case .attribute(let attribute):
            keys.trigger(attribute, group, rank: rank)
            origin = .attribute(keys.id(of: attribute))
        case .flattened(let prefix, let unwrap):
            families.trigger(prefix + ".", group, rank: rank)
            origin = .flattened(family: families.id(of: prefix + "."), unwrap: unwrap.map { Array($0.utf8) })
        case .events(let sources):
            origin = .events(sources.map { event($0, group, rank) })
        }
        return MappingRules.Source(
            origin: origin,
            shape: source.shape,
            mediaType: source.mediaType.map { keys.id(of: $0) },
            instructions: source.instructions.map { keys.id(of: $0) },
            finishReasons: source.finishReasons.map { keys.id(of: $0) }
        )
    }

    private mutating func event(_ source: EventSource, _ group: RuleGroup, _ rank: Int) -> MappingRules.Event {
        events.trigger(source.name, group, rank: rank)
        return MappingRules.Event(
            event: events.id(of: source.name),
            role: source.role.flatMap { ChatRole(rawValue: $0) },
            attribute: source.attribute.map { Array($0.utf8) },
            instructions: source.instructions.map { Array($0.utf8) }
        )
    }

    mutating func usages(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.Usage] {
        try ranked(documents, \.usage, \.name, .usage).enumerated().map { rank, entry in
            let rule = entry.rule
            let counts = rule.input + rule.output + rule.total + rule.cacheRead + rule.cacheCreation
            for key in counts + rule.inputCost + rule.totalCost { keys.trigger(key, .usage, rank: rank) }
            return MappingRules.Usage(
                name: entry.name,
                input: ids(rule.input),
                output: ids(rule.output),
                total: ids(rule.total),
                cacheRead: ids(rule.cacheRead),
                cacheCreation: ids(rule.cacheCreation),
                inputCost: ids(rule.inputCost),
                outputCost: ids(rule.outputCost),
                totalCost: ids(rule.totalCost),
                inputExcludesCache: rule.inputExcludesCache
            )
        }
    }

    mutating func models(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.Model] {
        try ranked(documents, \.model, \.name, .model).enumerated().map { rank, entry in
            for key in entry.rule.model + entry.rule.modelIn + entry.rule.provider {
                keys.trigger(key, .model, rank: rank)
            }
            return MappingRules.Model(
                name: entry.name,
                model: ids(entry.rule.model),
                modelIn: ids(entry.rule.modelIn),
                provider: ids(entry.rule.provider)
            )
        }
    }

    mutating func texts(
        _ documents: [RuleDocument],
        _ rules: KeyPath<RuleDocument, [TextRule]>,
        _ group: RuleGroup
    ) throws(DocumentProblems) -> [MappingRules.Text] {
        try ranked(documents, rules, \.name, group).enumerated().map { rank, entry in
            keys.trigger(entry.rule.attribute, group, rank: rank)
            return MappingRules.Text(
                name: entry.name,
                key: keys.id(of: entry.rule.attribute),
                rootOnly: entry.rule.rootOnly
            )
        }
    }

    private mutating func ids(_ names: [String]) -> [Int] { names.map { keys.id(of: $0) } }

    /// The rules of a group in the order in which they win: the user's own, then those that the precedence lists.
    private func ranked<Rule>(
        _ documents: [RuleDocument],
        _ rules: KeyPath<RuleDocument, [Rule]>,
        _ name: KeyPath<Rule, String>,
        _ group: RuleGroup
    ) throws(DocumentProblems) -> [(name: String, convention: String, rule: Rule)] {
        let entries = documents.flatMap { document in
            document[keyPath: rules].map {
                ("\(document.convention).\($0[keyPath: name])", document.convention, $0)
            }
        }
        let order = precedence.order[group.name] ?? []
        let ordered = entries.enumerated().sorted { first, second in
            let ranks = [first, second].map { order.firstIndex(of: $0.element.0) ?? -1 }
            return (ranks[0], first.offset) < (ranks[1], second.offset)
        }
        guard ordered.count <= MappingRules.rulesPerGroupMax else {
            let message =
                "\(ordered.count) rules of \(group.name): at most \(MappingRules.rulesPerGroupMax) are possible"
            throw DocumentProblems(list: [DocumentProblem(offset: 0, pointer: "/\(group.name)", message: message)])
        }
        return ordered.map { (name: $0.element.0, convention: $0.element.1, rule: $0.element.2) }
    }
}
