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
        guard scan[.logLevel] == nil, span.statusCode != 2 else { return }
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

    /// Marks a failed span: its level, and an event without which MLflow's page does not show the failure.
    mutating func decideFailure(_ index: Int, _ span: SpanEntry, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        if scan[.logLevel] == nil {
            batch.addAttribute("mlflow.spanLogLevel", to: .span(index)) { $0.int(40) }
            didSet("mlflow.spanLogLevel", index, by: .engine("status"), of: 0..<0)
        }
        guard !scan.hasException else { return }
        let type = scan[.errorType].flatMap { attributes.text(of: $0, bytes) }
        batch.addEvent("exception", at: max(span.start, span.end), to: index) { event in
            if let type { event.add("exception.type") { $0.string(bytes, type) } }
            event.add("exception.message") { $0.string(bytes, span.statusMessage) }
            event.add("millrace.added") { $0.bool(true) }
        }
        didSet("exception", index, by: .engine("status"), of: 0..<0)
    }
}
