import Basics
import Settings

// What a condition asks of one value: a value, which is to be equalled, or an object of operators.

/// What the values of a test are.
enum TestForm {
    /// Texts, numbers, true and false.
    case any
    case text
    case number
    /// Durations, in the pipeline file's form, under an operator.
    case duration
    /// One of these.
    case names([String])
    /// Levels by name, each for its four numbers, or numbers from 1 to 24.
    case severity
}

extension NodeReader {
    static let operators = ["equals", "in", "matches", "glob", "exists", "over", "under"]

    /// A value, which is to be equalled, or an object of operators.
    mutating func test(_ place: NodePlace, as form: TestForm = .any) -> Condition.Test? {
        if place.node.members != nil {
            guard expectObject(place, of: Self.operators) else { return nil }
            return operators(of: place, as: form)
        }
        if case .duration = form {
            report(place, "an object is expected, such as {\"over\": \"2s\"}")
            return nil
        }
        return literals(place, as: form).map { Condition.Test(tests: [.isIn($0)]) }
    }

    /// The operators among the members of an object; one at least.
    mutating func operators(of place: NodePlace, as form: TestForm = .any) -> Condition.Test? {
        let members = (place.members ?? []).filter { Self.operators.contains($0.name) }
        guard !members.isEmpty else {
            report(place, "one of \(Self.operators.joined(separator: ", ")) is expected")
            return nil
        }
        let tests = members.compactMap { test($0.name, $0.place, as: form) }
        return tests.count == members.count ? Condition.Test(tests: tests) : nil
    }

    private mutating func test(_ name: String, _ place: NodePlace, as form: TestForm) -> ValueTest? {
        switch name {
        case "equals": return literals(place, as: form).map { .isIn($0) }
        case "in":
            guard let elements = place.elements, !elements.isEmpty else {
                report(place, "an array of values is expected")
                return nil
            }
            return .isIn(elements.compactMap { literals($0, as: form) }.flatMap(\.self))
        case "exists":
            guard let exists = place.node.bool else {
                report(place, "true or false is expected")
                return nil
            }
            return .exists(exists)
        case "over": return limit(place, as: form, isOver: true).map { .over($0) }
        case "under": return limit(place, as: form, isOver: false).map { .under($0) }
        case _ where form.isSeverity:
            report(place, "a severity has no text; its level is asked for with equals, in, over or under")
            return nil
        case _ where form.isNumber:
            report(place, "a number has no text; it is asked for with equals, in, over, under or exists")
            return nil
        case "matches": return pattern(place)
        default: return text(place).map { .glob(Glob($0)) }
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

    /// What is compared; a level of severity is passed by its highest or lowest number.
    private mutating func limit(_ place: NodePlace, as form: TestForm, isOver: Bool) -> Double? {
        switch form {
        case .duration: return duration(place)
        case .severity:
            return severity(place).map { Double(isOver ? $0.upperBound : $0.lowerBound) }
        case .text, .names:
            report(place, "a text is no number; it is asked for with equals, in, matches, glob or exists")
            return nil
        case .any, .number:
            if place.node.double == nil { report(place, "a number is expected") }
            return place.node.double
        }
    }

    /// A value as the literals of which one has to be equalled.
    private mutating func literals(_ place: NodePlace, as form: TestForm) -> [ValueTest.Literal]? {
        switch form {
        case .names(let names):
            if let name = place.node.string, names.contains(name) { return [.text(Array(name.utf8))] }
            report(place, "one of \(names.joined(separator: ", ")) is expected")
            return nil
        case .severity:
            return severity(place).map { $0.map { .number(Double($0)) } }
        case .text: return text(place).map { [.text(Array($0.utf8))] }
        case .number:
            if place.node.double == nil { report(place, "a number is expected") }
            return place.node.double.map { [.number($0)] }
        case .duration: return duration(place).map { [.number($0)] }
        case .any:
            if let text = place.node.string { return [.text(Array(text.utf8))] }
            if let number = place.node.double { return [.number(number)] }
            if let bool = place.node.bool { return [.bool(bool)] }
            report(place, "a string, a number, true or false is expected")
            return nil
        }
    }

    /// Nanoseconds.
    private mutating func duration(_ place: NodePlace) -> Double? {
        if let duration = place.node.string.flatMap(Duration.init(text:)) { return Double(duration.wholeNanoseconds) }
        report(place, "\(Duration.form) is expected")
        return nil
    }

    /// The severity numbers that a name or a number stands for.
    private mutating func severity(_ place: NodePlace) -> ClosedRange<Int>? {
        if let name = place.node.string, let level = Condition.severities.firstIndex(of: name) {
            return 4 * level + 1...4 * level + 4
        }
        if let number = place.node.double.flatMap(Int.init(exactly:)), Condition.severityNumbers.contains(number) {
            return number...number
        }
        report(place, "one of \(Condition.severities.joined(separator: ", ")) or a number from 1 to 24 is expected")
        return nil
    }
}

extension TestForm {
    fileprivate var isSeverity: Bool {
        if case .severity = self { return true }
        return false
    }

    fileprivate var isNumber: Bool {
        switch self {
        case .number, .duration: true
        case .any, .text, .names, .severity: false
        }
    }
}
