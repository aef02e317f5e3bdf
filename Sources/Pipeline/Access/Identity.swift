/// Who sends a request, as authentication found out.
package struct Identity: Equatable, Sendable {
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
}
