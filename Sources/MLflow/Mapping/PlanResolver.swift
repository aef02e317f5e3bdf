/// Puts attributes in the place of keys and leaves out what is not there.
struct PlanResolver {
    let rules: MappingRules
    let found: FoundKeys
    private(set) var numbers: [Int32] = []

    init(rules: MappingRules, found: FoundKeys) {
        self.rules = rules
        self.found = found
    }

    func kind(_ rank: Int) -> SpanPlan.Kind? {
        switch rules.types[rank].form {
        case .values(let key, let types):
            found[key].map { .init(rank: rank, attribute: $0, row: types.range.lowerBound, type: 0) }
        case .endings(let key, let types):
            found[key].map { .init(rank: rank, attribute: $0, row: 0, type: 0, endings: types) }
        case .present(let keys, let type):
            keys.range.allSatisfy { found[Int(rules.numbers[$0])] != nil }
                ? .init(rank: rank, attribute: nil, row: 0, type: type) : nil
        }
    }

    /// Cached tokens come from the next rule that has them where the one that wins has none.
    mutating func usages() -> [SpanPlan.Usage] {
        let ranks = found.ranks(.usage)
        return ranks.indices.compactMap { index in
            let rule = rules.usages[ranks[index]]
            let following = ranks[index...].map { rules.usages[$0] }.filter { $0.countsIn == nil }
            let counts = rule.countsIn.map { found[$0] }
            let costs = rule.costIn.map { found[$0] }
            let lists = MappingRules.Usage(
                countsIn: counts ?? nil,
                costIn: costs ?? nil,
                input: list([rule.input], counts),
                output: list([rule.output], counts),
                total: list([rule.total], counts),
                cacheRead: counts == nil ? list(following.map(\.cacheRead)) : list([rule.cacheRead], counts),
                cacheCreation: counts == nil
                    ? list(following.map(\.cacheCreation)) : list([rule.cacheCreation], counts),
                reasoning: counts == nil ? list(following.map(\.reasoning)) : list([rule.reasoning], counts),
                inputCost: list([rule.inputCost], costs),
                outputCost: list([rule.outputCost], costs),
                totalCost: list([rule.totalCost], costs),
                inputExcludesCache: rule.inputExcludesCache,
                isForAnySpan: rule.isForAnySpan
            )
            let decisive = [lists.input, lists.output, lists.total, lists.inputCost, lists.outputCost, lists.totalCost]
            return decisive.allSatisfy(\.range.isEmpty) ? nil : .init(rank: ranks[index], lists: lists)
        }
    }

    /// What rules of a group are about, which `keys` tells, where the first of both is there.
    func extras(_ group: RuleGroup, _ keys: (Int) -> (first: Int, more: Int?)) -> [SpanPlan.Extra] {
        found.ranks(group).compactMap { rank in
            let (first, more) = keys(rank)
            guard first >= 0, let attribute = found[first] else { return nil }
            return .init(rank: rank, attribute: attribute, more: more.flatMap { found[$0] })
        }
    }

    mutating func model(_ rank: Int) -> SpanPlan.Model? {
        let rule = rules.models[rank]
        let lists = MappingRules.Model(
            model: list([rule.model]),
            modelIn: pairs(rule.modelIn),
            provider: list([rule.provider]),
            providerIn: pairs(rule.providerIn),
            cutsProvider: rule.cutsProvider
        )
        let all = [lists.model, lists.modelIn, lists.provider, lists.providerIn]
        let isEmpty = all.allSatisfy(\.range.isEmpty)
        return isEmpty ? nil : .init(rank: rank, lists: lists)
    }

    /// The attributes that alone decide type, model and provider where each is a text; empty where more does.
    ///
    /// No rule for models may ask anything else of the span. A list of keys is decided by its first one, where that is a text.
    func decisive(_ kinds: ArraySlice<SpanPlan.Kind>, _ model: SpanPlan.Model?) -> [Int] {
        let own: [KnownKey] = [.spanType, .model, .provider]
        guard own.allSatisfy({ found[$0.rawValue] == nil }) else { return [] }
        var attributes = kinds.compactMap(\.attribute)
        if let model {
            let isModelInside = model.lists.model.range.isEmpty && !model.lists.modelIn.range.isEmpty
            let isProviderInside = model.lists.provider.range.isEmpty && !model.lists.providerIn.range.isEmpty
            guard !isModelInside, !isProviderInside else { return [] }
            let first = [model.lists.model, model.lists.provider].compactMap(\.range.first)
            attributes += first.map { Int(numbers[$0]) }
        }
        return Set(attributes).sorted()
    }

    func texts(_ group: RuleGroup, _ texts: [MappingRules.Text]) -> [SpanPlan.Text] {
        found.ranks(group).compactMap { rank in
            let text = texts[rank]
            return found[text.key].map {
                .init(
                    rank: rank,
                    attribute: $0,
                    path: text.path,
                    rootOnly: text.rootOnly,
                    typedOnly: text.typedOnly
                )
            }
        }
    }

    /// Words are kept as they are where the object that has them as members is there.
    private mutating func list(_ words: [NumberList], _ object: Int??) -> NumberList {
        guard let object else { return list(words) }
        let start = numbers.count
        if object != nil { numbers += words.joined(in: rules.numbers) }
        return NumberList(start..<numbers.count)
    }

    /// Pairs of a key and a word.
    private mutating func pairs(_ pairs: NumberList) -> NumberList {
        let start = numbers.count
        for index in stride(from: pairs.range.lowerBound, to: pairs.range.upperBound, by: 2) {
            guard let attribute = found[Int(rules.numbers[index])] else { continue }
            numbers += [Int32(truncatingIfNeeded: attribute), rules.numbers[index + 1]]
        }
        return NumberList(start..<numbers.count)
    }

    private mutating func list(_ keys: [NumberList]) -> NumberList {
        let start = numbers.count
        for key in keys.joined(in: rules.numbers) {
            if let attribute = found[Int(key)] { numbers.append(Int32(truncatingIfNeeded: attribute)) }
        }
        return NumberList(start..<numbers.count)
    }
}

extension [NumberList] {
    /// The numbers of all lists, one list behind the other.
    fileprivate func joined(in numbers: [Int32]) -> [Int32] { flatMap { numbers[$0.range] } }
}
