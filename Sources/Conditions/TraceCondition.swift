package import Basics
package import OTLP
package import Settings

/// What a trace must be like.
///
/// A condition on spans holds where one of its spans satisfies it, all of it the same span; `not` of one holds where none does. Duration,
/// tokens, cost and the number of spans are those of the whole trace.
package indirect enum TraceCondition: Sendable {
    case span(Condition)
    /// In nanoseconds, from the first start to the last end.
    case duration(Condition.Test)
    case tokens(Condition.Test)
    case cost(Condition.Test)
    case spans(Condition.Test)
    case all([TraceCondition])
    case any([TraceCondition])
    case not(TraceCondition)

    /// Reads a condition on whole traces.
    ///
    /// - Throws: Everything that is wrong with it, each with its place.
    package init(decoding node: JSONNode) throws(DocumentProblems) {
        var reader = NodeReader()
        let condition = reader.traceCondition(NodePlace(node), depth: 0)
        try reader.finish()
        self = condition ?? .all([])
    }

    /// Whether, once it holds for some spans of a trace, it holds for the whole trace too.
    package var isLasting: Bool {
        switch self {
        case .span(let condition): !condition.asksMapping
        case .duration(let test), .spans(let test): test.isOnlyOver
        // Only known of the whole trace.
        case .tokens, .cost, .not: false
        case .all(let conditions), .any(let conditions): conditions.allSatisfy(\.isLasting)
        }
    }

    /// Whether it asks single spans alone, and of them only what they came with.
    package var isPlain: Bool {
        switch self {
        case .span(let condition): !condition.asksMapping
        case .all(let conditions), .any(let conditions): conditions.allSatisfy(\.isPlain)
        case .duration, .tokens, .cost, .spans, .not: false
        }
    }

    /// Whether it holds for no trace whose root does not satisfy it.
    package var isOfRoot: Bool {
        switch self {
        case .span(let condition): condition.isOfRoot
        case .all(let conditions): conditions.contains(where: \.isOfRoot)
        case .any(let conditions): conditions.allSatisfy(\.isOfRoot)
        case .duration, .tokens, .cost, .spans, .not: false
        }
    }
}

/// What a whole trace has, as far as conditions ask for it.
package struct TraceFigures: Sendable, Equatable {
    /// Nanoseconds.
    package var duration: Double = 0
    /// Nil where none were reported.
    package var tokens: Int64?
    /// Nil where none was reported.
    package var cost: Double?
    package var spans = 0

    package init() {}
}

extension Condition {
    /// Whether it holds for roots alone.
    fileprivate var isOfRoot: Bool {
        switch self {
        case .root(let isRoot): isRoot
        case .all(let conditions): conditions.contains(where: \.isOfRoot)
        case .any(let conditions): conditions.allSatisfy(\.isOfRoot)
        default: false
        }
    }

    /// Whether it asks what `mlflow_map` finds out.
    fileprivate var asksMapping: Bool {
        switch self {
        case .spanType, .tokens: true
        case .all(let conditions), .any(let conditions): conditions.contains(where: \.asksMapping)
        case .not(let condition): condition.asksMapping
        default: false
        }
    }
}

extension Condition.Test {
    /// Whether what is more passes too.
    fileprivate var isOnlyOver: Bool {
        tests.allSatisfy { if case .over = $0 { true } else { false } }
    }
}

/// Says which of some conditions a trace satisfies.
package struct TraceMatcher: Sendable {
    private indirect enum Node: Sendable {
        /// A condition of the matcher.
        case span(Int)
        case duration(Condition.Test)
        case tokens(Condition.Test)
        case cost(Condition.Test)
        case spans(Condition.Test)
        case all([Node])
        case any([Node])
        case not(Node)
    }

    private var nodes: [Node] = []
    private var matcher = ConditionMatcher([])
    /// By condition on spans: whether a span satisfies it.
    private var held: [Bool] = []

    /// Makes conditions ready; their positions are what `holds` takes.
    package init(_ conditions: [TraceCondition]) {
        var spans: [Condition] = []
        nodes = conditions.map { Self.node($0, &spans) }
        matcher = ConditionMatcher(spans)
        held = [Bool](repeating: false, count: spans.count)
    }

    /// Looks at the spans of a trace that stay; `mapped` is what `mlflow_map` found out, empty where it did not run.
    package mutating func look(at batch: borrowing SpanBatch, mapped: MappedSpans) {
        matcher.begin()
        for index in held.indices { held[index] = false }
        for span in batch.spans.indices where batch.removal(of: span) == nil {
            let known = mapped.isEmpty ? nil : mapped[span]
            for index in held.indices where !held[index] {
                held[index] = matcher.matches(index, span, in: batch, mapped: known)
            }
        }
    }

    /// Whether the trace that was looked at last satisfies the condition at that position.
    package func holds(_ condition: Int, _ figures: TraceFigures) -> Bool { holds(nodes[condition], figures) }

    private func holds(_ node: Node, _ figures: TraceFigures) -> Bool {
        switch node {
        case .span(let index): held[index]
        case .duration(let test): test.holds(figures.duration)
        case .tokens(let test): figures.tokens.map { test.holds(Double($0)) } ?? test.holdsForMissing
        case .cost(let test): figures.cost.map { test.holds($0) } ?? test.holdsForMissing
        case .spans(let test): test.holds(Double(figures.spans))
        case .all(let nodes): nodes.allSatisfy { holds($0, figures) }
        case .any(let nodes): nodes.contains { holds($0, figures) }
        case .not(let node): !holds(node, figures)
        }
    }

    private static func node(_ condition: TraceCondition, _ spans: inout [Condition]) -> Node {
        switch condition {
        case .span(let condition):
            spans.append(condition)
            return .span(spans.count - 1)
        case .duration(let test): return .duration(test)
        case .tokens(let test): return .tokens(test)
        case .cost(let test): return .cost(test)
        case .spans(let test): return .spans(test)
        case .all(let conditions): return .all(conditions.map { node($0, &spans) })
        case .any(let conditions): return .any(conditions.map { node($0, &spans) })
        case .not(let condition): return .not(node(condition, &spans))
        }
    }
}

extension NodeReader {
    /// What a trace has as a whole.
    private static let ofTraces = ["duration", "tokens", "cost", "spans"]
    private static let traceDepthMax = 32

    /// A condition on whole traces; nil, with what is wrong noted, where it is none.
    fileprivate mutating func traceCondition(_ place: NodePlace, depth: Int) -> TraceCondition? {
        guard let members = place.members, depth < Self.traceDepthMax else {
            return condition(place, depth: depth).map { .span($0) }
        }
        if let (name, member) = members.first(where: { Self.ofTraces.contains($0.name) }) {
            guard expectObject(place, of: [name]) else { return nil }
            return figure(name, member)
        }
        if let (_, member) = members.first(where: { $0.name == "not" }), members.count == 1 {
            return traceCondition(member, depth: depth + 1).map { .not($0) }
        }
        for name in ["all", "any"] {
            guard let (_, member) = members.first(where: { $0.name == name }), members.count == 1,
                let elements = member.elements, !elements.isEmpty
            else { continue }
            // Of the same span, unless something of the whole trace is asked.
            if name == "all", !elements.contains(where: Self.asksTrace) { continue }
            let conditions = elements.compactMap { traceCondition($0, depth: depth + 1) }
            return name == "all" ? .all(conditions) : .any(conditions)
        }
        return condition(place, depth: depth).map { .span($0) }
    }

    private static func asksTrace(_ place: NodePlace) -> Bool {
        (place.members ?? []).contains { name, member in
            switch name {
            case "all", "any": (member.elements ?? []).contains(where: asksTrace)
            case "not": asksTrace(member)
            default: ofTraces.contains(name)
            }
        }
    }

    private mutating func figure(_ name: String, _ member: NodePlace) -> TraceCondition? {
        switch name {
        case "duration": test(member, as: .duration).map { .duration($0) }
        case "tokens": test(member, as: .number).map { .tokens($0) }
        case "cost": test(member, as: .number).map { .cost($0) }
        default: test(member, as: .number).map { .spans($0) }
        }
    }
}

extension Kind<JSONNode> {
    /// A condition on whole traces.
    package static let traceCondition = Kind(
        allowed: "a condition, such as {\"status\": \"error\"}",
        brief: "condition",
        schema: ["type": "object", "minProperties": .integer(1)],
        read: { node, context in
            do throws(DocumentProblems) {
                _ = try TraceCondition(decoding: node)
            } catch {
                context.report(error)
            }
            return node
        },
        write: { JSON($0) }
    )
}
