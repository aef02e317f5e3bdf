import Basics
import Settings

/// A pipeline file for one machine: OTLP over HTTP and gRPC at the ports that every SDK knows, to some destinations.
struct FirstFile {
    typealias Exporter = (name: String, settings: JSON)

    private let exporters: [Exporter]

    init(_ exporters: [Exporter]) {
        self.exporters = exporters
    }

    /// As it is written to the disk.
    var text: String {
        let file: JSON = [
            "receivers": [
                "otlp": ["type": "otlp_http", "listen": "127.0.0.1:4318"],
                "grpc": ["type": "otlp_grpc", "listen": "127.0.0.1:4317"],
                "otlp-grpc": ["type": "otlp_grpc", "listen": "127.0.0.1:4318"],
            ],
            "processors": .object(processors.map { JSON.Member($0.name, $0.settings) }),
            "exporters": .object(exporters.map { JSON.Member($0.name, settings(of: $0)) }),
            "pipelines": [
                "traces": [
                    "receivers": ["otlp", "grpc", "otlp-grpc"], "processors": .words(processors.map(\.name)),
                    "exporters": .words(exporters.map(\.name)),
                    "signals": .words(hasMLflow ? ["traces", "logs"] : ["traces"]),
                ]
            ],
        ]
        return file.indentedText() + "\n"
    }

    private var hasMLflow: Bool { exporters.contains { $0.name == LocalServer.mlflow.exporter } }

    /// Others read what apps send as it is, and would store the mapped attributes beside it.
    private var processors: [Exporter] {
        guard hasMLflow else { return [] }
        // Behind the window a trace goes where its root says, and content that came as log records is in its spans.
        return [
            ("map", ["type": "mlflow_map"]), ("whole", ["type": "assemble"]), ("route", ["type": "mlflow_experiment"]),
        ]
    }

    /// Log records are taken for MLflow's traces alone.
    private func settings(of exporter: Exporter) -> JSON {
        let isOther = exporter.name != LocalServer.mlflow.exporter
        return hasMLflow && isOther ? exporter.settings.adding(["signals": ["traces"]]) : exporter.settings
    }
}
