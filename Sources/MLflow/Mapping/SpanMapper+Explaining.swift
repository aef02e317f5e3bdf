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

    mutating func didRepair(_ target: String, _ span: Int, _ action: AttributeDecision.Action = .repaired) {
        didRepair = true
        outcome.decisions?.append(AttributeDecision(span: span, action: action, target: target, rule: "app"))
    }

    /// Notes something else that a rule did.
    mutating func did(
        _ action: AttributeDecision.Action,
        _ target: String,
        _ span: Int,
        by decider: Decider,
        of keys: [String] = []
    ) {
        guard isExplaining else { return }
        let decision = AttributeDecision(
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
}
