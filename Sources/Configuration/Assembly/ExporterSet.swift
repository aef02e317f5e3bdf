import Basics
import Exporters
import Logging
package import Pipeline

/// The exporters of a pipeline file and the threads they share.
package struct ExporterSet: Sendable {
    private let exporters: [String: any Exporter]
    private let loop = CurlLoop()
    private let encoder = BodyEncoder()
    private let files = SerialThread(name: "files")

    init(_ file: PipelineFile, logger: Logger) {
        var exporters: [String: any Exporter] = [:]
        for exporter in file.exporters {
            exporters[exporter.name] =
                switch exporter.settings.destination {
                case .mlflow(var settings):
                    {
                        settings.createsExperiments = file.createsExperiments(for: exporter.name)
                        return MLflowExporter(settings, loop: loop, encoder: encoder)
                    }()
                case .otlpHTTP(let settings): OTLPHTTPExporter(settings, loop: loop, encoder: encoder)
                case .file(let settings): FileExporter(settings, thread: files, encoder: encoder, logger: logger)
                case .console(let settings): ConsoleExporter(settings)
                }
        }
        self.exporters = exporters
    }

    subscript(name: String) -> (any Exporter)? { exporters[name] }

    /// Closes every exporter and ends the threads, after the last delivery has ended.
    package func close() async {
        for exporter in exporters.values { await exporter.close() }
        await loop.close()
        files.stop()
    }
}

extension PipelineFile {
    /// Whether the pipelines that end at an `mlflow` exporter let it create experiments.
    fileprivate func createsExperiments(for exporter: String) -> Bool {
        let used = pipelines.filter { $0.value.exporters.contains(exporter) }.flatMap(\.value.processors)
        return processors.allSatisfy { processor in
            guard used.contains(processor.name), case .mlflowExperiment(let settings) = processor.settings else { return true }
            return settings.create
        }
    }
}
