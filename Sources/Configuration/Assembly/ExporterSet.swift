import Exporters
import Logging
import Pipeline
import Settings

/// The exporters of a pipeline file and the threads they share.
package struct ExporterSet: Sendable {
    private let exporters: [String: any Exporter]
    private let context: ExporterContext

    init(_ file: PipelineFile, logger: Logger) {
        var context = ExporterContext(logger: logger)
        var exporters: [String: any Exporter] = [:]
        for exporter in file.exporters {
            context.routing = file.routing(before: exporter.name)
            exporters[exporter.name] = exporter.settings.destination.makeExporter(in: context)
        }
        self.exporters = exporters
        self.context = context
    }

    subscript(name: String) -> (any Exporter)? { exporters[name] }

    /// Closes every exporter and ends the threads, after the last delivery has ended.
    package func close() async {
        for exporter in exporters.values { await exporter.close() }
        await context.close()
    }
}
