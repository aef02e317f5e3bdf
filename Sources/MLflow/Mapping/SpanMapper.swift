package import Basics
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

    package init(rules: MappingRules, settings: Settings = Settings()) {
        self.rules = rules
        typeLetters = rules.typeLetters
        self.settings = settings
        conditions = ConditionMatcher(rules.conditions)
        content = ContentAssembler(contentMax: settings.contentMax.bytes)
    }

    /// Maps every span that is still in the batch and says what became of it.
    ///
    /// With `explaining`, every decision is kept.
    package mutating func map(_ batch: inout SpanBatch, explaining: Bool = false) -> MappingOutcome {
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
        traces.clear()
        conditions.begin()
        scan.begin(rules)
        batch.reserve(edits: spans.count * Self.editsPerSpan, bytes: body.count)
        for index in spans.indices where batch.removal(of: index) == nil {
            map(index, spans[index], &batch, body.span.bytes)
        }
        finishTraces(&batch, body.span.bytes)
        scan.finish(rules)
        return finish(body.count)
    }

    /// Gives up what belongs to one batch, and after a large one the memory that few others need.
    private mutating func finish(_ size: Int) -> MappingOutcome {
        if size > Self.bytesMax {
            traces = TraceFacts()
            content = ContentAssembler(contentMax: settings.contentMax.bytes)
            used = []
        }
        (spans, attributes, events) = (Table(), Table(), Table())
        let result = outcome
        outcome = MappingOutcome(spans: MappedSpans())
        return result
    }

    private mutating func map(
        _ index: Int,
        _ span: SpanEntry,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        content.clear()
        scan.scan(index, span, attributes, rules, bytes)
        if !scan.plan.parts.isEmpty { noteParts() }
        if !span.events.isEmpty { scan.scanEvents(span, events, rules, bytes) }
        didMap = false
        didRepair = false
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
            if scan.plan.hasExtras { decideExtras(index, span, &batch, bytes) }
            if isExplaining { explainIgnored(index, isModelCall: isModelCall, &batch, bytes) }
            if !settings.keepsSource { for attribute in Set(used) { batch.removeAttribute(attribute) } }
        }
        if isRoot { decideName(index, span, &batch, bytes) }
        if span.statusCode == 2 { decideFailure(index, span, &batch, bytes) }
        if span.end < span.start { traces.noteUntimely(index) }
        if scan.plan.isPlainCall, outcome.spans.type(of: index) == nil { traces.notePlainCall(index) }
        if isRoot { traces.noteRoot(index, of: span.traceID) }
        if didMap { outcome.mappedSpans += 1 }
        if didRepair { outcome.repairedSpans += 1 }
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

    /// Bytes of a batch that keeps its memory for the next ones, at most.
    private static let bytesMax = 2 << 20
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
        let isTyped = group != .type && group != .drop
        if isTyped, let types = rules.spanTypes[condition] {
            return outcome.spans[span].type.map { types.contains($0) } ?? false
        }
        let mapped = isTyped ? outcome.spans[span] : nil
        return conditions.matches(condition, span, in: batch, mapped: mapped)
    }
}
