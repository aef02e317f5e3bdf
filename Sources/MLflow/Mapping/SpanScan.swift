import Basics
import OTLP

/// What of one span the rules know: found by the keys of its attributes and the names of its events.
struct SpanScan {
    /// What the span's keys bring about.
    private(set) var plan = SpanPlan.empty
    /// Position of the span's first attribute in the batch.
    private(set) var first = 0
    /// By group: the rules that came into play, the winner in the lowest bit.
    private var candidates = FoundKeys.Candidates(repeating: 0)
    private(set) var hasException = false
    private var hasEvents = false
    /// The plans of the spans before.
    private var plans: [SpanPlan] = []

    /// How many plans are kept: a request has spans of few kinds.
    private static let plansMax = 8

    init() {}

    /// Whether there is nothing that any rule, or the engine itself, looks at.
    var isEmpty: Bool { !plan.found.isAny && !hasEvents }

    /// The position of the attribute of that key.
    @inline(__always)
    subscript(key: Int) -> Int? { plan.found[key].map { $0 &+ first } }

    @inline(__always)
    subscript(key: KnownKey) -> Int? {
        plan.found.known & 1 << UInt32(key.rawValue) == 0 ? nil : self[key.rawValue]
    }

    /// The position of the attribute that a list of the plan names.
    @inline(__always)
    func attribute(_ index: Int) -> Int { Int(plan.numbers[index]) &+ first }

    /// The rules of a group that came into play.
    func rules(of group: RuleGroup) -> UInt128 { candidates[group.rawValue] }

    /// Forgets the span before and looks at the next one.
    mutating func scan(_ span: SpanEntry, _ attributes: [AttributeEntry], _ rules: MappingRules, _ bytes: RawSpan) {
        let range = span.attributes
        first = range.lowerBound
        hasException = false
        hasEvents = false
        if !plan.fits(range, attributes, bytes) { choosePlan(range, attributes, rules, bytes) }
        candidates = plan.found.candidates
    }

    /// Looks at the span's events too.
    mutating func scanEvents(_ span: SpanEntry, _ events: [EventEntry], _ rules: MappingRules, _ bytes: RawSpan) {
        for event in span.events {
            guard let id = rules.eventNames.find(bytes, events[event].name) else { continue }
            if id == KnownEvent.exception.rawValue { hasException = true }
            hasEvents = true
            rules.trigger(rules.eventTriggers[id], &candidates)
        }
    }

    /// Forgets the plans, which belong to one batch.
    mutating func clear() {
        plan = .empty
        plans.removeAll(keepingCapacity: true)
    }

    /// Takes the plan of an earlier span with the same keys, or makes one.
    private mutating func choosePlan(
        _ range: Range<Int>,
        _ attributes: [AttributeEntry],
        _ rules: MappingRules,
        _ bytes: RawSpan
    ) {
        for index in plans.indices where plans[index].fits(range, attributes, bytes) {
            plan = plans[index]
            return
        }
        plan = SpanPlan(range, attributes, rules, bytes)
        if plans.count == Self.plansMax { plans.removeFirst() }
        plans.append(plan)
    }

    /// Whether a key is there that the app writes for MLflow, other than those of sessions, users and errors.
    var hasOwn: Bool { plan.found.known & Self.ownKeys != 0 }

    private static let ownKeys: UInt32 = KnownKey.allCases.reduce(0) { keys, key in
        switch key {
        case .sessionID, .conversationID, .userID, .errorType: keys
        default: keys | 1 << UInt32(key.rawValue)
        }
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
