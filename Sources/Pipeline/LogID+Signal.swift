package import Journal
package import OTLP

extension LogID {
    /// The log of a pipeline for one signal: ids count the items of one log, so signals never mix.
    ///
    /// Spans are no part but lie in the pipeline's own folder, where they were before pipelines took other signals.
    package init(_ pipeline: String, _ signal: Signal) {
        self.init(pipeline, part: signal == .traces ? nil : signal.name)
    }

    /// The log of whole traces, behind the window of a pipeline, which the exporters read in place of the log of its spans.
    package init(windowOf pipeline: String) {
        self.init(pipeline, part: Self.window)
    }

    private static let window = "window"

    /// The names that the parts of a pipeline's journal may have.
    package static let parts = Set(Signal.allCases.compactMap { LogID("any", $0).part }).union([window])

    /// What it holds.
    package var signal: Signal { Signal.allCases.first { $0.name == part } ?? .traces }

    /// Whether it lies behind a window.
    package var isWindow: Bool { part == Self.window }

    /// The log that requests with its items are accepted in: itself, unless it lies behind a window.
    package var front: LogID { isWindow ? LogID(pipeline, .traces) : self }

    /// The log that its exporters would read if a window came or went; nil where none can.
    var counterpart: LogID? { isWindow ? front : signal == .traces ? LogID(windowOf: pipeline) : nil }
}
