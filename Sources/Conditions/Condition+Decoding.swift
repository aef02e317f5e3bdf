package import Basics
package import Settings

extension Condition {
    /// Reads a condition on single spans.
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
    private static let ofSpansAlone: Set = [
        "event", "name", "kind", "status", "span_type", "duration", "tokens", "root",
    ]

    /// What a condition asks that only spans have: of a log record or a metric it never holds, unless it asks that it be missing.
    package static func questionsOfSpans(in place: NodePlace) -> [(subject: String, place: NodePlace)] {
        (place.members ?? []).flatMap { name, member in
            switch name {
            case "all", "any": (member.elements ?? []).flatMap { questionsOfSpans(in: $0) }
            case "not": questionsOfSpans(in: member)
            default: ofSpansAlone.contains(name) ? [(name, member)] : []
            }
        }
    }
}

extension NodeReader {
    private static let subjects = [
        "attribute", "resource", "event", "name", "kind", "status", "span_type", "scope", "service", "duration",
        "tokens",
        "root", "all", "any", "not",
    ]
    private static let operators = ["equals", "in", "matches", "glob", "exists", "over", "under"]
    private static let depthMax = 32

    /// A condition on single spans; nil, with what is wrong noted, where it is none.
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
                operators(of: place, besides: 1).map { .attribute(key: Array(key.utf8), $0) }
            }
        case "resource":
            return string(subject, of: place).flatMap { key in
                operators(of: place, besides: 1).map { .resource(key: Array(key.utf8), $0) }
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
        case "duration": return test(member, isDuration: true).map { .duration($0) }
        case "tokens": return test(member).map { .tokens($0) }
        case "kind": return test(member, names: Condition.kinds).map { .kind($0) }
        case "status": return test(member, names: Condition.statuses).map { .status($0) }
        case "event": return test(member).map { .event($0) }
        case "name": return test(member).map { .name($0) }
        case "span_type": return test(member).map { .spanType($0) }
        case "scope": return test(member).map { .scope($0) }
        default: return test(member).map { .service($0) }
        }
    }

    private mutating func conditions(_ place: NodePlace, depth: Int) -> [Condition]? {
        guard let elements = place.elements, !elements.isEmpty else {
            report(place, "an array of conditions is expected")
            return nil
        }
        return elements.compactMap { condition($0, depth: depth + 1) }
    }

    /// A value, which is to be equalled, or an object of operators.
    private mutating func test(
        _ place: NodePlace,
        isDuration: Bool = false,
        names: [String]? = nil
    ) -> Condition.Test? {
        if place.node.members != nil {
            guard expectObject(place, of: Self.operators) else { return nil }
            return operators(of: place, besides: 0, isDuration: isDuration, names: names)
        }
        guard !isDuration else {
            report(place, "an object is expected, such as {\"over\": \"2s\"}")
            return nil
        }
        return literal(place, names: names).map { Condition.Test(tests: [.equals($0)]) }
    }

    private mutating func operators(
        of place: NodePlace,
        besides others: Int,
        isDuration: Bool = false,
        names: [String]? = nil
    ) -> Condition.Test? {
        let members = (place.members ?? []).filter { Self.operators.contains($0.name) }
        guard !members.isEmpty else {
            report(place, "one of \(Self.operators.joined(separator: ", ")) is expected")
            return nil
        }
        let tests = members.compactMap { test($0.name, $0.place, isDuration: isDuration, names: names) }
        return tests.count == members.count ? Condition.Test(tests: tests) : nil
    }

    private mutating func test(
        _ name: String,
        _ place: NodePlace,
        isDuration: Bool,
        names: [String]?
    ) -> ValueTest? {
        switch name {
        case "equals": return literal(place, names: names).map { .equals($0) }
        case "in":
            guard let elements = place.elements, !elements.isEmpty else {
                report(place, "an array of values is expected")
                return nil
            }
            return .isIn(elements.compactMap { literal($0, names: names) })
        case "matches": return pattern(place)
        case "glob": return text(place).map { .glob(Glob($0)) }
        case "exists":
            guard let exists = place.node.bool else {
                report(place, "true or false is expected")
                return nil
            }
            return .exists(exists)
        case "over": return limit(place, isDuration: isDuration).map { .over($0) }
        default: return limit(place, isDuration: isDuration).map { .under($0) }
        }
    }

    private mutating func pattern(_ place: NodePlace) -> ValueTest? {
        guard let pattern = text(place) else { return nil }
        do {
            return .matches(try RegularExpression(pattern))
        } catch {
            report(place, "a regular expression in RE2's syntax is expected: \(error.reason)")
            return nil
        }
    }

    private mutating func text(_ place: NodePlace) -> String? {
        if place.node.string == nil { report(place, "a string is expected") }
        return place.node.string
    }

    private mutating func limit(_ place: NodePlace, isDuration: Bool) -> Double? {
        if isDuration {
            if let duration = place.node.string.flatMap(Duration.init(text:)) {
                return Double(duration.wholeNanoseconds)
            }
            report(place, "\(Duration.form) is expected")
            return nil
        }
        if place.node.double == nil { report(place, "a number is expected") }
        return place.node.double
    }

    private mutating func literal(_ place: NodePlace, names: [String]?) -> ValueTest.Literal? {
        if let names {
            if let name = place.node.string, names.contains(name) { return .text(Array(name.utf8)) }
            report(place, "one of \(names.joined(separator: ", ")) is expected")
            return nil
        }
        if let text = place.node.string { return .text(Array(text.utf8)) }
        if let number = place.node.double { return .number(number) }
        if let bool = place.node.bool { return .bool(bool) }
        report(place, "a string, a number, true or false is expected")
        return nil
    }
}
