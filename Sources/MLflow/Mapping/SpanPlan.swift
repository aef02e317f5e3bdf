import Basics
import OTLP

/// What the keys of a span's attributes bring about, before any value is looked at.
///
/// Spans of one instrumentation have the same keys in the same order, so it is worked out once for all of them. Attributes
/// are counted from the first of the span.
final class SpanPlan: Sendable {
    /// A rule that gives a type where the attribute has one of its values or, where there is none, always.
    struct Kind {
        let rank: Int
        let attribute: Int?
        /// Where the rule's row starts in `typesByValue`.
        let row: Int
        let type: Int
    }

    /// A rule whose keys are attributes that are there, as parts of `numbers`.
    struct Usage {
        let rank: Int
        let lists: MappingRules.Usage
    }

    /// A rule whose keys are attributes that are there, as parts of `numbers`.
    struct Model {
        let rank: Int
        let lists: MappingRules.Model
    }

    struct Text {
        let rank: Int
        let attribute: Int
        let rootOnly: Bool
    }

    /// An attribute that is a part of a flattened list; its index starts so many bytes behind its key's start.
    struct Part {
        let attribute: Int
        let family: Int
        let digits: Int
    }

    /// The keys in their order, parts of `letters`.
    let keys: [NumberList]
    private let letters: [UInt8]
    /// By key: the attribute; -1 where there is none.
    private let positions: [Int32]
    /// Whether there is anything that a rule, or the engine itself, looks at.
    let isUseful: Bool
    /// By group: the rules that come into play, the winner in the lowest bit.
    let candidates: FoundKeys.Candidates
    /// One bit for each `KnownKey` that is there.
    let known: UInt32
    /// Attributes in MLflow's own name space that are no `KnownKey`.
    let others: [Int]
    /// Attributes that MLflow 3.6.0 takes as whole numbers only.
    let tokenCounts: [Int]
    let parts: [Part]
    let kinds: [Kind]
    let usages: [Usage]
    let models: [Model]
    let sessions: [Text]
    let users: [Text]
    let names: [Text]
    let numbers: [Int32]

    /// The plan of a span without attributes.
    static let empty = SpanPlan()

    private convenience init() { self.init([], [], FoundKeys(), nil) }

    convenience init(
        _ range: Range<Int>,
        _ attributes: [AttributeEntry],
        _ rules: MappingRules,
        _ bytes: RawSpan
    ) {
        var letters: [UInt8] = []
        let keys = range.map { attribute in
            let start = letters.count
            letters.append(bytes, attributes[attribute].key)
            return NumberList(start..<letters.count)
        }
        self.init(keys, letters, FoundKeys(range, attributes, rules, bytes), rules)
    }

    private init(_ keys: [NumberList], _ letters: [UInt8], _ found: FoundKeys, _ rules: MappingRules?) {
        self.keys = keys
        self.letters = letters
        positions = found.positions
        isUseful = found.isUseful
        candidates = found.candidates
        known = found.known
        others = found.others
        tokenCounts = found.tokenCounts
        parts = found.parts
        guard let rules else {
            (kinds, usages, models) = ([], [], [])
            (sessions, users, names) = ([], [], [])
            numbers = []
            return
        }
        var resolver = Resolver(rules: rules, found: found)
        kinds = found.ranks(.type).compactMap { resolver.kind($0) }
        usages = resolver.usages()
        models = found.ranks(.model).compactMap { resolver.model($0) }
        sessions = resolver.texts(.session, rules.sessions)
        users = resolver.texts(.user, rules.users)
        names = resolver.texts(.name, rules.names)
        numbers = resolver.numbers
    }

    /// The attribute of that key.
    @inline(__always)
    subscript(key: Int) -> Int? {
        guard key < positions.count, case let position = positions[key], position >= 0 else { return nil }
        return Int(position)
    }

    /// Whether the attributes in `range` have its keys; the first `known` of them are known to.
    @inline(__always)
    func fits(_ range: Range<Int>, from known: Int, _ attributes: [AttributeEntry], _ bytes: RawSpan) -> Bool {
        guard range.count == keys.count else { return false }
        return known == keys.count || hasKeys(range, from: known, attributes, bytes)
    }

    private func hasKeys(_ range: Range<Int>, from known: Int, _ attributes: [AttributeEntry], _ bytes: RawSpan) -> Bool
    {
        let letters = letters
        for index in known..<keys.count {
            let key = attributes[range.lowerBound + index].key
            guard bytes.isSame(key, as: letters.span.bytes, keys[index].range) else { return false }
        }
        return true
    }

    /// Whether it is worth keeping: what clients send must not fill the memory.
    var isSmall: Bool { keys.count <= Self.keysMax && letters.count <= Self.keyBytesMax }

    private static let keysMax = 256
    private static let keyBytesMax = 16_384

    /// How many of its first keys `other` has too.
    func keysShared(with other: SpanPlan) -> Int {
        let (own, others) = (letters, other.letters)
        var count = 0
        while count < min(keys.count, other.keys.count),
            own.span.bytes.isSame(keys[count].range, as: others.span.bytes, other.keys[count].range)
        {
            count += 1
        }
        return count
    }
}

/// The keys of one span that the rules know.
struct FoundKeys: Sendable {
    typealias Candidates = [8 of UInt128]

    /// By key: the attribute; -1 where there is none.
    private(set) var positions: [Int32] = []
    private(set) var isUseful = false
    /// By group: the rules that come into play, the winner in the lowest bit.
    private(set) var candidates = Candidates(repeating: 0)
    /// One bit for each `KnownKey` that is there.
    private(set) var known: UInt32 = 0
    /// Attributes in MLflow's own name space that are no `KnownKey`.
    private(set) var others: [Int] = []
    /// Attributes that MLflow 3.6.0 takes as whole numbers only.
    private(set) var tokenCounts: [Int] = []
    private(set) var parts: [SpanPlan.Part] = []

    init() {}

    init(_ range: Range<Int>, _ attributes: [AttributeEntry], _ rules: MappingRules, _ bytes: RawSpan) {
        positions = [Int32](repeating: -1, count: rules.keys.count)
        for attribute in range {
            let key = attributes[attribute].key
            let position = attribute - range.lowerBound
            if let id = rules.keys.find(bytes, key) {
                note(id, at: position, rules)
            } else if key.count >= 8 {
                if bytes.word(at: key.lowerBound) & 0x00FF_FFFF_FFFF_FFFF == Self.ownPrefix {
                    others.append(position)
                } else if let (family, digits) = Self.family(of: key, rules, bytes) {
                    parts.append(.init(attribute: position, family: family, digits: digits - key.lowerBound))
                    rules.trigger(rules.familyTriggers[family], &candidates)
                }
            }
        }
        isUseful = isUseful || !others.isEmpty || !parts.isEmpty
    }

    /// The attribute of that key.
    subscript(key: Int) -> Int? {
        guard key < positions.count, case let position = positions[key], position >= 0 else { return nil }
        return Int(position)
    }

    /// The rules of a group that come into play, the winner first.
    func ranks(_ group: RuleGroup) -> [Int] {
        var rules = candidates[group.rawValue]
        var ranks: [Int] = []
        while let rank = rules.popLowest() { ranks.append(rank) }
        return ranks
    }

    /// `mlflow.`, the first byte lowest.
    private static let ownPrefix: UInt64 = "mlflow.".utf8.reversed().reduce(0) { $0 << 8 | UInt64($1) }

    /// Of a key that repeats the last attribute counts, as it does for MLflow.
    private mutating func note(_ key: Int, at position: Int, _ rules: MappingRules) {
        isUseful = true
        if key == KnownKey.traceRequestID.rawValue, let before = self[key] { others.append(before) }
        positions[key] = Int32(truncatingIfNeeded: position)
        if key < KnownKey.allCases.count { known |= 1 << UInt32(key) }
        if rules.isTokenCount[key] { tokenCounts.append(position) }
        rules.trigger(rules.keyTriggers[key], &candidates)
    }

    /// The family that a key `PREFIX.INDEX…` belongs to, and where its index starts.
    private static func family(of key: Range<Int>, _ rules: MappingRules, _ bytes: RawSpan) -> (Int, Int)? {
        for length in rules.familyLengths where key.count > length {
            let digits = key.lowerBound + length
            guard bytes.byte(at: digits).isDigit, bytes.byte(at: digits - 1) == UInt8(ascii: ".") else { continue }
            if let family = rules.families.find(bytes, key.lowerBound..<digits) { return (family, digits) }
        }
        return nil
    }
}

extension MappingRules {
    /// Adds the rules that something brings into play.
    @inline(__always)
    func trigger(_ list: NumberList, _ candidates: inout FoundKeys.Candidates) {
        for index in list.range {
            let trigger = triggers[index]
            candidates[trigger.group.rawValue] |= trigger.rules
        }
    }
}

/// Puts attributes in the place of keys and leaves out what is not there.
private struct Resolver {
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
            let following = ranks[index...].map { rules.usages[$0] }
            let lists = MappingRules.Usage(
                input: list([rule.input]),
                output: list([rule.output]),
                total: list([rule.total]),
                cacheRead: list(following.map(\.cacheRead)),
                cacheCreation: list(following.map(\.cacheCreation)),
                inputCost: list([rule.inputCost]),
                outputCost: list([rule.outputCost]),
                totalCost: list([rule.totalCost]),
                inputExcludesCache: rule.inputExcludesCache
            )
            let decisive = [lists.input, lists.output, lists.total, lists.inputCost, lists.outputCost, lists.totalCost]
            return decisive.allSatisfy(\.range.isEmpty) ? nil : .init(rank: ranks[index], lists: lists)
        }
    }

    mutating func model(_ rank: Int) -> SpanPlan.Model? {
        let rule = rules.models[rank]
        let lists = MappingRules.Model(
            model: list([rule.model]),
            modelIn: list([rule.modelIn]),
            provider: list([rule.provider])
        )
        let isEmpty = [lists.model, lists.modelIn, lists.provider].allSatisfy(\.range.isEmpty)
        return isEmpty ? nil : .init(rank: rank, lists: lists)
    }

    func texts(_ group: RuleGroup, _ texts: [MappingRules.Text]) -> [SpanPlan.Text] {
        found.ranks(group).compactMap { rank in
            found[texts[rank].key].map { .init(rank: rank, attribute: $0, rootOnly: texts[rank].rootOnly) }
        }
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
