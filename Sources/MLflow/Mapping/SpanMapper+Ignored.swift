import Basics
import OTLP

// Why rules whose attributes are there did nothing.

extension SpanMapper {
    /// The attributes that a group decides, and the one of them that the app itself set.
    private struct Decided {
        let group: RuleGroup
        let targets: [String]
        let own: Int?
    }

    /// Tells of the rules whose attributes are there and that set nothing, and why.
    ///
    /// Conventions share keys, so where one wins the built-in rules of others that do not fit are nothing to tell.
    mutating func explainIgnored(_ index: Int, isModelCall: Bool, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        let decided = [
            Decided(group: .type, targets: ["mlflow.spanType"], own: scan[.spanType]),
            Decided(
                group: isModelCall ? .content : .contentElsewhere,
                targets: ["mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.chat.tools"],
                own: scan[.inputs] ?? scan[.outputs]
            ),
            Decided(
                group: .usage,
                targets: ["mlflow.chat.tokenUsage", "mlflow.llm.cost"],
                own: scan[.tokenUsage] ?? scan[.cost]
            ),
            Decided(
                group: .model,
                targets: ["mlflow.llm.model", "mlflow.llm.provider"],
                own: scan[.model] ?? scan[.provider]
            ),
        ]
        for field in decided { explainIgnored(field, index, isModelCall: isModelCall, &batch, bytes) }
    }

    private mutating func explainIgnored(
        _ field: Decided,
        _ index: Int,
        isModelCall: Bool,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        let decisions = (outcome.decisions ?? [])[decisionsBefore...].filter { decision in
            decision.span == index && decision.action == .set && field.targets.contains(decision.target)
        }
        let told = Set(decisions.map(\.rule))
        let own = field.own.map { keys[$0] }
        var rest = scan.plan.rules(of: field.group)
        if field.group == .content || field.group == .contentElsewhere {
            rest |= scan.contentRules(isModelCall: isModelCall)
        }
        while let rank = rest.popLowest() {
            let rule = rules.ruleNames[field.group.rawValue][rank]
            guard !told.contains(rule) else { continue }
            let flaw = flaw(of: field.group, rank, index, isModelCall: isModelCall, &batch, bytes)
            let isForeign = flaw != nil && MappingRules.isBuiltIn(rule)
            // Also a rule about a scope or a name: of any other span there is nothing to tell.
            if isForeign, !told.isEmpty || own != nil || isAlways(field.group, rank) { continue }
            let winner = decisions.first.map { "\($0.rule) comes first" }
            let reason = own.map { "the app itself set \($0)" } ?? flaw ?? winner ?? "it has no usable value here"
            let target = field.group == .contentElsewhere ? "content" : field.group.name
            did(.ignored(reason), target, index, by: .rule(field.group, rank))
        }
    }

    /// Why a rule could do nothing by itself.
    private mutating func flaw(
        of group: RuleGroup,
        _ rank: Int,
        _ index: Int,
        isModelCall: Bool,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) -> String? {
        if !holds(group, rank, index, &batch) { return "its condition does not hold" }
        if group == .usage, !isModelCall { return "only model calls have usage" }
        guard group == .type else { return nil }
        let kind = scan.plan.kinds.first { $0.rank == rank }
        return kind.flatMap { type(of: $0, bytes) } == nil ? "it has no usable value here" : nil
    }

    private func isAlways(_ group: RuleGroup, _ rank: Int) -> Bool {
        rules.always[group.rawValue] & UInt128(1) << UInt128(rank) != 0
    }
}

extension MappingRules {
    /// Whether a rule belongs to one of the conventions inside the binary.
    fileprivate static func isBuiltIn(_ rule: String) -> Bool {
        conventionNames.contains(String(rule.prefix { $0 != "." }))
    }
}
