package import Basics
package import Conditions
package import OTLP
package import Pipeline
package import Settings

/// A `type` of processor: one line of the catalogue.
package typealias ProcessorType = Component<any ProcessorSettings>

/// When a processor runs among those of its pipeline.
package enum ProcessorTurn: Int, Comparable, Sendable {
    /// Before all others, wherever it stands in the list, so that nobody reads what it takes out.
    case redaction
    /// Then, so that no secret is cut in two before it is found.
    case truncation
    /// In the order of the list.
    case listed

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A processor's settings, and what the program has to know of them before the processor is made.
package protocol ProcessorSettings: Sendable {
    /// What it works on; requests of other signals pass it by.
    var signals: Set<Signal> { get }
    /// The settings that are conditions on single spans, log records and metrics.
    var conditions: [String] { get }
    /// Headers of requests that it reads, in lower case.
    var headers: [String] { get }
    /// Whether it reads who sends.
    var readsIdentity: Bool { get }
    /// What it says about routes; nil for one that chooses none.
    var routing: Routing? { get }
    /// How exporters batch; nil for one that says nothing about that.
    var batching: BatchLimits? { get }

    /// Whether it works on whole traces where the pipeline has a window behind it.
    var isOfWholeTraces: Bool { get }
    /// Whether it asks what `mlflow_map` found out about a span.
    var readsMapping: Bool { get }
    /// When it runs.
    var turn: ProcessorTurn { get }
    /// Whether it is a window.
    var isWindowed: Bool { get }
    /// How long late spans of a trace follow it, after a window has delivered that.
    var latePeriod: Duration { get }

    /// What works where the settings name nothing, by the names of those settings.
    var inEffect: [String: [String]] { get }

    /// Makes the processor, which counts under its key in the pipeline file; nil for one that works on no spans.
    ///
    /// - Throws: What of the settings only shows when they are used.
    func makeProcessor(named name: String) throws -> (any SpanProcessor)?

    /// Makes the processor of whole traces, which calls others.
    ///
    /// - Parameters:
    ///   - name: Its key in the pipeline file.
    ///   - mapping: Processors that stand before it and work on whole traces.
    ///   - routing: Processors that stand behind it.
    /// - Returns: Nil for one that is no window.
    func makeWindow(
        named name: String,
        mapping: [any SpanProcessor],
        routing: [any SpanProcessor]
    ) -> (any WindowedProcessor)?

    /// The same settings for one that remembers traces at least that long.
    func remembering(_ time: Duration) -> Self
}

extension ProcessorSettings {
    package var signals: Set<Signal> { [.traces] }
    package var headers: [String] { [] }
    package var readsIdentity: Bool { false }
    package var routing: Routing? { nil }
    package var batching: BatchLimits? { nil }
    package var isOfWholeTraces: Bool { false }
    package var readsMapping: Bool { false }
    package var turn: ProcessorTurn { .listed }
    package var isWindowed: Bool { false }
    package var latePeriod: Duration { .zero }
    package var inEffect: [String: [String]] { [:] }

    package func makeWindow(
        named name: String,
        mapping: [any SpanProcessor],
        routing: [any SpanProcessor]
    ) -> (any WindowedProcessor)? {
        nil
    }

    package func remembering(_ time: Duration) -> Self { self }
}

extension ProcessorSettings {
    /// What conditions among the settings ask that only one signal has, each with its place below the settings.
    package func questionsOfOneSignal(in settings: JSONNode) -> [SignalQuestion] {
        conditions.flatMap { name in
            NodePlace(settings)[name].map { Condition.questionsOfOneSignal(in: $0) } ?? []
        }
    }
}

extension ProcessorType {
    /// A type with its settings.
    package init(_ type: String, _ shape: Shape<some ProcessorSettings>, stage: ProcessorStage = .perSpan) {
        self.init(type, shape, stage) { $0 }
    }
}

extension BatchLimits: ProcessorSettings {
    package var conditions: [String] { [] }
    package var signals: Set<Signal> { Set(Signal.allCases) }
    package var batching: BatchLimits? { self }

    package func makeProcessor(named name: String) -> (any SpanProcessor)? { nil }
}
