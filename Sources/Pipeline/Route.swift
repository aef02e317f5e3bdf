import Basics

/// Where a destination files a span: for MLflow, its experiment.
///
/// Chosen once for each trace before the journal and kept with the record; exporters that need no route ignore it.
package enum Route: Sendable {
    /// No processor chose one.
    case none
    /// An experiment by its name.
    case experimentName(String)
    /// An experiment by its id, all digits.
    case experimentID(String)

    /// Characters (Unicode scalars) of an experiment's name or id that a client may choose, at most.
    package static let nameCharactersMax = 250

    /// Whether the name or id is over the limit.
    package var isOverLong: Bool {
        switch self {
        case .none: false
        case .experimentName(let text), .experimentID(let text):
            // A character takes four bytes at most.
            text.utf8.count > Self.nameCharactersMax
                && (text.utf8.count > Self.nameCharactersMax * 4 || text.unicodeScalars.count > Self.nameCharactersMax)
        }
    }
}

extension Route {
    /// An experiment as people write it: all digits are its id, everything else is its name.
    package init(experiment: String) {
        let isID = !experiment.isEmpty && experiment.utf8.allSatisfy(\.isDigit)
        self = isID ? .experimentID(experiment) : .experimentName(experiment)
    }
}

/// Two names are one only where their bytes are, as for MLflow: another Unicode form of a name is another experiment.
extension Route: Hashable {
    private var key: (kind: UInt8, text: ExactText) {
        switch self {
        case .none: (0, ExactText(""))
        case .experimentName(let name): (1, ExactText(name))
        case .experimentID(let id): (2, ExactText(id))
        }
    }

    package static func == (lhs: Route, rhs: Route) -> Bool { lhs.key == rhs.key }

    package func hash(into hasher: inout Hasher) {
        let (kind, text) = key
        hasher.combine(kind)
        hasher.combine(text)
    }
}

extension Route: CustomStringConvertible {
    /// For logs and listings.
    package var description: String {
        switch self {
        case .none: "default"
        case .experimentName(let name): "experiment \"\(name.excerpt())\""
        case .experimentID(let id): "experiment id \(id.excerpt())"
        }
    }
}
