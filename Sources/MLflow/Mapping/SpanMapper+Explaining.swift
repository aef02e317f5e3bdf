import Basics
import OTLP

extension SpanMapper {
    /// Who decided, without its name being looked up.
    enum Decider {
        case rule(RuleGroup, Int)
        case engine(StaticString)
    }

    /// Notes that a target was set, from what was used since the last one.
    @inline(__always)
    mutating func didSet(_ target: StaticString, _ span: Int, by decider: Decider) {
        didMap = true
        if isExplaining { explain("\(target)", span, decider, min(toldUse, used.count)..<used.count) }
    }

    /// Notes that a target was set from a part of what was used.
    @inline(__always)
    mutating func didSet(_ target: StaticString, _ span: Int, by decider: Decider, of use: Range<Int>) {
        didMap = true
        if isExplaining { explain("\(target)", span, decider, use) }
    }

    /// Notes that a target was set from one attribute.
    mutating func didSet(named target: String, _ span: Int, by decider: Decider, of attribute: Int) {
        didMap = true
        guard isExplaining else { return }
        used.append(attribute)
        explain(target, span, decider, used.count - 1..<used.count)
    }

    mutating func didRepair(_ target: String, _ span: Int, _ action: MappingDecision.Action = .repaired) {
        didRepair = true
        outcome.decisions?.append(MappingDecision(span: span, action: action, target: target, rule: "app"))
    }

    /// Notes something else that a rule did.
    mutating func did(
        _ action: MappingDecision.Action,
        _ target: String,
        _ span: Int,
        by decider: Decider,
        of keys: [String] = []
    ) {
        guard isExplaining else { return }
        let decision = MappingDecision(
            span: span,
            action: action,
            target: target,
            rule: name(of: decider),
            sources: keys
        )
        outcome.decisions?.append(decision)
    }

    @inline(never)
    private mutating func explain(_ target: String, _ span: Int, _ decider: Decider, _ use: Range<Int>) {
        var sources: [String] = []
        for attribute in used[use] {
            let source = Self.family(of: keys[attribute])
            if !sources.contains(source) { sources.append(source) }
        }
        toldUse = used.count
        did(.set, target, span, by: decider, of: sources)
    }

    /// The key; of one part of a flattened list that of the list.
    private static func family(of key: String) -> String {
        let segments = key.split(separator: ".")
        guard let index = segments.firstIndex(where: { $0.allSatisfy(\.isNumber) }) else { return key }
        return segments[..<index].joined(separator: ".") + ".*"
    }

    private func name(of decider: Decider) -> String {
        switch decider {
        case .engine(let word): "\(word)"
        case .rule(let group, let rank): rules.ruleNames[group.rawValue][rank]
        }
    }

    /// Tells of the rules whose attributes are there and that set nothing, and why.
    mutating func explainIgnored(_ index: Int, isModelCall: Bool, _ batch: borrowing SpanBatch) {
        let content: RuleGroup = isModelCall ? .content : .contentElsewhere
        let own: [(RuleGroup, StaticString?)] = [
            (.type, scan[.spanType].map { _ in "mlflow.spanType" }),
            (content, (scan[.inputs] ?? scan[.outputs]).map { _ in "mlflow.spanInputs or mlflow.spanOutputs" }),
            (.usage, (scan[.tokenUsage] ?? scan[.cost]).map { _ in "mlflow.chat.tokenUsage or mlflow.llm.cost" }),
            (.model, (scan[.model] ?? scan[.provider]).map { _ in "mlflow.llm.model or mlflow.llm.provider" }),
        ]
        let told = Set((outcome.decisions ?? []).filter { $0.span == index && $0.action == .set }.map(\.rule))
        for (group, ownKey) in own {
            let candidates = group == content ? scan.contentRules(isModelCall: isModelCall) : scan.plan.rules(of: group)
            var rest = candidates
            var winner: String?
            while let rank = rest.popLowest() {
                let rule = rules.ruleNames[group.rawValue][rank]
                guard !told.contains(rule) else {
                    winner = winner ?? rule
                    continue
                }
                let reason =
                    if let ownKey { "the app itself set \(ownKey)" } else if let winner {
                        "\(winner) comes first"
                    } else if !holds(
                        group,
                        rank,
                        index,
                        batch
                    ) { "its condition does not hold" } else if group == .usage, !isModelCall {
                        "only model calls have usage"
                    } else { "it has no usable value here" }
                did(.ignored(reason), group == content ? "content" : group.name, index, by: .rule(group, rank))
            }
        }
    }
}
