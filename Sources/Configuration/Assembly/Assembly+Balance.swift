package import Basics
package import Pipeline

// What a process can say at its end of what came and where it went.
extension Assembly {
    /// The accounts as they stand.
    package var ledger: Ledger { status.ledger }

    /// Where spans went since the process started; nil where not all of it is known.
    package var routes: Set<Route>? {
        let rows = status.meters.services.rows
        return rows.contains { $0.key == nil } ? nil : Set(rows.compactMap(\.key?.route))
    }

    /// Exporters of the pipeline file as it counts now, secrets masked, by their names.
    package var exporterSettings: JSONNode? {
        (try? JSONNode(parsing: status.configurationJSON))?["file"]?["exporters"]
    }

    /// What a destination last said, where it has taken nothing since.
    package func trouble(at exporter: String) -> String? {
        deliveries.filter { $0.name == exporter }.map(\.condition).lazy
            .filter { $0.failuresInARow > 0 }.compactMap { $0.lastFailure?.reason }.first
    }
}
