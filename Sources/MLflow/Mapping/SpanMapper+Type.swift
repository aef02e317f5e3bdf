import Basics
import Conditions
import OTLP

extension SpanMapper {
    /// The type of a span: the app's own, unless that says nothing, else the first rule's.
    ///
    /// - Returns: Whether it is the type of a model call.
    mutating func decideType(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) -> Bool {
        let own = scan[.spanType].flatMap { attributes.ownText(of: $0, bytes) }
        if let own {
            outcome.spans.setType(named: own, of: index)
            if own != "UNKNOWN" { return MappingRules.isModelCall(own) }
        }
        guard let (name, rule) = ruledType(index, &batch, bytes) else { return false }
        if let attribute = scan[.spanType] { batch.removeAttribute(attribute) }
        let letters = rules.typeRanges[name].range
        batch.addAttribute("mlflow.spanType", to: .span(index), typeLetters.span.bytes, letters)
        didSet("mlflow.spanType", index, by: .rule(.type, rule))
        outcome.spans.setType(name, of: index)
        return rules.isModelCall[name]
    }

    private mutating func ruledType(
        _ span: Int,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) -> (type: Int, rule: Int)? {
        for index in 0..<scan.plan.kinds.count {
            let kind = scan.plan.kinds[index]
            guard holds(.type, kind.rank, span, &batch), let type = type(of: kind, bytes) else { continue }
            if let position = kind.attribute { use(scan.first &+ position) }
            return (type, kind.rank)
        }
        return nil
    }

    /// What a rule makes of the span, whatever its condition.
    mutating func type(of kind: SpanPlan.Kind, _ bytes: RawSpan) -> Int? {
        guard let position = kind.attribute else { return kind.type }
        let attribute = scan.first &+ position
        if let endings = kind.endings { return typeByEnding(endings, attribute, bytes) }
        guard let range = attributes.text(of: attribute, bytes),
            let value = rules.typeValues.find(bytes, bytes.unquoted(range)),
            case let type = rules.typesByValue[kind.row + value], type >= 0
        else { return nil }
        return Int(type)
    }

    private mutating func typeByEnding(_ endings: NumberList, _ attribute: Int, _ bytes: RawSpan) -> Int? {
        guard let range = attributes.text(of: attribute, bytes) else { return nil }
        return rules.endings[endings.range].first { ending in
            ending.letters.count <= range.count
                && bytes.equals(ending.letters, range.upperBound - ending.letters.count..<range.upperBound)
        }?.type
    }

    /// Notes an attribute as a source, which goes unless sources are kept.
    mutating func use(_ attribute: Int) {
        if tracksUse { used.append(attribute) }
    }
}
