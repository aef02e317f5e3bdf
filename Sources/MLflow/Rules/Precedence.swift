import Basics
import Settings

/// Which rule wins over which: by group the rules' full names, the winner first.
struct Precedence: Sendable {
    /// By the group's name in the document.
    let order: [String: [String]]

    init(order: [String: [String]]) {
        self.order = order
    }

    init(parsing text: [UInt8]) throws(DocumentProblems) {
        var reader = NodeReader()
        let place = NodePlace(try MappingRules.parse(text))
        var order: [String: [String]] = [:]
        if reader.expectObject(place, of: RuleGroup.allCases.filter(\.isRanked).map(\.name)) {
            for (name, _) in place.members ?? [] { order[name] = reader.strings(name, of: place) }
        }
        try reader.finish()
        self.order = order
    }
}

extension RuleGroup {
    /// Its name in the document of precedence.
    var name: String {
        switch self {
        case .contentElsewhere: "content_elsewhere"
        case .spanName: "span_name"
        default: "\(self)"
        }
    }
}
