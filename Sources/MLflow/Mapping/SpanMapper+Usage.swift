import Basics
import OTLP

extension SpanMapper {
    /// Gives usage and cost of a model call from the first rule with either.
    ///
    /// Other spans get none: MLflow sums over the tree, and a wrapper repeats what its model calls used.
    mutating func decideUsage(_ index: Int, isModelCall: Bool, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard scan.rules(of: .usage) != 0 || scan[.tokenUsage] != nil else { return }
        guard scan[.tokenUsage] == nil, scan[.cost] == nil else {
            if isModelCall { traces.noteModelCall(index) }
            return
        }
        for planned in 0..<scan.plan.usages.count {
            let rank = scan.plan.usages[planned].rank
            let rule = scan.plan.usages[planned].lists
            var counts = TokenCounts(
                input: count(rule.input, bytes),
                output: count(rule.output, bytes),
                total: count(rule.total, bytes)
            )
            let cost = CallCost(
                input: number(rule.inputCost, bytes),
                output: number(rule.outputCost, bytes),
                total: number(rule.totalCost, bytes)
            )
            guard counts != nil || cost != nil else { continue }
            guard isModelCall else { return traces.noteWrapper(index) }
            counts?.cacheRead = count(rule.cacheRead, bytes)
            counts?.cacheCreation = count(rule.cacheCreation, bytes)
            counts?.includeCache(excluded: rule.inputExcludesCache)
            write(counts, cost, index, .rule(.usage, rank), &batch)
            return
        }
    }

    private mutating func write(
        _ counts: TokenCounts?,
        _ cost: CallCost?,
        _ index: Int,
        _ rule: Decider,
        _ batch: inout SpanBatch
    ) {
        if let counts {
            outcome.spans[index].tokens = counts.total
            traces.noteModelCall(index)
            batch.addAttribute("mlflow.chat.tokenUsage", to: .span(index)) { counts.write(to: &$0) }
            didSet("mlflow.chat.tokenUsage", index, by: rule)
        }
        if let cost {
            batch.addAttribute("mlflow.llm.cost", to: .span(index)) { cost.write(to: &$0) }
            didSet("mlflow.llm.cost", index, by: rule)
        }
    }

    private mutating func count(_ keys: NumberList, _ bytes: RawSpan) -> Int64? {
        for index in keys.range {
            let attribute = scan.attribute(index)
            let value = attributes[attribute].value
            guard let count = bytes.shortCount(value) ?? AttributeValue(value, in: bytes).count(in: bytes) else {
                continue
            }
            use(attribute)
            return count
        }
        return nil
    }

    private mutating func number(_ keys: NumberList, _ bytes: RawSpan) -> Double? {
        for index in keys.range {
            let attribute = scan.attribute(index)
            guard let number = AttributeValue(attributes[attribute].value, in: bytes).number(in: bytes) else {
                continue
            }
            use(attribute)
            return number
        }
        return nil
    }
}
