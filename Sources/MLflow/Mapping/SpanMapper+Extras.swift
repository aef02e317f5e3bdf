import Basics
import OTLP

// What rules do beside the fields that are decided in groups: spans that go, other keys, levels, tags, linked prompts.

extension SpanMapper {
    /// Takes a span out where a rule says so.
    mutating func drop(_ index: Int, _ batch: inout SpanBatch) -> Bool {
        for rank in scan.plan.drops where holds(.drop, rank, index, &batch) {
            batch.remove(index, as: .filtered)
            outcome.droppedSpans += 1
            did(.dropped, "", index, by: .rule(.drop, rank))
            return true
        }
        return false
    }

    /// Renames and decides the level.
    mutating func decideExtras(_ index: Int, _ span: SpanEntry, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        for rename in scan.plan.renames where holds(.rename, rename.rank, index, &batch) {
            let attribute = scan.first &+ rename.attribute
            let rule = rules.renames[rename.rank]
            batch.renameAttribute(attribute, to: rule.to)
            didMap = true
            let old = batch.text(attributes[attribute].key)
            did(.renamed, rule.to, index, by: .rule(.rename, rename.rank), of: [old])
        }
        guard scan[.logLevel] == nil, span.statusCode != 2, !isFailing else { return }
        for level in scan.plan.levels where holds(.level, level.rank, index, &batch) {
            let attribute = scan.first &+ level.attribute
            guard let number = self.level(rules.levels[level.rank], attribute, bytes) else { continue }
            batch.addAttribute("mlflow.spanLogLevel", to: .span(index)) { $0.int(number) }
            return didSet(named: "mlflow.spanLogLevel", index, by: .rule(.level, level.rank), of: attribute)
        }
    }

    private mutating func level(_ rule: MappingRules.Level, _ attribute: Int, _ bytes: RawSpan) -> Int64? {
        if let range = attributes.text(of: attribute, bytes) {
            return rule.values.first { bytes.equals($0.text, range) }?.level
        }
        guard rule.values.isEmpty,
            let severity = AttributeValue(attributes[attribute].value, in: bytes).count(in: bytes),
            severity > 0
        else { return nil }
        // OpenTelemetry's severities are six ranges of four numbers; MLflow's levels are those of Python.
        return switch severity {
        case ...8: 10
        case ...12: 20
        case ...16: 30
        case ...20: 40
        default: 50
        }
    }

    /// Names a tool's span after the tool where its name does not say it.
    mutating func decideSpanName(_ index: Int, _ span: SpanEntry, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        for name in scan.plan.spanNames where holds(.spanName, name.rank, index, &batch) {
            let attribute = scan.first &+ name.attribute
            guard let range = attributes.text(of: attribute, bytes), range.count <= TextLimit.spanName else { continue }
            let shown = bytes.prefix(of: span.name, characters: TextLimit.spanName)
            content.tape.account.steps &+= shown.count &* (1 &+ range.count >> 4)
            guard !bytes.contains(range, in: shown) else { return }
            batch.setName(range, of: index)
            batch.addAttribute("millrace.span_name", to: .span(index)) { $0.string(bytes, span.name) }
            return didSet(named: "name", index, by: .rule(.spanName, name.rank), of: attribute)
        }
    }

    /// Says on a span of which service it is: MLflow keeps nothing of a span's resource.
    @inline(__always)
    mutating func addService(_ index: Int, _ span: SpanEntry, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        if service.scope != span.scope {
            service = ScopeService(span.scope, in: batch, after: service)
            content.tape.account.steps &+= service.steps
        }
        guard let name = service.name else { return }
        batch.addAttribute("service.name", to: .span(index), bytes, name)
        if isExplaining { did(.set, "service.name", index, by: .engine("resource")) }
    }
}

/// The service whose spans stand in a scope.
struct ScopeService {
    /// Positions in the batch; -1 before the first.
    private(set) var scope = -1
    private(set) var resource = -1
    /// Nil where the resource has no name of some letters.
    private(set) var name: Range<Int>?
    /// Attributes that were looked at.
    private(set) var steps = 0

    init() {}

    /// Looks at the resource of a scope, unless it is that of the scope before.
    init(_ scope: Int, in batch: borrowing SpanBatch, after last: ScopeService = ScopeService()) {
        self.scope = scope
        resource = batch.scopes[scope].resource
        guard resource != last.resource else {
            name = last.name
            return
        }
        let bytes = batch.bytes.span.bytes
        for attribute in batch.resources[resource].attributes
        where bytes.equals("service.name", batch.attributes[attribute].key) {
            name = batch.attributes.text(of: attribute, bytes).flatMap { $0.count <= TextLimit.service ? $0 : nil }
        }
        steps = batch.resources[resource].attributes.count
    }
}

extension RawSpan {
    /// Whether a text stands somewhere in another one; takes as many steps as both lengths' product.
    func contains(_ text: Range<Int>, in other: Range<Int>) -> Bool {
        guard text.count <= other.count else { return false }
        return (other.lowerBound...other.upperBound - text.count).contains { start in
            isSame(text, as: self, start..<start + text.count)
        }
    }
}
