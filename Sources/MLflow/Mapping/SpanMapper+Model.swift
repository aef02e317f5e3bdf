import Basics
import Conditions
import OTLP

extension SpanMapper {
    /// Gives model and provider from the first rule with either.
    mutating func decideModel(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard scan[.model] == nil, scan[.provider] == nil, let named = namedModel(of: index, &batch, bytes) else {
            return
        }
        if let model = named.model {
            batch.addAttribute("mlflow.llm.model", to: .span(index), bytes, model)
            didSet("mlflow.llm.model", index, by: .rule(.model, named.rank))
        }
        if let provider = named.provider {
            batch.addAttribute("mlflow.llm.provider", to: .span(index), bytes, provider)
            didSet("mlflow.llm.provider", index, by: .rule(.model, named.rank))
        }
    }

    /// Gives spans that carry usage and name no model that of the only model call right below: MLflow finds the price by it.
    mutating func giveModels(to wrappers: [Int], _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard !wrappers.isEmpty else { return }
        let positions = SpanPositions(spans)
        let wanted = Set(wrappers)
        content.tape.account.steps &+= spans.count
        var calls: [Int: [Int]] = [:]
        for index in spans.indices where kind(of: index) == .model && batch.removal(of: index) == nil {
            guard let parent = positions.parent(of: index, spans), wanted.contains(parent) else { continue }
            calls[parent, default: []].append(index)
        }
        for wrapper in wrappers {
            guard let below = calls[wrapper], below.count == 1, hasRoom(for: TextLimit.model, on: wrapper, &batch)
            else {
                continue
            }
            look(at: wrapper, spans[wrapper], bytes)
            guard scan[.model] == nil, namedModel(of: wrapper, &batch, bytes)?.model == nil else { continue }
            look(at: below[0], spans[below[0]], bytes)
            guard scan[.model] == nil, let model = namedModel(of: below[0], &batch, bytes)?.model,
                model.count <= TextLimit.model
            else { continue }
            batch.addAttribute("mlflow.llm.model", to: .span(wrapper), bytes, model)
            didSet("mlflow.llm.model", wrapper, by: .engine("call below"), of: 0..<0)
        }
    }

    /// Model and provider as the first rule with either finds them on the span at hand.
    private mutating func namedModel(
        of index: Int,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) -> (model: Range<Int>?, provider: Range<Int>?, rank: Int)? {
        for planned in 0..<scan.plan.models.count {
            let rank = scan.plan.models[planned].rank
            guard holds(.model, rank, index, &batch) else { continue }
            let rule = scan.plan.models[planned].lists
            var model = firstText(rule.model, bytes) ?? textInside(rule.modelIn, bytes)
            var provider = firstText(rule.provider, bytes).map { rule.cutsProvider ? bytes.upToDot($0) : $0 }
            correct(&provider, &model, rule, bytes)
            if model != nil || provider != nil { return (model, provider, rank) }
        }
        return nil
    }

    /// Puts a better name in the place of a framework's own, and takes a provider off the model that stands behind it.
    private mutating func correct(
        _ provider: inout Range<Int>?,
        _ model: inout Range<Int>?,
        _ rule: MappingRules.Model,
        _ bytes: RawSpan
    ) {
        provider = provider.map { ProviderNames.withoutInterface($0, bytes) }
        let isOwnName = provider.map { ProviderNames.isFramework($0, bytes) } ?? true
        if isOwnName, !rule.providerIn.range.isEmpty, let better = textInside(rule.providerIn, bytes) {
            isVerdictFree = false
            provider = better
            return
        }
        model = model.map { ProviderNames.withoutResource($0, bytes) }
        guard let whole = model, let prefix = ProviderNames.prefix(of: whole, bytes) else { return }
        let isSame = provider.map { bytes.isSame($0, as: bytes, prefix.provider) } ?? false
        guard isOwnName || isSame else { return }
        (provider, model) = (prefix.provider, prefix.model)
    }

    /// The text that a call's parameters name; failed calls often have it nowhere else.
    private mutating func textInside(_ pairs: NumberList, _ bytes: RawSpan) -> Range<Int>? {
        for index in stride(from: pairs.range.lowerBound, to: pairs.range.upperBound, by: 2) {
            let value = attributes[scan.attribute(index)].value
            guard let text = text(at: Int(scan.plan.numbers[index + 1]), in: value, bytes),
                !ProviderNames.isUnknown(text, bytes)
            else { continue }
            return text
        }
        return nil
    }

    private mutating func firstText(_ keys: NumberList, _ bytes: RawSpan) -> Range<Int>? {
        for index in keys.range {
            let attribute = scan.attribute(index)
            guard let range = attributes.text(of: attribute, bytes) else { continue }
            guard !ProviderNames.isUnknown(range, bytes) else {
                // What comes next is no attribute that a verdict is looked up by.
                isVerdictFree = false
                continue
            }
            use(attribute)
            return range
        }
        return nil
    }
}

extension RawSpan {
    /// What stands before the first dot.
    fileprivate func upToDot(_ range: Range<Int>) -> Range<Int> {
        for offset in range where byte(at: offset) == UInt8(ascii: ".") { return range.lowerBound..<offset }
        return range
    }
}
