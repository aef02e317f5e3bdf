package import Basics
import OTLP
package import Pipeline

// What a process can say at its end of what came and where it went.
extension Assembly {
    /// The accounts as they stand.
    package var ledger: Ledger { status.ledger }

    /// Experiments that spans were for since the process started, ids in digits, MLflow's own default where none is named; nil where
    /// not all of them are known.
    package var experiments: [String]? {
        let rows = (try? JSONNode(parsing: status.servicesJSON))?["services"]?.elements ?? []
        var experiments: [String] = []
        for row in rows {
            guard row["others"]?.bool != true else { return nil }
            let experiment = row["experiment"]?.string ?? "0"
            if !experiments.contains(experiment) { experiments.append(experiment) }
        }
        return experiments
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
