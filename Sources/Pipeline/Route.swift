/// Where a destination files a span: for MLflow, its experiment.
///
/// Chosen once for each trace before the journal and kept with the record; exporters that need no route ignore it.
package enum Route: Hashable, Sendable {
    /// No processor chose one.
    case none
    /// An experiment by its name.
    case experimentName(String)
    /// An experiment by its id, all digits.
    case experimentID(String)
}

extension Route: CustomStringConvertible {
    /// For logs and listings.
    package var description: String {
        switch self {
        case .none: "default"
        case .experimentName(let name): "experiment \"\(name)\""
        case .experimentID(let id): "experiment id \(id)"
        }
    }
}
