package import OTLP
package import Pipeline
package import Settings

/// What the processors of a pipeline become: those that work on each request, and the one that works on whole traces.
///
/// Where there is one, `mlflow_map` before it works on whole traces too, because a question, an answer or a name that was found in a part
/// of a trace stays in MLflow for good. Processors behind it work on whole traces as well.
package struct ProcessorChain: Sendable {
    /// Before the journal, each with the signals it works on.
    package private(set) var perSpan: [(signals: Set<Signal>, processor: any SpanProcessor)] = []
    /// Behind the journal; nil where requests go to the exporters as they came.
    package private(set) var window: (any WindowedProcessor)?
    /// Those that `window` calls.
    package private(set) var behind: [any SpanProcessor] = []

    /// - Throws: What of the settings only shows when they are used.
    package init(_ processors: [Configured<any ProcessorSettings>]) throws {
        let windowed = processors.firstIndex { $0.settings.isWindowed }
        let front = processors[..<(windowed ?? processors.endIndex)]
        var mapping: [any SpanProcessor] = []
        for (index, configured) in zip(front.indices, front) {
            guard let made = try configured.settings.makeProcessor(named: configured.name) else { continue }
            let signals = configured.settings.signals
            guard windowed != nil, configured.settings.isOfWholeTraces else {
                perSpan.append((signals, made))
                continue
            }
            mapping.append(made)
            // What is found out about a single span is wanted before the journal too.
            if front[(index + 1)...].contains(where: \.settings.readsMapping) {
                perSpan.append((signals, SpanFinder(processor: made)))
            }
        }
        guard let windowed else { return }
        let window = processors[windowed]
        let routing = try processors[(windowed + 1)...].compactMap { configured in
            try configured.settings.remembering(window.settings.latePeriod).makeProcessor(named: configured.name)
        }
        behind = mapping + routing
        self.window = window.settings.makeWindow(named: window.name, mapping: mapping, routing: routing)
    }

    /// Those that remember.
    package var remembering: [any RememberingProcessor] {
        (perSpan.map(\.processor) + behind).compactMap { $0 as? any RememberingProcessor }
    }
}

/// Finds out what another processor finds out about single spans, and leaves the spans as they are.
private struct SpanFinder: SpanProcessor {
    let processor: any SpanProcessor

    func process(_ work: inout SpanWork) {
        var copy = work
        processor.process(&copy)
        work.mapped = copy.mapped
        work.account = copy.account
    }
}
