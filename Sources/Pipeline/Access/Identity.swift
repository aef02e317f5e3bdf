import Basics

/// Who sends a request, as authentication found out.
package struct Identity: Sendable {
    /// The member's name, which goes with the record; never a secret.
    package let name: String
    /// The experiments that it may write to; nil for all.
    package let experiments: ExperimentList?

    package init(_ name: String, experiments: ExperimentList? = nil) {
        self.name = name
        self.experiments = experiments
    }

    /// Whether its spans may go there.
    package func mayWrite(to route: Route) -> Bool { experiments?.contains(route) ?? true }

    /// Why its spans may not go there, for its client and for logs; nil where they may.
    package func refusal(of route: Route) -> String? {
        guard let experiments, !experiments.contains(route) else { return nil }
        return "\(route) is not for \"\(name.excerpt(max: 80))\"; allowed: \(experiments)"
    }
}

/// Names are compared byte for byte.
extension Identity: Equatable {
    package static func == (lhs: Identity, rhs: Identity) -> Bool {
        ExactText(lhs.name) == ExactText(rhs.name) && lhs.experiments == rhs.experiments
    }
}
