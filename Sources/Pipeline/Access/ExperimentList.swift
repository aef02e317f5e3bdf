import Basics
import Conditions

/// Experiments as a pipeline file lists them: names, ids (all digits) and globs, which are compared with both.
///
/// Compared byte for byte with what a route says, before MLflow is asked: a name does not stand for the id of its experiment,
/// nor a name in another Unicode form for this one.
package struct ExperimentList: Equatable, Sendable {
    /// The request header by which MLflow's own clients name an experiment.
    package static let headerName = "x-mlflow-experiment-id"

    /// As they are written.
    package let entries: [String]
    private let exact: Set<Route>
    private let globs: [Glob]

    package init(_ entries: [String]) {
        self.entries = entries
        exact = Set(entries.filter { !Glob.isPattern($0) }.map(Route.init(experiment:)))
        globs = entries.filter(Glob.isPattern).map { Glob($0) }
    }

    /// Whether the experiment is one of them; false for no experiment.
    package func contains(_ route: Route) -> Bool {
        switch route {
        case .none: false
        case .experimentName(let text), .experimentID(let text):
            exact.contains(route) || globs.contains { $0.matches(text) }
        }
    }

    /// Those that it names by themselves, and not only by a glob.
    package var named: Set<Route> { exact }

    package static func == (lhs: ExperimentList, rhs: ExperimentList) -> Bool {
        lhs.entries.map(ExactText.init) == rhs.entries.map(ExactText.init)
    }
}

extension ExperimentList: CustomStringConvertible {
    /// For messages: the first few.
    package var description: String {
        let shown = entries.prefix(5).map { $0.excerpt(max: 80) }
        return (shown + (entries.count > shown.count ? ["…"] : [])).joined(separator: ", ")
    }
}
