import Exporters
import Logging
import Pipeline
import Settings
import Synchronization

/// The exporters of a pipeline file, each behind a joint that lasts, and the threads they share.
package final class ExporterSet: Sendable {
    private let exporters: Mutex<[String: CurrentExporter]>
    private let context: ExporterContext

    init(
        _ file: PipelineFile,
        report: ProcessReport = ProcessReport(),
        meters: Meters = Meters(),
        logger: Logger
    ) {
        let context = ExporterContext(meters: meters, logger: logger, report: report)
        self.context = context
        exporters = Mutex(
            file.exporters.reduce(into: [:]) { $0[$1.name] = CurrentExporter(file.makeExporter($1, context)) }
        )
    }

    subscript(name: String) -> (any Exporter)? { exporters.withLock { $0[name] } }

    /// Takes up the exporters of another file: those that it sets otherwise take the place of those with their names.
    ///
    /// Those that it does not have stay until they are removed.
    ///
    /// - Returns: The names of those that are sent to otherwise.
    func take(_ file: PipelineFile, insteadOf old: PipelineFile) -> Set<String> {
        var changed: Set<String> = []
        for exporter in file.exporters {
            let known = old.exporters.first { $0.name == exporter.name }
            let isSame = known.map { exporter.isSet(as: $0) } ?? false
            if isSame, file.routing(before: exporter.name) == old.routing(before: exporter.name) { continue }
            let made = file.makeExporter(exporter, context)
            let current = exporters.withLock { exporters in
                defer { if exporters[exporter.name] == nil { exporters[exporter.name] = CurrentExporter(made) } }
                return exporters[exporter.name]
            }
            current?.replace(with: made)
            if current != nil { changed.insert(exporter.name) }
        }
        return changed
    }

    /// Closes an exporter whose deliveries have ended.
    func remove(_ name: String) async {
        await exporters.withLock { $0.removeValue(forKey: name) }?.close()
    }

    /// Closes every exporter and ends the threads, after the last delivery has ended.
    package func close() async {
        for exporter in exporters.withLock({ $0 }).values { await exporter.close() }
        await context.close()
    }
}

extension PipelineFile {
    fileprivate func makeExporter(
        _ exporter: Configured<ExporterSettings>,
        _ context: ExporterContext
    ) -> any Exporter {
        var context = context
        (context.name, context.routing) = (exporter.name, routing(before: exporter.name))
        context.retry = exporter.settings.reader.retry
        return exporter.settings.destination.makeExporter(in: context)
    }
}
