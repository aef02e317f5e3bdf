import Basics
import Settings

/// Where two JSON values differ.
struct JSONDifference: Equatable {
    /// JSON pointer (RFC 6901); empty for the whole value.
    let pointer: String
    /// Nil where the expected value has nothing.
    let expected: JSON?
    /// Nil where the value found has nothing.
    let found: JSON?

    /// Every place where the values differ; numbers differ by value, objects not by order.
    static func all(expected: JSON, found: JSON) -> [JSONDifference] {
        var differences: [JSONDifference] = []
        collect(expected, found, "", &differences)
        return differences
    }

    private static func collect(_ expected: JSON?, _ found: JSON?, _ pointer: String, _ all: inout [JSONDifference]) {
        switch (expected, found) {
        case (.object(let wanted)?, .object(let members)?):
            let names = wanted.map(\.name) + members.map(\.name).filter { name in !wanted.contains { $0.name == name } }
            for name in names {
                let value = { (members: [JSON.Member]) in members.last { $0.name == name }?.value }
                collect(value(wanted), value(members), pointer + name.pointerStep, &all)
            }
        case (.array(let wanted)?, .array(let elements)?):
            for index in 0..<max(wanted.count, elements.count) {
                let value = { (values: [JSON]) in index < values.count ? values[index] : nil }
                collect(value(wanted), value(elements), "\(pointer)/\(index)", &all)
            }
        case (.number(let wanted)?, .number(let digits)?):
            guard !isEqual(wanted, digits) else { return }
            all.append(JSONDifference(pointer: pointer, expected: expected, found: found))
        case _ where expected == found: return
        default: all.append(JSONDifference(pointer: pointer, expected: expected, found: found))
        }
    }

    /// Whole numbers are compared exactly, whatever their size.
    private static func isEqual(_ digits: String, _ others: String) -> Bool {
        if let number = Int64(digits), let other = Int64(others) { return number == other }
        return Double(digits) == Double(others)
    }
}

extension JSONDifference: CustomStringConvertible {
    /// `/messages/0/content: expected "x", found "y"`; the colon and what stands before it are for a key in front.
    var description: String {
        let place = pointer.isEmpty ? "" : " " + pointer.excerpt(max: 120)
        let text = { (value: JSON?) in value?.lineText.excerpt(max: 120) ?? "nothing" }
        return "\(place): expected \(text(expected)), found \(text(found))"
    }
}
