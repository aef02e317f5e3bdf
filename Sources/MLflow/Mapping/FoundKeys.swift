import Basics
import Conditions
import OTLP

/// The keys of one span that the rules know.
struct FoundKeys: Sendable {
    typealias Candidates = [16 of UInt128]

    /// By key: the attribute; -1 where there is none.
    private(set) var positions: [Int32] = []
    private(set) var isUseful = false
    private(set) var isPlainCall = false
    /// By group: the rules that come into play, the winner in the lowest bit.
    private(set) var candidates = Candidates(repeating: 0)
    /// Those of them whose condition cannot hold, because the attributes that it needs are not there.
    private(set) var unmet = Candidates(repeating: 0)
    /// One bit for each `KnownKey` that is there.
    private(set) var known: UInt32 = 0
    /// Attributes in MLflow's own name space that are no `KnownKey`.
    private(set) var others: [Int] = []
    /// Attributes that MLflow 3.6.0 takes as whole numbers only.
    private(set) var tokenCounts: [Int] = []
    private(set) var parts: [SpanPlan.Part] = []
    /// Attributes that no rule for sessions or users names and whose keys end as such.
    private(set) var sessions: [Int] = []
    private(set) var users: [Int] = []
    /// Objects about a session, whose members may name it or its user.
    private(set) var sessionObjects: [Int] = []

    init() {}

    init(_ range: Range<Int>, _ attributes: Table<AttributeEntry>, _ rules: MappingRules, _ bytes: RawSpan) {
        positions = [Int32](repeating: -1, count: rules.keys.count)
        for attribute in range {
            let key = attributes[attribute].key
            let position = attribute - range.lowerBound
            let id = rules.keys.find(bytes, key)
            if let id { note(id, at: position, rules) }
            // What a rule looks at is the app's own all the same.
            if id ?? .max >= KnownKey.allCases.count, Self.isOwn(key, bytes) {
                others.append(position)
            } else if id == nil, let (family, digits) = Self.family(of: key, rules, bytes) {
                parts.append(.init(attribute: position, family: family, digits: digits - key.lowerBound))
                rules.trigger(rules.familyTriggers[family], &candidates)
            }
            if id.map({ !rules.isIdentity[$0] }) ?? true {
                switch IdentityWords(key, bytes) {
                case .session: sessions.append(position)
                case .user: users.append(position)
                case .about: sessionObjects.append(position)
                case nil: break
                }
            }
        }
        var hasAlways = false
        for group in 0..<RuleGroup.allCases.count where rules.always[group] != 0 {
            candidates[group] |= rules.always[group]
            hasAlways = true
        }
        isUseful = isUseful || hasAlways || !others.isEmpty || !parts.isEmpty
        isUseful = isUseful || !sessions.isEmpty || !users.isEmpty || !sessionObjects.isEmpty
        for group in RuleGroup.allCases { dismiss(group, rules) }
    }

    /// Takes out the rules whose condition needs attributes that are not there.
    private mutating func dismiss(_ group: RuleGroup, _ rules: MappingRules) {
        var rest = candidates[group.rawValue]
        while let rank = rest.popLowest() {
            let condition = rules.condition(group, rank)
            guard condition >= 0, let needed = rules.neededKeys[condition],
                needed.allSatisfy({ self[$0] == nil })
            else { continue }
            candidates[group.rawValue] &= ~(1 << UInt128(rank))
            unmet[group.rawValue] |= 1 << UInt128(rank)
        }
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

    private static func isOwn(_ key: Range<Int>, _ bytes: RawSpan) -> Bool {
        key.count >= 8 && bytes.word(at: key.lowerBound) & 0x00FF_FFFF_FFFF_FFFF == ownPrefix
    }

    /// Of a key that repeats the last attribute counts, as it does for MLflow.
    private mutating func note(_ key: Int, at position: Int, _ rules: MappingRules) {
        isUseful = true
        if rules.isPlainCall[key] { isPlainCall = true }
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
    /// The attributes that are tags because their keys begin with what a rule says.
    func prefixedTags(_ range: Range<Int>, _ attributes: Table<AttributeEntry>, _ bytes: RawSpan) -> [SpanPlan.Extra] {
        tags.enumerated().filter { $0.element.key < 0 }.flatMap { rank, tag in
            range.compactMap { attribute -> SpanPlan.Extra? in
                let key = attributes[attribute].key
                guard key.count > tag.prefix.count,
                    bytes.equals(tag.prefix, key.lowerBound..<key.lowerBound + tag.prefix.count)
                else { return nil }
                let rest = key.lowerBound + tag.prefix.count..<key.upperBound
                if tag.except.contains(where: { bytes.equals($0, rest) }) { return nil }
                return .init(rank: rank, attribute: attribute - range.lowerBound, more: tag.prefix.count)
            }
        }
    }

    /// Adds the rules that something brings into play.
    @inline(__always)
    func trigger(_ list: NumberList, _ candidates: inout FoundKeys.Candidates) {
        for index in list.range {
            let trigger = triggers[index]
            candidates[trigger.group.rawValue] |= trigger.rules
        }
    }
}
