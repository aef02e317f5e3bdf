package import Basics
import Conditions
package import OTLP

/// Gives the spans of one request the shape that MLflow understands.
///
/// Holds the memory, the forms of messages and the verdicts that are used again from span to span and from batch to batch. What is called for
/// every span is mutating, be it or not, because a call that borrows copies what is too large for registers.
package struct SpanMapper: ~Copyable, Sendable {
    /// What is the same for all requests.
    package struct Settings: Sendable {
        /// Whether the attributes that a target was made of stay.
        package var keepsSource = true
        /// Content longer than this stays text and is not taken apart.
        package var contentMax = ByteCount.kibibytes(64)

        package init() {}
    }

    let rules: MappingRules
    /// Those of `rules`, here because a reference would be counted for every span.
    let typeLetters: [UInt8]
    /// By type that rules give: what it makes of a span in its trace.
    let kinds: [TraceSpan.Kind]
    /// By type that rules give: what its spans ask a model for.
    let callKinds: [CallKind]
    let settings: Settings
    /// The tables of the batch: whole batches are too large to be handed from function to function.
    private(set) var spans = Table<SpanEntry>()
    private(set) var attributes = Table<AttributeEntry>()
    private(set) var events = Table<EventEntry>()
    var scan = SpanScan()
    var verdicts = Verdicts()
    private var conditions: ConditionMatcher
    var content: ContentAssembler
    var traces = TraceFacts()
    var outcome = MappingOutcome(spans: MappedSpans())
    /// Attributes that a target was made of, where they go.
    var used: [Int] = []
    private(set) var isExplaining = false
    /// Whether `used` is kept: sources go, or are told.
    private(set) var tracksUse = false
    /// By attribute: its key, while decisions are told.
    private(set) var keys: [String] = []
    /// What of `used` belongs to decisions that were told.
    var toldUse = 0
    var didMap = false
    var didRepair = false
    /// Whether model and provider of the span at hand depend on nothing but what a verdict is looked up by.
    var isVerdictFree = true
    /// Whether the span at hand failed as it seems, without a status.
    var isFailing = false
    /// Whether something was not written to the span at hand because the budget does not suffice.
    var isStopped = false
    /// How many decisions were told before the span at hand.
    var decisionsBefore = 0
    /// The service of the scope whose spans are at hand.
    var service = ScopeService()
    /// One bit for each span that stays as it came; empty while there is none.
    private var left: [UInt64] = []

    package init(rules: MappingRules, settings: Settings = Settings()) {
        self.rules = rules
        typeLetters = rules.typeLetters
        kinds = rules.typeNames.map(TraceSpan.Kind.init(type:))
        callKinds = rules.typeNames.map(CallKind.init)
        self.settings = settings
        conditions = ConditionMatcher(rules.conditions)
        content = ContentAssembler(contentMax: settings.contentMax.bytes)
    }

    /// Maps every span that is still in the batch and says what became of it.
    ///
    /// With `explaining`, every decision is kept. Without a `budget` the default for a body of that size holds.
    package mutating func map(
        _ batch: inout SpanBatch,
        within budget: MappingBudget? = nil,
        explaining: Bool = false
    ) -> MappingOutcome {
        let body = batch.bytes
        spans = batch.spans
        attributes = batch.attributes
        events = batch.events
        outcome = MappingOutcome(spans: MappedSpans(count: spans.count, names: rules.typeNames))
        isExplaining = explaining
        tracksUse = explaining || !settings.keepsSource
        if explaining {
            outcome.decisions = []
            keys = attributes.map { batch.text($0.key) }
        }
        let before = batch.addedBytes
        content.tape.account = MappingAccount(
            budget ?? MappingBudget(bodySize: body.count),
            addedBytes: before,
            bodySize: body.count
        )
        conditions.begin()
        scan.begin(rules)
        batch.reserve(edits: spans.count * Self.editsPerSpan, bytes: body.count)
        for index in spans.indices where batch.removal(of: index) == nil {
            mapWithinBudget(index, spans[index], &batch, body.span.bytes)
        }
        finishTraces(&batch, body.span.bytes)
        scan.finish(rules)
        outcome.addedBytes = batch.addedBytes - before
        outcome.steps = content.tape.account.steps
        return finish()
    }

    /// Gives up what belongs to one batch, and the memory that few others need.
    private mutating func finish() -> MappingOutcome {
        traces.clear()
        content.clear()
        content.giveBack()
        if used.capacity > Self.usedMax { used = [] }
        (spans, attributes, events, keys, left) = (Table(), Table(), Table(), [], [])
        service = ScopeService()
        let result = outcome
        outcome = MappingOutcome(spans: MappedSpans())
        return result
    }

    /// Maps one span; it stays as it came where the budget does not suffice.
    @inline(__always)
    private mutating func mapWithinBudget(
        _ index: Int,
        _ span: SpanEntry,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        let checkpoint = batch.checkpoint
        guard content.tape.account.allows(spanOf: span.size, after: checkpoint.addedBytes) else { return leave(index) }
        map(index, span, &batch, bytes)
        if isStopped || content.tape.account.isOver(batch.addedBytes) {
            takeBack(index, to: checkpoint, &batch)
        } else {
            if didMap { outcome.mappedSpans += 1 }
            if didRepair { outcome.repairedSpans += 1 }
        }
    }

    /// Leaves the span at hand as it came; only what it says of its trace stays noted.
    @inline(never)
    private mutating func takeBack(_ index: Int, to checkpoint: SpanBatch.Checkpoint, _ batch: inout SpanBatch) {
        guard batch.removal(of: index) == nil else { return }
        batch.restore(checkpoint, of: index)
        traces.forget(index)
        if let decisions = outcome.decisions { outcome.decisions = Array(decisions[..<decisionsBefore]) }
        leave(index)
    }

    /// Counts a span that stays as it came, in whole or in what concerns its trace.
    @inline(never)
    mutating func leave(_ index: Int) {
        if left.isEmpty { left = [UInt64](repeating: 0, count: spans.count / 64 + 1) }
        guard !isLeft(index) else { return }
        left[index / 64] |= 1 << UInt64(index % 64)
        outcome.unmappedSpans += 1
        did(.ignored(content.tape.account.reason), "span", index, by: .engine("budget"))
    }

    /// Whether a span stays as it came.
    mutating func isLeft(_ index: Int) -> Bool {
        !left.isEmpty && left[index / 64] >> UInt64(index % 64) & 1 != 0
    }

    private mutating func map(
        _ index: Int,
        _ span: SpanEntry,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        look(at: index, span, bytes)
        didMap = false
        didRepair = false
        isStopped = false
        if isExplaining { decisionsBefore = outcome.decisions?.count ?? 0 }
        if !used.isEmpty { used.removeAll(keepingCapacity: true) }
        toldUse = 0
        if scan.plan.hasExtras, drop(index, &batch) { return }
        let isRoot = span.parentID == nil
        if !scan.isEmpty {
            repairOwn(index, &batch, bytes)
            let isModelCall = decideTypeAndModel(index, &batch, bytes)
            decideContent(index, isModelCall: isModelCall, &batch, bytes)
            decideUsage(index, isModelCall: isModelCall, &batch, bytes)
            if !scan.plan.areModelsFree { decideModel(index, &batch, bytes) }
            noteContext(index, span, &batch, bytes)
            isFailing = false
            if span.statusCode == 0, scan.hasException || !scan.plan.failures.isEmpty {
                noteFailure(index, span, &batch, bytes)
            }
            if scan.plan.hasExtras { decideExtras(index, span, &batch, bytes) }
            if !scan.plan.spanNames.isEmpty { decideSpanName(index, span, &batch, bytes) }
            if isExplaining { explainIgnored(index, isModelCall: isModelCall, &batch, bytes) }
            if !settings.keepsSource { for attribute in Set(used) { batch.removeAttribute(attribute) } }
        }
        if isRoot { decideName(index, span, &batch, bytes) }
        if span.statusCode == 2 {
            setErrorLevel(index, &batch)
            if span.statusMessage.isEmpty, scan.hasException { setStatusMessage(index, &batch, bytes) }
            addException(index, span.statusMessage, &batch, bytes)
        }
        if scan[.serviceName] == nil { addService(index, span, &batch, bytes) }
        if span.end < span.start { traces.noteUntimely(index) }
        if !scan.plan.names.isEmpty { traces.noteNames(index) }
        if isRoot { traces.noteRoot(index, of: span.traceID) }
    }

    /// Finds what the rules know of a span, whatever was found of the one before.
    @inline(__always)
    mutating func look(at index: Int, _ span: SpanEntry, _ bytes: RawSpan) {
        content.clear()
        content.tape.account.steps &+= 1 &+ span.attributes.count &+ span.events.count
        scan.scan(index, span, attributes, rules, bytes, &content.tape.account)
        if !scan.plan.parts.isEmpty { noteParts() }
        if !span.events.isEmpty { scan.scanEvents(span, events, rules, bytes) }
    }

    /// Collects the attributes that are parts of flattened lists.
    private mutating func noteParts() {
        for part in scan.plan.parts {
            let position = scan.first + part.attribute
            let key = attributes[position].key
            let path = key.lowerBound + part.digits..<key.upperBound
            let value = attributes[position].value
            content.flattened.append(.init(family: part.family, attribute: position, path: path, value: value))
        }
    }

    /// Attributes whose memory stays for the next batch, at most.
    private static let usedMax = 4096
    /// Mostly one: what is added behind a span in a row is one.
    private static let editsPerSpan = 2

    /// Whether a span is what a rule asks for.
    @inline(__always)
    mutating func holds(_ group: RuleGroup, _ rank: Int, _ span: Int, _ batch: inout SpanBatch) -> Bool {
        let condition = rules.condition(group, rank)
        return condition < 0 || meets(condition, group, span, &batch)
    }

    @inline(never)
    private mutating func meets(_ condition: Int, _ group: RuleGroup, _ span: Int, _ batch: inout SpanBatch) -> Bool {
        // What a condition asks of the resource is asked once for it.
        content.tape.account.steps &+= 1 &+ spans[span].attributes.count
        let isTyped = group != .type && group != .drop
        if isTyped, let types = rules.spanTypes[condition] {
            return outcome.spans[span].type.map { types.contains($0) } ?? false
        }
        let mapped = isTyped ? outcome.spans[span] : nil
        return conditions.matches(condition, span, in: batch, mapped: mapped)
    }
}
