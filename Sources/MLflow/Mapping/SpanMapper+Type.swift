import Basics
import OTLP

extension SpanMapper {
    /// The type of a span: the app's own, unless that says nothing, else the first rule's.
    mutating func decideType(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) -> String? {
        let own = scan[.spanType].flatMap { ownText($0, batch, bytes) }
        if let own, own != "UNKNOWN" { return own }
        guard let (name, rule) = ruledType(batch, bytes) else { return own }
        let type = rules.typeNames[name]
        if let attribute = scan[.spanType] { batch.removeAttribute(attribute) }
        let letters = rules.typeRanges[name].range
        batch.addAttribute("mlflow.spanType", to: .span(index), rules.typeLetters.span.bytes, letters)
        didSet("mlflow.spanType", index, by: .rule(.type, rule))
        return type
    }

    private mutating func ruledType(_ batch: SpanBatch, _ bytes: RawSpan) -> (type: Int, rule: Int)? {
        var candidates = scan.rules(of: .type)
        while let rule = candidates.popLowest() {
            switch rules.types[rule].form {
            case .values(let key, let types):
                guard let attribute = scan[key], let range = text(of: attribute, batch, bytes),
                    let value = rules.typeValues.find(bytes, unquoted(range, bytes)),
                    case let type = rules.typesByValue[types.range.lowerBound + value], type >= 0
                else { continue }
                use(attribute)
                return (Int(type), rule)
            case .present(let keys, let type):
                if keys.range.allSatisfy({ scan[Int(rules.numbers[$0])] != nil }) { return (type, rule) }
            }
        }
        return nil
    }

    /// The range without the quotes of a JSON string around it.
    func unquoted(_ range: Range<Int>, _ bytes: RawSpan) -> Range<Int> {
        let quote = UInt8(ascii: "\"")
        guard range.count >= 2, bytes.byte(at: range.lowerBound) == quote,
            bytes.byte(at: range.upperBound - 1) == quote
        else { return range }
        return range.lowerBound + 1..<range.upperBound - 1
    }

    /// The text of one of the app's own attributes, without JSON's quotes; nil where it is empty or no text.
    func ownText(_ attribute: Int, _ batch: SpanBatch, _ bytes: RawSpan) -> String? {
        guard let range = text(of: attribute, batch, bytes) else { return nil }
        let inner = unquoted(range, bytes)
        return inner.isEmpty ? nil : bytes.text(inner)
    }

    /// Notes an attribute as a source, which goes unless sources are kept.
    mutating func use(_ attribute: Int) {
        if !settings.keepsSource { used.append(attribute) }
    }

    /// Gives model and provider from the first rule with either.
    mutating func decideModel(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        var candidates = scan.rules(of: .model)
        guard candidates != 0, scan[.model] == nil, scan[.provider] == nil else { return }
        while let rank = candidates.popLowest() {
            let rule = rules.models[rank]
            let model = firstText(rule.model, batch, bytes) ?? modelInside(rule.modelIn, batch, bytes)
            let provider = firstText(rule.provider, batch, bytes)
            guard model != nil || provider != nil else { continue }
            if let model {
                batch.addAttribute("mlflow.llm.model", to: .span(index), bytes, model)
                didSet("mlflow.llm.model", index, by: .rule(.model, rank))
            }
            if let provider {
                batch.addAttribute("mlflow.llm.provider", to: .span(index), bytes, provider)
                didSet("mlflow.llm.provider", index, by: .rule(.model, rank))
            }
            return
        }
    }

    /// The model that a call's parameters name; failed calls often have it nowhere else.
    private mutating func modelInside(_ keys: NumberList, _ batch: SpanBatch, _ bytes: RawSpan) -> Range<Int>? {
        for index in keys.range {
            guard let attribute = scan[Int(rules.numbers[index])],
                let node = content.append(value: batch.attributes[attribute].value, bytes),
                let model = ContentFields(of: node, on: content.tape, in: bytes)[.model],
                content.tape.nodes[model].kind == .text, !content.tape.isEmpty(model)
            else { continue }
            return content.tape.nodes[model].range
        }
        return nil
    }

    private mutating func firstText(_ keys: NumberList, _ batch: SpanBatch, _ bytes: RawSpan) -> Range<Int>? {
        for index in keys.range {
            guard let attribute = scan[Int(rules.numbers[index])], let range = text(of: attribute, batch, bytes) else {
                continue
            }
            use(attribute)
            return range
        }
        return nil
    }
}
