import Basics
import Exporters
import Logging
import Pipeline
import Processors

/// The exporters of a pipeline file and the threads they share.
package struct ExporterSet: Sendable {
    private let exporters: [String: any Exporter]
    private let threads: ExporterThreads

    init(_ file: PipelineFile, logger: Logger) {
        let threads = ExporterThreads()
        self.threads = threads
        exporters = Dictionary(
            uniqueKeysWithValues: file.exporters.map { exporter in
                var destination = exporter.settings.destination
                if case .mlflow(var settings) = destination {
                    settings.createsExperiments = file.createsExperiments(for: exporter.name)
                    settings.namedRoutes = file.namedRoutes(for: exporter.name)
                    destination = .mlflow(settings)
                }
                return (exporter.name, destination.exporter(on: threads, logger: logger))
            }
        )
    }

    subscript(name: String) -> (any Exporter)? { exporters[name] }

    /// Closes every exporter and ends the threads, after the last delivery has ended.
    package func close() async {
        for exporter in exporters.values { await exporter.close() }
        await threads.loop.close()
        threads.files.stop()
    }
}

/// Where exporters do what would block.
private struct ExporterThreads {
    let loop = CurlLoop()
    let encoder = BodyEncoder()
    let files = SerialThread(name: "files")
}

extension DestinationSettings {
    fileprivate func exporter(on threads: ExporterThreads, logger: Logger) -> any Exporter {
        switch self {
        case .mlflow(let settings):
            return MLflowExporter(settings, loop: threads.loop, encoder: threads.encoder)
        case .otlpHTTP(let settings):
            return OTLPHTTPExporter(settings, loop: threads.loop, encoder: threads.encoder)
        case .file(let settings):
            return FileExporter(settings, thread: threads.files, encoder: threads.encoder, logger: logger)
        case .console(let settings):
            return ConsoleExporter(settings)
        }
    }
}

extension PipelineFile {
    /// Whether the pipelines that end at an `mlflow` exporter let it create experiments.
    func createsExperiments(for exporter: String) -> Bool { experimentSettings(before: exporter).allSatisfy(\.create) }

    /// The experiments that those pipelines name, whatever clients ask for.
    func namedRoutes(for exporter: String) -> Set<Route> {
        experimentSettings(before: exporter).reduce(into: []) { $0.formUnion($1.namedRoutes) }
    }

    /// How those pipelines choose experiments.
    private func experimentSettings(before exporter: String) -> [MLflowExperimentSettings] {
        let used = pipelines.filter { $0.value.exporters.contains(exporter) }.flatMap(\.value.processors)
        return processors.compactMap { processor in
            guard used.contains(processor.name), case .mlflowExperiment(let settings) = processor.settings else {
                return nil
            }
            return settings
        }
    }
}
