import Basics
import OTLP

/// What of one span the rules know: found in one pass over its attributes and events.
struct SpanScan {
    /// By key: the attribute's position in the batch, and above it the turn in which it was found.
    private var positions: [UInt64]
    /// Counts the spans, so that what was found in one before needs no clearing.
    private var turn: UInt64 = 1
    private var isKeyFound = false
    /// By group: the rules that came into play, the winner in the lowest bit.
    private var candidates = Candidates(repeating: 0)
    /// One bit for each `KnownKey` that is there.
    private(set) var known: UInt32 = 0
    /// Attributes in MLflow's own name space that are no `KnownKey`.
    private(set) var others: [Int] = []
    /// Attributes that MLflow 3.6.0 takes as whole numbers only.
    private(set) var tokenCounts: [Int] = []
    private(set) var hasException = false
    private var hasCandidates = false

    private typealias Candidates = [8 of UInt128]

    init(_ rules: MappingRules) {
        positions = [UInt64](repeating: 0, count: rules.keys.count)
    }

    /// Whether there is nothing that any rule, or the engine itself, looks at.
    var isEmpty: Bool { !isKeyFound && others.isEmpty && !hasCandidates }

    /// The position of the attribute of that key.
    @inline(__always)
    subscript(key: Int) -> Int? {
        let position = positions[key]
        return position &>> 32 == turn ? Int(position & 0xFFFF_FFFF) : nil
    }

    @inline(__always)
    subscript(key: KnownKey) -> Int? { known & 1 << UInt32(key.rawValue) == 0 ? nil : self[key.rawValue] }

    /// The rules of a group that came into play.
    func rules(of group: RuleGroup) -> UInt128 { candidates[group.rawValue] }

    /// Forgets the span before and looks at the next one.
    mutating func scan(
        _ span: SpanEntry,
        _ attributes: [AttributeEntry],
        _ rules: MappingRules,
        _ flattened: inout FlattenedEntries,
        _ bytes: RawSpan
    ) {
        clear()
        for position in span.attributes {
            let key = attributes[position].key
            if let id = rules.keys.find(bytes, key) {
                note(id, at: position, rules)
            } else if key.count >= 8 {
                if bytes.word(at: key.lowerBound) & 0x00FF_FFFF_FFFF_FFFF == Self.ownPrefix {
                    others.append(position)
                } else if let (family, digits) = Self.family(of: key, rules, bytes) {
                    let path = digits..<key.upperBound
                    let value = attributes[position].value
                    flattened.append(.init(family: family, attribute: position, path: path, value: value))
                    trigger(rules.familyTriggers[family], rules)
                }
            }
        }
    }

    /// Looks at the span's events too.
    mutating func scanEvents(_ span: SpanEntry, _ events: [EventEntry], _ rules: MappingRules, _ bytes: RawSpan) {
        for event in span.events {
            guard let id = rules.eventNames.find(bytes, events[event].name) else { continue }
            if id == KnownEvent.exception.rawValue { hasException = true }
            trigger(rules.eventTriggers[id], rules)
        }
    }

    /// `mlflow.`, the first byte lowest.
    private static let ownPrefix: UInt64 = "mlflow.".utf8.reversed().reduce(0) { $0 << 8 | UInt64($1) }

    private mutating func clear() {
        turn += 1
        if turn >> 32 != 0 {
            positions = [UInt64](repeating: 0, count: positions.count)
            turn = 1
        }
        isKeyFound = false
        candidates = Candidates(repeating: 0)
        hasCandidates = false
        known = 0
        if !others.isEmpty { others.removeAll(keepingCapacity: true) }
        if !tokenCounts.isEmpty { tokenCounts.removeAll(keepingCapacity: true) }
        hasException = false
    }

    /// Whether a key is there that the app writes for MLflow, other than those of sessions, users and errors.
    var hasOwn: Bool { known & Self.ownKeys != 0 }

    private static let ownKeys: UInt32 = KnownKey.allCases.reduce(0) { keys, key in
        switch key {
        case .sessionID, .conversationID, .userID, .errorType: keys
        default: keys | 1 << UInt32(key.rawValue)
        }
    }

    /// Of a key that repeats the last attribute counts, as it does for MLflow.
    private mutating func note(_ key: Int, at position: Int, _ rules: MappingRules) {
        isKeyFound = true
        if key == KnownKey.traceRequestID.rawValue, let before = self[key] { others.append(before) }
        positions[key] = turn &<< 32 | UInt64(truncatingIfNeeded: position)
        if key < KnownKey.allCases.count { known |= 1 << UInt32(key) }
        if rules.isTokenCount[key] { tokenCounts.append(position) }
        trigger(rules.keyTriggers[key], rules)
    }

    @inline(__always)
    private mutating func trigger(_ list: NumberList, _ rules: MappingRules) {
        hasCandidates = true
        for index in list.range {
            let trigger = rules.triggers[index]
            candidates[trigger.group.rawValue] |= trigger.rules
        }
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

extension UInt128 {
    /// Takes the lowest bit off and returns its position; nil where none is left.
    mutating func popLowest() -> Int? {
        guard self != 0 else { return nil }
        let position = trailingZeroBitCount
        self &= self - 1
        return position
    }
}
