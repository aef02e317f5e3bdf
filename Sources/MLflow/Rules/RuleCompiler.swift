import Conditions
import OTLP
import Settings

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
    var words = Interner()
    var typeValues = Interner()
    var typeNames = Interner()
    private(set) var triggers: [Trigger] = []
    private(set) var numbers: [Int32] = []
    private(set) var typesByValue: [Int32] = []
    private(set) var eventRules: [MappingRules.EventRule] = []
    private(set) var endings: [MappingRules.Ending] = []
    private(set) var wrappers: [MappingRules.Wrapper] = []
    private(set) var always = FoundKeys.Candidates(repeating: 0)
    private(set) var conditions: [Condition] = []
    private(set) var neededKeys: [[Int]?] = []
    private(set) var guards = [[Int16]](repeating: [], count: RuleGroup.allCases.count)
    private(set) var ruleNames = [[String]](repeating: [], count: RuleGroup.allCases.count)
    private var conventions = Interner()

    init(precedence: Precedence) {
        self.precedence = precedence
        for key in KnownKey.allCases { _ = keys.id(of: "\(key.text)") }
        for event in KnownEvent.allCases { _ = events.id(of: event.text) }
    }

    mutating func types(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.Kind] {
        let ranked = try ranked(documents, \.type, \.name, .type)
        for entry in ranked {
            if case .values(_, let types) = entry.rule.form { for value in types.keys { _ = typeValues.id(of: value) } }
        }
        return ranked.enumerated().map { rank, entry in
            switch entry.rule.form {
            case .values(let attribute, let types):
                keys.trigger(attribute, .type, rank: rank)
                let row = typeValues.names.map { value in
                    types[value].map { Int32(truncatingIfNeeded: typeNames.id(of: $0)) } ?? -1
                }
                let start = typesByValue.count
                typesByValue += row
                return .init(form: .values(key: keys.id(of: attribute), types: NumberList(start..<typesByValue.count)))
            case .endings(let attribute, let types):
                keys.trigger(attribute, .type, rank: rank)
                let start = endings.count
                endings += types.map { .init(letters: Array($0.ending.utf8), type: typeNames.id(of: $0.type)) }
                let list = NumberList(start..<endings.count)
                return .init(form: .endings(key: keys.id(of: attribute), types: list))
            case .present(let attributes, let type):
                if let first = attributes.first {
                    keys.trigger(first, .type, rank: rank)
                } else {
                    trigger(by: entry.rule.when, .type, rank: rank)
                }
                return .init(form: .present(keys: list(attributes), type: typeNames.id(of: type)))
            }
        }
    }

    mutating func contents(
        _ documents: [RuleDocument],
        _ group: RuleGroup
    ) throws(DocumentProblems) -> [MappingRules.Content] {
        try ranked(documents, \.content, \.name, group).enumerated().map { rank, entry in
            MappingRules.Content(
                convention: conventions.id(of: entry.convention),
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
            origin = .flattened(
                family: families.id(of: prefix + "."),
                unwrap: list(numbers: unwrap.map { words.id(of: $0) })
            )
        case .object(let members):
            for member in members { keys.trigger(member.attribute, group, rank: rank) }
            origin = .object(list(numbers: members.flatMap { [words.id(of: $0.name), keys.id(of: $0.attribute)] }))
        case .events(let sources):
            let start = eventRules.count
            for source in sources { eventRules.append(event(source, group, rank)) }
            origin = .events(NumberList(start..<eventRules.count))
        }
        let firstWrapper = wrappers.count
        wrappers += source.wrappers.map { .init($0) }
        return MappingRules.Source(
            origin: origin,
            path: source.path.map { words.id(of: $0) },
            isJSON: source.isJSON,
            isQuoted: source.isQuoted,
            shape: source.shape,
            portion: source.portion,
            isJoined: source.isJoined,
            parameters: list(source.parameters),
            whole: source.whole.map { keys.id(of: $0) },
            mediaType: source.mediaType.map { keys.id(of: $0) },
            instructions: source.instructions.map { keys.id(of: $0) },
            finishReasons: list(source.finishReasons),
            wrappers: NumberList(firstWrapper..<wrappers.count)
        )
    }

    private mutating func event(_ source: EventSource, _ group: RuleGroup, _ rank: Int) -> MappingRules.EventRule {
        events.trigger(source.name, group, rank: rank)
        return MappingRules.EventRule(
            event: events.id(of: source.name),
            role: source.role.flatMap { ChatRole(rawValue: $0) },
            attribute: source.attribute.map { words.id(of: $0) },
            instructions: source.instructions.map { words.id(of: $0) }
        )
    }

    mutating func usages(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.Usage] {
        try ranked(documents, \.usage, \.name, .usage).enumerated().map { rank, entry in
            let rule = entry.rule
            let counts = rule.input + rule.output + rule.total + rule.cacheRead + rule.cacheCreation
            let costs = rule.inputCost + rule.totalCost
            for key in rule.countsIn.map({ [$0] }) ?? counts { keys.trigger(key, .usage, rank: rank) }
            for key in rule.costIn.map({ [$0] }) ?? costs { keys.trigger(key, .usage, rank: rank) }
            let (hasCounts, hasCosts) = (rule.countsIn != nil, rule.costIn != nil)
            return MappingRules.Usage(
                countsIn: rule.countsIn.map { keys.id(of: $0) },
                costIn: rule.costIn.map { keys.id(of: $0) },
                input: list(rule.input, areWords: hasCounts),
                output: list(rule.output, areWords: hasCounts),
                total: list(rule.total, areWords: hasCounts),
                cacheRead: list(rule.cacheRead, areWords: hasCounts),
                cacheCreation: list(rule.cacheCreation, areWords: hasCounts),
                reasoning: list(rule.reasoning, areWords: hasCounts),
                inputCost: list(rule.inputCost, areWords: hasCosts),
                outputCost: list(rule.outputCost, areWords: hasCosts),
                totalCost: list(rule.totalCost, areWords: hasCosts),
                inputExcludesCache: rule.inputExcludesCache,
                isForAnySpan: rule.isForAnySpan
            )
        }
    }

    mutating func models(_ documents: [RuleDocument]) throws(DocumentProblems) -> [MappingRules.Model] {
        try ranked(documents, \.model, \.name, .model).enumerated().map { rank, entry in
            let inside = entry.rule.modelIn + entry.rule.providerIn
            for key in entry.rule.model + inside.map(\.attribute) + entry.rule.provider {
                keys.trigger(key, .model, rank: rank)
            }
            return MappingRules.Model(
                model: list(entry.rule.model),
                modelIn: list(paths: entry.rule.modelIn),
                provider: list(entry.rule.provider),
                providerIn: list(paths: entry.rule.providerIn),
                cutsProvider: entry.rule.cutsProvider
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
                key: keys.id(of: entry.rule.attribute),
                path: entry.rule.path.map { words.id(of: $0) },
                rootOnly: entry.rule.rootOnly,
                typedOnly: entry.rule.typedOnly
            )
        }
    }

    /// Brings a rule into play wherever its condition may hold.
    mutating func trigger(by condition: Condition?, _ group: RuleGroup, rank: Int) {
        if let needed = condition?.neededAttributes {
            for key in needed { keys.trigger(key, group, rank: rank) }
        } else {
            always[group.rawValue] |= UInt128(1) << UInt128(rank)
        }
    }

    /// Puts what names trigger into one table.
    mutating func flattened(_ interner: Interner) -> [NumberList] {
        interner.triggers.map { own in
            let start = triggers.count
            triggers += own
            return NumberList(start..<triggers.count)
        }
    }

    private mutating func list(_ names: [String], areWords: Bool = false) -> NumberList {
        list(numbers: names.map { areWords ? words.id(of: $0) : keys.id(of: $0) })
    }

    private mutating func list(paths: [(attribute: String, path: String)]) -> NumberList {
        list(numbers: paths.flatMap { [keys.id(of: $0.attribute), words.id(of: $0.path)] })
    }

    private mutating func list(numbers ids: [Int]) -> NumberList {
        let start = numbers.count
        numbers += ids.map { Int32(truncatingIfNeeded: $0) }
        return NumberList(start..<numbers.count)
    }

    /// The rules of a group in the order in which they win: the user's own, then those that the precedence lists.
    mutating func ranked<Rule: MappingRule>(
        _ documents: [RuleDocument],
        _ rules: KeyPath<RuleDocument, [Rule]>,
        _ name: KeyPath<Rule, String>,
        _ group: RuleGroup
    ) throws(DocumentProblems) -> [(convention: String, rule: Rule)] {
        let entries = documents.flatMap { document in
            document[keyPath: rules].map {
                ("\(document.convention).\($0[keyPath: name])", document.convention, $0)
            }
        }
        let listed = (precedence.order[group.name] ?? []).enumerated().map { ($0.element, $0.offset) }
        let order = Dictionary(listed) { first, _ in first }
        let ordered = entries.enumerated().sorted { first, second in
            (order[first.element.0] ?? -1, first.offset) < (order[second.element.0] ?? -1, second.offset)
        }
        guard ordered.count <= MappingRules.rulesPerGroupMax else {
            let message =
                "\(ordered.count) rules of \(group.name): at most \(MappingRules.rulesPerGroupMax) are possible"
            throw DocumentProblems(list: [Problem(offset: 0, pointer: "/\(group.name)", message: message)])
        }
        ruleNames[group.rawValue] = ordered.map(\.element.0)
        guards[group.rawValue] = ordered.map { entry in
            guard let condition = entry.element.2.when else { return -1 }
            conditions.append(condition)
            neededKeys.append(condition.neededAttributes?.map { keys.id(of: $0) })
            return Int16(truncatingIfNeeded: conditions.count - 1)
        }
        return ordered.map { (convention: $0.element.1, rule: $0.element.2) }
    }
}

extension MappingRules.Wrapper {
    init(_ rule: WrapperRule) {
        member = Array(rule.member.utf8)
        isOnlyElement = rule.isOnlyElement
        empty = rule.empty.map { Array($0.utf8) }
        required = rule.required.map { Array($0.utf8) }
        optional = rule.optional.map { Array($0.utf8) }
        exceptTools = rule.exceptTools
    }
}
