package import Pipeline
package import Settings

/// The settings of a `discard` exporter: none of its own.
package struct DiscardSettings: DestinationSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape("Delivers at once to nowhere, for benchmarks and trials.", DiscardSettings(), [])

    package var mayRefuse: Bool { false }

    package func makeExporter(in context: ExporterContext) -> any Exporter { DiscardExporter() }
}

/// Delivers every batch at once to nowhere.
package struct DiscardExporter: Exporter {
    package init() {}

    package func export(_ batch: Batch) async -> DeliveryOutcome { .delivered }
}
