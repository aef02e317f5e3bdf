package import OTLP
package import Pipeline
package import Settings

/// A `type` of processor: one line of the catalogue.
package typealias ProcessorType = Component<any ProcessorSettings>

/// A processor's settings, and what the program has to know of them before the processor is made.
package protocol ProcessorSettings: Sendable {
    /// What it works on; requests of other signals pass it by.
    var signals: Set<Signal> { get }
    /// Headers of requests that it reads, in lower case.
    var headers: [String] { get }
    /// Whether it reads who sends.
    var readsIdentity: Bool { get }
    /// What it says about routes; nil for one that chooses none.
    var routing: Routing? { get }
    /// How exporters batch; nil for one that says nothing about that.
    var batching: BatchLimits? { get }

    /// Makes the processor, which counts under its key in the pipeline file; nil for one that works on no spans.
    ///
    /// - Throws: What of the settings only shows when they are used.
    func makeProcessor(named name: String) throws -> (any SpanProcessor)?

    /// Whether it works on whole traces, behind the journal; nil for one that does not.
    var window: WindowTraits? { get }

    /// Makes the processor of whole traces, which counts under its key in the pipeline file; nil for one that works before the
    /// journal.
    ///
    /// - Parameters:
    ///   - name: The key.
    ///   - router: What chooses the route of a whole trace; nil where each keeps that of its root.
    func makeWindow(named name: String, routing router: (any SpanProcessor)?) -> (any WindowedProcessor)?
}

/// What the program has to know of a windowed processor before it is made.
package struct WindowTraits: Sendable {
    /// Whether it joins log records to spans, where its pipeline takes logs.
    package var joinsLogs: Bool

    package init(joinsLogs: Bool) {
        self.joinsLogs = joinsLogs
    }
}

extension ProcessorSettings {
    package var signals: Set<Signal> { [.traces] }
    package var headers: [String] { [] }
    package var readsIdentity: Bool { false }
    package var routing: Routing? { nil }
    package var batching: BatchLimits? { nil }
    package var window: WindowTraits? { nil }

    package func makeWindow(named name: String, routing router: (any SpanProcessor)?) -> (any WindowedProcessor)? { nil }
}

extension ProcessorType {
    /// A type with its settings.
    package init(_ type: String, _ shape: Shape<some ProcessorSettings>, stage: ProcessorStage = .perSpan) {
        self.init(type, shape, stage) { $0 }
    }
}

extension BatchLimits: ProcessorSettings {
    package var signals: Set<Signal> { Set(Signal.allCases) }
    package var batching: BatchLimits? { self }

    package func makeProcessor(named name: String) -> (any SpanProcessor)? { nil }
}
