package import Journal
package import OTLP

extension LogID {
    /// The log of a pipeline for one signal: ids count the items of one log, so signals never mix.
    ///
    /// Spans are no part but lie in the pipeline's own folder, where they were before pipelines took other signals.
    package init(_ pipeline: String, _ signal: Signal) {
        self.init(pipeline, part: signal == .traces ? nil : signal.name)
    }

    /// The names of parts that hold a signal.
    package static let parts = Set(Signal.allCases.compactMap { LogID("any", $0).part })

    /// What it holds.
    package var signal: Signal { Signal.allCases.first { $0.name == part } ?? .traces }
}
