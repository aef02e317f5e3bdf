import Basics
import OTLP
import Synchronization

/// What of one span the rules know: found by the keys of its attributes and the names of its events.
struct SpanScan {
    /// What the span's keys bring about.
    private(set) var plan = SpanPlan.empty
    /// Position of the span's first attribute in the batch.
    private(set) var first = 0
    /// Rules for content, on model calls and elsewhere, that came into play, the winner in the lowest bit.
    private var candidates: [2 of UInt128] = .init(repeating: 0)
    private(set) var hasException = false
    private var hasEvents = false
    private var set = PlanSet.empty
    /// Position of `plan` in `set`; nil where it is not there.
    private var slot: Int?
    /// The last span that was looked at; -1 before the first of a batch.
    private var latest = -1
    /// How many plans were made for this batch.
    private var madePlans = 0

    /// How many plans of one batch are kept; where spans have ever new keys, keeping them would only cost.
    private static let madePlansMax = 16
    /// Steps that a plan takes beside those for its keys.
    private static let planSteps = 256

    init() {}

    /// Whether there is nothing that any rule, or the engine itself, looks at.
    var isEmpty: Bool { !plan.isUseful && !hasEvents }

    /// The position of the attribute of that key.
    @inline(__always)
    subscript(key: Int) -> Int? { plan[key].map { $0 &+ first } }

    @inline(__always)
    subscript(key: KnownKey) -> Int? {
        plan.known & 1 << UInt32(key.rawValue) == 0 ? nil : self[key.rawValue]
    }

    /// The position of the attribute that a list of the plan names.
    @inline(__always)
    func attribute(_ index: Int) -> Int { Int(plan.numbers[index]) &+ first }

    /// The rules for content that came into play.
    @inline(__always)
    func contentRules(isModelCall: Bool) -> UInt128 { candidates[isModelCall ? 0 : 1] }

    /// Starts with a batch.
    mutating func begin(_ rules: MappingRules) {
        set = rules.plans.withLock { $0 }
        (plan, slot, latest, madePlans) = (.empty, nil, -1, 0)
    }

    /// Leaves the plans that were made to the batches that come, and holds none itself.
    mutating func finish(_ rules: MappingRules) {
        let set = set
        if madePlans > 0 { rules.plans.withLock { $0 = set } }
        (plan, self.set, slot) = (.empty, .empty, nil)
    }

    /// Forgets the span before and looks at the next one.
    mutating func scan(
        _ index: Int,
        _ span: SpanEntry,
        _ attributes: Table<AttributeEntry>,
        _ rules: MappingRules,
        _ bytes: RawSpan,
        _ account: inout MappingAccount
    ) {
        let range = span.attributes
        first = range.lowerBound
        hasException = false
        hasEvents = false
        let isFirst = latest < 0
        let known = latest == index &- 1 && !isFirst ? span.twins : 0
        latest = index
        if isFirst || !plan.fits(range, from: known, attributes, bytes) {
            choosePlan(range, known, attributes, rules, bytes, &account)
        }
        candidates[0] = plan.candidates[RuleGroup.content.rawValue]
        candidates[1] = plan.candidates[RuleGroup.contentElsewhere.rawValue]
    }

    /// Looks at the span's events too.
    mutating func scanEvents(_ span: SpanEntry, _ events: Table<EventEntry>, _ rules: MappingRules, _ bytes: RawSpan) {
        for event in span.events {
            guard let id = rules.eventNames.find(bytes, events[event].name) else { continue }
            if id == KnownEvent.exception.rawValue { hasException = true }
            hasEvents = true
            for trigger in rules.triggers[rules.eventTriggers[id].range] {
                candidates[trigger.group == .content ? 0 : 1] |= trigger.rules
            }
        }
    }

    /// Takes the plan of an earlier span with the same keys, or makes one.
    ///
    /// The first `known` keys are those of the span before.
    private mutating func choosePlan(
        _ range: Range<Int>,
        _ known: Int,
        _ attributes: Table<AttributeEntry>,
        _ rules: MappingRules,
        _ bytes: RawSpan,
        _ account: inout MappingAccount
    ) {
        account.steps &+= range.count
        for other in set.plans.indices where set.plans[other].keys.count == range.count {
            let shared = slot.map { min(known, set.keysShared($0, other)) } ?? 0
            guard set.plans[other].fits(range, from: shared, attributes, bytes) else { continue }
            plan = set.plans[other]
            slot = other
            return
        }
        account.steps &+= Self.planSteps &+ range.count
        plan = SpanPlan(range, attributes, rules, bytes)
        slot = nil
        guard madePlans < Self.madePlansMax, plan.isSmall else { return }
        madePlans += 1
        set = set.adding(plan)
        slot = set.plans.count - 1
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
