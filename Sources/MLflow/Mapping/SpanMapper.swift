package import Basics
package import OTLP

/// Gives the spans of one request the shape that MLflow understands.
///
/// Holds the memory that is used again from span to span; made for one request, or kept by one thread.
package struct SpanMapper: ~Copyable {
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
    private(set) var spans: [SpanEntry] = []
    private(set) var attributes: [AttributeEntry] = []
    private(set) var events: [EventEntry] = []
    var scan = SpanScan()
    var content: ContentAssembler
    var traces = TraceFacts()
    var outcome = MappingOutcome(spans: [])
    /// Attributes that a target was made of, where they go.
    var used: [Int] = []
    private var isExplaining = false
    var didMap = false
    var didRepair = false

    package init(rules: MappingRules, settings: Settings = Settings()) {
        self.rules = rules
        typeLetters = rules.typeLetters
        self.settings = settings
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
        outcome = MappingOutcome(spans: [MappedSpan](repeating: MappedSpan(), count: spans.count))
        isExplaining = explaining
        if explaining { outcome.decisions = [] }
        traces.clear()
        scan.begin(rules)
        batch.reserve(edits: spans.count * Self.editsPerSpan, bytes: body.count)
        for index in spans.indices where batch.removal(of: index) == nil {
            map(index, spans[index], &batch, body.span.bytes)
        }
        finishTraces(&batch, body.span.bytes)
        scan.finish(rules)
        (spans, attributes, events) = ([], [], [])
        return outcome
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
        let isRoot = span.parentID == nil
        if !scan.isEmpty {
            repairOwn(index, &batch, bytes)
            let isModelCall = decideType(index, &batch, bytes)
            decideContent(index, isModelCall: isModelCall, &batch, bytes)
            decideUsage(index, isModelCall: isModelCall, &batch, bytes)
            decideModel(index, &batch, bytes)
            noteContext(index, span, bytes)
            if !settings.keepsSource { for attribute in Set(used) { batch.removeAttribute(attribute) } }
        }
        if isRoot { decideName(index, span, &batch, bytes) }
        if span.statusCode == 2, !scan.hasException { addException(index, span, &batch, bytes) }
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

    /// Mostly one: what is added behind a span in a row is one.
    private static let editsPerSpan = 2

    /// Who decided, without its name being looked up.
    enum Decider {
        case rule(RuleGroup, Int)
        case engine(StaticString)
    }

    @inline(__always)
    mutating func didSet(_ target: StaticString, _ span: Int, by decider: Decider) {
        didMap = true
        if isExplaining { explain(target, span, decider) }
    }

    @inline(never)
    private mutating func explain(_ target: StaticString, _ span: Int, _ decider: Decider) {
        let rule = name(of: decider)
        outcome.decisions?.append(MappingDecision(span: span, action: .set, target: "\(target)", rule: rule))
    }

    mutating func didRepair(_ target: String, _ span: Int, _ action: MappingDecision.Action = .repaired) {
        didRepair = true
        outcome.decisions?.append(MappingDecision(span: span, action: action, target: target, rule: "app"))
    }

    private func name(of decider: Decider) -> String {
        switch decider {
        case .engine(let word): "\(word)"
        case .rule(let group, let rank): rules.ruleNames[group.rawValue][rank]
        }
    }

    /// A failed span is marked on MLflow's page only where it has such an event.
    private mutating func addException(_ index: Int, _ span: SpanEntry, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        let type = scan[.errorType].flatMap { attributes.text(of: $0, bytes) }
        batch.addEvent("exception", at: span.end, to: index) { event in
            if let type { event.add("exception.type") { $0.string(bytes, type) } }
            event.add("exception.message") { $0.string(bytes, span.statusMessage) }
            event.add("millrace.added") { $0.bool(true) }
        }
        didSet("exception", index, by: .engine("status"))
    }
}
