import Basics
import Conditions
import OTLP
import Synchronization

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
        /// A part of `MappingRules.endings`; nil for a rule that lists whole values.
        var endings: NumberList?
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
        /// `lastWordsRank` where no rule names the key.
        let rank: Int
        let attribute: Int
        /// A word of the rules: where the text is inside an object.
        var path: Int?
        var rootOnly = false
        var typedOnly = false
        /// Whether the attribute is an object, of whose members one may be the text.
        var isObject = false

        /// Behind all rules.
        static let lastWordsRank = Int(Int16.max)
    }

    /// An attribute that a rule for levels, prompts, tags or renaming is about.
    struct Extra {
        let rank: Int
        let attribute: Int
        /// Of a prompt the attribute with its version; of a tag by prefix, how long the prefix is.
        var more: Int?
    }

    /// An attribute that is a part of a flattened list; its index starts so many bytes behind its key's start.
    struct Part {
        let attribute: Int
        let family: Int
        let digits: Int
    }

    /// No other plan of the process has it; from 1.
    let number = made.wrappingAdd(1, ordering: .relaxed).newValue
    private static let made = Atomic<Int>(0)
    /// The keys in their order, parts of `letters`.
    let keys: [NumberList]
    private let letters: [UInt8]
    /// By key: the attribute; -1 where there is none.
    private let positions: [Int32]
    /// Whether there is anything that a rule, or the engine itself, looks at.
    let isUseful: Bool
    /// By group: the rules that come into play, the winner in the lowest bit.
    let candidates: FoundKeys.Candidates
    /// Those of them whose condition cannot hold.
    let unmet: FoundKeys.Candidates
    /// One bit for each `KnownKey` that is there.
    let known: UInt32
    /// Whether one of them is a key that the app writes for MLflow, other than those of sessions, users and errors.
    let hasOwn: Bool
    /// Attributes in MLflow's own name space that are no `KnownKey`.
    let others: [Int]
    /// Attributes that MLflow 3.6.0 takes as whole numbers only.
    let tokenCounts: [Int]
    let parts: [Part]
    let kinds: [Kind]
    /// How many of them, from the first, ask nothing else of the span.
    let freeKinds: Int
    let usages: [Usage]
    /// Whether any of them has its counts inside an object.
    let hasCountsInside: Bool
    let models: [Model]
    /// Whether none of them asks anything else of the span, so that they need not wait for what else is decided.
    let areModelsFree: Bool
    /// The attributes that alone decide type, model and provider where each is a text and the type is one of `freeKinds`;
    /// empty where more does.
    let decisive: [Int]
    let sessions: [Text]
    let users: [Text]
    let names: [Text]
    /// Whether the span is nothing but a call of HTTP or RPC, as far as its keys say.
    let isPlainCall: Bool
    /// Whether any of the following has an element.
    let hasExtras: Bool
    let levels: [Extra]
    let prompts: [Extra]
    let tags: [Extra]
    let renames: [Extra]
    /// Ranks of rules.
    let drops: [Int]
    /// With the attribute of the message as `more`.
    let failures: [Extra]
    let spanNames: [Text]
    let calls: [Text]
    let numbers: [Int32]

    /// The plan of a span without attributes.
    static let empty = SpanPlan()

    private convenience init() { self.init([], [], FoundKeys(), nil) }

    convenience init(
        _ range: Range<Int>,
        _ attributes: Table<AttributeEntry>,
        _ rules: MappingRules,
        _ bytes: RawSpan
    ) {
        var letters: [UInt8] = []
        let keys = range.map { attribute in
            let start = letters.count
            letters.append(bytes, attributes[attribute].key)
            return NumberList(start..<letters.count)
        }
        let prefixed = rules.prefixedTags(range, attributes, bytes)
        self.init(keys, letters, FoundKeys(range, attributes, rules, bytes), rules, prefixed)
    }

    private init(
        _ keys: [NumberList],
        _ letters: [UInt8],
        _ found: FoundKeys,
        _ rules: MappingRules?,
        _ prefixedTags: [Extra] = []
    ) {
        self.keys = keys
        self.letters = letters
        positions = found.positions
        isUseful = found.isUseful || !prefixedTags.isEmpty
        isPlainCall = found.isPlainCall
        candidates = found.candidates
        unmet = found.unmet
        known = found.known
        hasOwn = found.known & Self.ownKeys != 0
        others = found.others
        tokenCounts = found.tokenCounts
        parts = found.parts
        guard let rules else {
            (kinds, usages, models, freeKinds, areModelsFree, decisive) = ([], [], [], 0, true, [])
            (sessions, users, names) = ([], [], [])
            (levels, prompts, tags, renames, drops) = ([], [], [], [], [])
            (failures, spanNames, calls) = ([], [], [])
            (hasExtras, hasCountsInside) = (false, false)
            numbers = []
            return
        }
        var resolver = PlanResolver(rules: rules, found: found)
        kinds = found.ranks(.type).compactMap { resolver.kind($0) }
        usages = resolver.usages()
        hasCountsInside = usages.contains { $0.lists.countsIn != nil }
        models = found.ranks(.model).compactMap { resolver.model($0) }
        freeKinds = kinds.firstIndex { rules.condition(.type, $0.rank) >= 0 } ?? kinds.count
        areModelsFree = models.allSatisfy { rules.condition(.model, $0.rank) < 0 }
        decisive = areModelsFree ? resolver.decisive(kinds[..<freeKinds], models.first) : []
        sessions = resolver.texts(.session, rules.sessions) + Self.lastWords(found.sessions, found)
        users = resolver.texts(.user, rules.users) + Self.lastWords(found.users, found)
        names = resolver.texts(.name, rules.names)
        levels = resolver.extras(.level) { (rules.levels[$0].key, nil) }
        prompts = resolver.extras(.prompt) { (rules.prompts[$0].name, rules.prompts[$0].version) }
        tags = resolver.extras(.tags) { (rules.tags[$0].key, nil) } + prefixedTags
        renames = resolver.extras(.rename) { (rules.renames[$0].key, nil) }
        drops = found.ranks(.drop)
        failures = resolver.extras(.failure) { (rules.failures[$0].key, rules.failures[$0].message) }
        spanNames = resolver.texts(.spanName, rules.spanNames)
        calls = resolver.texts(.call, rules.calls)
        hasExtras = !(levels.isEmpty && prompts.isEmpty && tags.isEmpty && renames.isEmpty && drops.isEmpty)
        numbers = resolver.numbers
    }

    private static func lastWords(_ attributes: [Int], _ found: FoundKeys) -> [Text] {
        attributes.map { Text(rank: Text.lastWordsRank, attribute: $0, typedOnly: true) }
            + found.sessionObjects.map {
                Text(rank: Text.lastWordsRank, attribute: $0, typedOnly: true, isObject: true)
            }
    }

    /// The rules of a group that its keys bring into play, whatever their conditions.
    func rules(of group: RuleGroup) -> UInt128 { candidates[group.rawValue] | unmet[group.rawValue] }

    /// The attribute of that key.
    @inline(__always)
    subscript(key: Int) -> Int? {
        guard key < positions.count, case let position = positions[key], position >= 0 else { return nil }
        return Int(position)
    }

    /// Whether the attributes in `range` have its keys; the first `known` of them are known to.
    @inline(__always)
    func fits(_ range: Range<Int>, from known: Int, _ attributes: Table<AttributeEntry>, _ bytes: RawSpan) -> Bool {
        guard range.count == keys.count else { return false }
        return known == keys.count || hasKeys(range, from: known, attributes, bytes)
    }

    private func hasKeys(
        _ range: Range<Int>,
        from known: Int,
        _ attributes: Table<AttributeEntry>,
        _ bytes: RawSpan
    ) -> Bool {
        let letters = letters
        for index in known..<keys.count {
            let key = attributes[range.lowerBound + index].key
            guard bytes.isSame(key, as: letters.span.bytes, keys[index].range) else { return false }
        }
        return true
    }

    /// Whether it is worth keeping: what clients send must not fill the memory.
    var isSmall: Bool { keys.count <= Self.keysMax && letters.count <= Self.keyBytesMax }

    private static let ownKeys: UInt32 = KnownKey.allCases.reduce(0) { keys, key in
        switch key {
        case .sessionID, .conversationID, .userID, .errorType, .logLevel, .linkedPrompts, .serviceName: keys
        default: keys | 1 << UInt32(key.rawValue)
        }
    }

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
