package import Basics
package import OTLP
package import Settings

extension Condition {
    /// Reads a condition on single spans, log records or metrics.
    ///
    /// - Throws: Everything that is wrong with it, each with its place.
    package init(decoding node: JSONNode) throws(DocumentProblems) {
        var reader = NodeReader()
        let condition = reader.condition(NodePlace(node), depth: 0)
        try reader.finish()
        self = condition ?? .all([])
    }
}

extension Condition {
    /// What a condition asks that only one signal has: of the others it never holds, unless it asks that it be missing.
    package static func questionsOfOneSignal(in place: NodePlace) -> [SignalQuestion] {
        (place.members ?? []).flatMap { name, member in
            switch name {
            case "all", "any": (member.elements ?? []).flatMap { questionsOfOneSignal(in: $0) }
            case "not": questionsOfOneSignal(in: member)
            default:
                ConditionSubject.all.first { $0.name == name }?.signal
                    .map { [SignalQuestion(subject: name, signal: $0, place: member)] } ?? []
            }
        }
    }
}

/// What a condition asks that only one signal has.
package struct SignalQuestion {
    /// The member of the condition, such as `status`.
    package let subject: String
    /// The signal that has it.
    package let signal: Signal
    /// Where it stands.
    package let place: NodePlace
}

extension NodeReader {
    private static let subjects = ConditionSubject.all.map(\.name)
    private static let depthMax = 32

    /// A condition on single spans, log records or metrics; nil, with what is wrong noted, where it is none.
    package mutating func condition(_ place: NodePlace, depth: Int = 0) -> Condition? {
        guard let members = place.members else {
            report(place, "a condition is an object, such as {\"status\": \"error\"}")
            return nil
        }
        guard depth < Self.depthMax else {
            report(place, "conditions are nested deeper than \(Self.depthMax) levels")
            return nil
        }
        if let (name, member) = members.first(where: { $0.name == "cost" || $0.name == "spans" }) {
            report(member, "\"\(name)\" asks about a whole trace, which only tail_sample sees")
            return nil
        }
        let found = members.filter { Self.subjects.contains($0.name) }
        guard let (subject, member) = found.first, found.count == 1 else {
            report(place, "a condition has one of \(Self.subjects.joined(separator: ", "))")
            return nil
        }
        let takesOperators = subject == "attribute" || subject == "resource"
        guard expectObject(place, of: [subject] + (takesOperators ? Self.operators : [])) else { return nil }
        return condition(subject, member, place, depth: depth)
    }

    private mutating func condition(
        _ subject: String,
        _ member: NodePlace,
        _ place: NodePlace,
        depth: Int
    ) -> Condition? {
        switch subject {
        case "attribute":
            return string(subject, of: place).flatMap { key in
                operators(of: place).map { .attribute(key: Array(key.utf8), $0) }
            }
        case "resource":
            return string(subject, of: place).flatMap { key in
                operators(of: place).map { .resource(key: Array(key.utf8), $0) }
            }
        case "root":
            guard let isRoot = member.node.bool else {
                report(member, "true or false is expected")
                return nil
            }
            return .root(isRoot)
        case "all": return conditions(member, depth: depth).map { .all($0) }
        case "any": return conditions(member, depth: depth).map { .any($0) }
        case "not": return condition(member, depth: depth + 1).map { .not($0) }
        case "duration": return test(member, as: .duration).map { .duration($0) }
        case "tokens": return test(member, as: .number).map { .tokens($0) }
        case "kind": return test(member, as: .names(Condition.kinds)).map { .kind($0) }
        case "status": return test(member, as: .names(Condition.statuses)).map { .status($0) }
        case "severity": return test(member, as: .severity).map { .severity($0) }
        case "body": return test(member).map { .body($0) }
        case "metric": return test(member, as: .text).map { .metric($0) }
        case "event": return test(member, as: .text).map { .event($0) }
        case "name": return test(member, as: .text).map { .name($0) }
        case "span_type": return test(member, as: .text).map { .spanType($0) }
        case "scope": return test(member, as: .text).map { .scope($0) }
        default: return test(member, as: .text).map { .service($0) }
        }
    }

    private mutating func conditions(_ place: NodePlace, depth: Int) -> [Condition]? {
        guard let elements = place.elements, !elements.isEmpty else {
            report(place, "an array of conditions is expected")
            return nil
        }
        return elements.compactMap { condition($0, depth: depth + 1) }
    }
}
