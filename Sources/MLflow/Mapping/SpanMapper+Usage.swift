import Basics
import Conditions
import OTLP

extension SpanMapper {
    /// Gives usage and cost of a model call from the first rule with either.
    ///
    /// Other spans get none: MLflow sums over the tree, and a wrapper repeats what its model calls used.
    mutating func decideUsage(_ index: Int, isModelCall: Bool, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard !scan.plan.usages.isEmpty || scan[.tokenUsage] != nil else { return }
        guard scan[.tokenUsage] == nil, scan[.cost] == nil else {
            if isModelCall, outcome.spans[index].tokens != nil {
                traces.noteModelCall(.init(span: index, hasUsage: true))
            }
            return
        }
        for planned in 0..<scan.plan.usages.count {
            let rank = scan.plan.usages[planned].rank
            let rule = scan.plan.usages[planned].lists
            guard holds(.usage, rank, index, &batch) else { continue }
            let object = rule.countsIn.flatMap { usageObject($0, bytes) }
            if rule.countsIn != nil, object == nil { continue }
            var counts = TokenCounts(
                input: count(rule.input, object, bytes),
                output: count(rule.output, object, bytes),
                total: count(rule.total, object, bytes)
            )
            let cost = rule.hasCost ? cost(rule, object, bytes) : nil
            guard counts != nil || cost != nil else { continue }
            let spent = counts.map { SpentTokens(input: $0.input, output: $0.output) }
            guard isModelCall || rule.isForAnySpan else {
                return traces.noteWrapper(.init(span: index, spent: spent, isBare: !traces.hasContent(index)))
            }
            counts?.cacheRead = count(rule.cacheRead, object, bytes)
            counts?.cacheCreation = count(rule.cacheCreation, object, bytes)
            if scan.plan.hasCountsInside { fillCache(of: &counts, after: planned, index, &batch, bytes) }
            if let known = counts, known.total != known.input &+ known.output {
                counts?.includeBuckets(reasoning: count(rule.reasoning, object, bytes))
            }
            counts?.includeCache(excluded: rule.inputExcludesCache)
            write(counts, cost, spent, index, .rule(.usage, rank), &batch)
            return
        }
    }

    /// Takes cached tokens from the next rule that finds them in an object, where the one that won has none.
    @inline(never)
    private mutating func fillCache(
        of counts: inout TokenCounts?,
        after planned: Int,
        _ index: Int,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        for next in planned + 1..<max(scan.plan.usages.count, planned + 1) {
            guard counts != nil, counts?.cacheRead == nil, counts?.cacheCreation == nil else { return }
            let rule = scan.plan.usages[next].lists
            guard let attribute = rule.countsIn, holds(.usage, scan.plan.usages[next].rank, index, &batch),
                let object = usageObject(attribute, bytes)
            else { continue }
            counts?.cacheRead = count(rule.cacheRead, object, bytes)
            counts?.cacheCreation = count(rule.cacheCreation, object, bytes)
        }
    }

    @inline(never)
    private mutating func cost(_ rule: MappingRules.Usage, _ counts: UsageObject?, _ bytes: RawSpan) -> CallCost? {
        let object = rule.costIn == rule.countsIn ? counts : rule.costIn.flatMap { usageObject($0, bytes) }
        guard rule.costIn == nil || object != nil else { return nil }
        return CallCost(
            input: number(rule.inputCost, object, bytes),
            output: number(rule.outputCost, object, bytes),
            total: number(rule.totalCost, object, bytes)
        )
    }

    /// The object that counts are members of, taken apart; nil where there is none, so that its rule gives nothing.
    private mutating func usageObject(_ position: Int, _ bytes: RawSpan) -> UsageObject? {
        let attribute = scan.first &+ position
        guard let node = content.tree(of: attributes[attribute].value, bytes),
            content.tape.nodes[node].kind == .object
        else { return nil }
        use(attribute)
        return UsageObject(node: node)
    }

    /// The first number of an object that a list of words names by its path.
    private mutating func member(_ words: NumberList, _ object: UsageObject, _ bytes: RawSpan) -> AttributeValue? {
        for index in words.range {
            let path = rules.words[Int(scan.plan.numbers[index])]
            guard let node = content.tape.node(at: path, of: object.node, bytes) else { continue }
            let value = content.tape.value(node, bytes)
            if value.number(in: bytes) != nil { return value }
        }
        return nil
    }

    private mutating func write(
        _ counts: TokenCounts?,
        _ cost: CallCost?,
        _ spent: SpentTokens?,
        _ index: Int,
        _ rule: Decider,
        _ batch: inout SpanBatch
    ) {
        var call = TraceFacts.ModelCall(span: index, hasUsage: counts != nil, spent: spent)
        if let counts {
            outcome.spans.setTokens(counts.total, of: index)
            call.usage = batch.addedBytes
            batch.addAttribute("mlflow.chat.tokenUsage", to: .span(index)) { counts.write(to: &$0) }
            didSet("mlflow.chat.tokenUsage", index, by: rule)
        }
        if let cost {
            call.cost = batch.addedBytes
            outcome.spans.setCost(cost.total, of: index)
            batch.addAttribute("mlflow.llm.cost", to: .span(index)) { cost.write(to: &$0) }
            didSet("mlflow.llm.cost", index, by: rule)
        }
        traces.noteModelCall(call)
    }

    @inline(__always)
    private mutating func count(_ keys: NumberList, _ object: UsageObject?, _ bytes: RawSpan) -> Int64? {
        if keys.range.isEmpty { return nil }
        if object == nil, case let attribute = scan.attribute(keys.range.lowerBound),
            let count = bytes.shortCount(attributes[attribute].value)
        {
            use(attribute)
            return count
        }
        return anyCount(keys, object, bytes)
    }

    @inline(never)
    private mutating func anyCount(_ keys: NumberList, _ object: UsageObject?, _ bytes: RawSpan) -> Int64? {
        if let object { return member(keys, object, bytes)?.count(in: bytes) }
        for index in keys.range {
            let attribute = scan.attribute(index)
            guard let count = AttributeValue(attributes[attribute].value, in: bytes).count(in: bytes) else { continue }
            use(attribute)
            return count
        }
        return nil
    }

    private mutating func number(_ keys: NumberList, _ object: UsageObject?, _ bytes: RawSpan) -> Double? {
        if let object { return member(keys, object, bytes)?.number(in: bytes) }
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

/// An object on the tape that holds counts.
private struct UsageObject {
    let node: Int
}
