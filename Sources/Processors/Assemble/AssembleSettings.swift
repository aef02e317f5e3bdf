import Basics
package import Pipeline
package import Settings

/// The settings of `assemble`.
package struct AssembleSettings: Sendable {
    /// When a trace is complete.
    package var window = WindowSettings()
    /// Whether a trace that stays open gets a root.
    package var repair = true
    /// Whether log records of GenAI events become content of the spans that they name.
    package var joinLogEvents = true
    /// Whether log records of sessions without spans become traces.
    package var logSessions = false

    /// After how long an open trace is shown; zero for never.
    package var showAfter: Duration {
        get { window.showAfter ?? .zero }
        set { window.showAfter = newValue == .zero ? nil : newValue }
    }

    package init() { window.showAfter = .seconds(10) }
}

extension AssembleSettings: ProcessorSettings {
    package var conditions: [String] { [] }
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Delivers traces whole: waits until a trace is complete, then sends it as one, its root first, so that its name, question, answer, "
            + "session and experiment are those of the whole trace. `mlflow_map` before it works on the whole trace too, after all "
            + "processors that stand before this one; `mlflow_experiment` behind it routes a trace by its root.",
        AssembleSettings(),
        [
            Field(
                "after_root",
                \.window.afterRoot,
                .duration(.zero...longest),
                "How long a trace waits after its root, when all parents are there that are not in other processes."
            ),
            Field(
                "wait",
                \.window.wait,
                .duration(.zero...longest),
                "How long a trace without a root waits after its last span, when only parents in other processes are missing."
            ),
            Field(
                "open_wait",
                \.window.openWait,
                .duration(.zero...longest),
                "How long a trace waits after its last span while a parent is missing."
            ),
            Field(
                "max_spans",
                \.window.spansMax,
                .integer(1...1_000_000),
                "Spans of a trace; with more it is delivered at once as far as it has come, and what comes later by itself."
            ),
            Field(
                "max_bytes",
                \.window.bytesMax,
                .size(.kibibytes(1)...),
                "Bytes of a trace; with more it is delivered at once as far as it has come, and what comes later by itself."
            ),
            Field(
                "repair",
                \.repair,
                .flag,
                "Whether a trace whose root did not come gets one: its only topmost span, which keeps its parent's id as "
                    + "`millrace.parent_span_id`, or one that is created above several."
            ),
            Field(
                "show_after",
                \.showAfter,
                .duration(.zero...longest),
                "After how long an open trace is shown as far as it has come, where its experiment is certain; \"0s\": never."
            ),
            Field(
                "remember",
                \.window.remember,
                .duration(.zero...longest),
                "How long late spans of a delivered trace follow it at once; at most as many traces as a quarter of `memory` has room for."
            ),
            Field(
                "memory",
                \.window.memoryMax,
                .size(.mebibytes(1)...),
                "What is kept in memory of waiting traces, some 150 bytes each and 32 for each span; beyond it the oldest are delivered early."
            ),
            Field(
                "join_log_events",
                \.joinLogEvents,
                .flag,
                "Whether log records of GenAI events become messages of the spans that they name, where the pipeline takes logs."
            ),
            Field(
                "log_sessions",
                \.logSessions,
                .flag,
                "Whether sessions of Claude Code, Codex, Gemini CLI and Qwen Code that send log records and no spans become traces, one for "
                    + "each turn, where the pipeline takes logs."
            ),
        ]
    )

    package var isWindowed: Bool { true }
    package var latePeriod: Duration { window.remember }

    package func makeProcessor(named name: String) -> (any SpanProcessor)? { nil }

    package func makeWindow(
        named name: String,
        mapping: [any SpanProcessor],
        routing: [any SpanProcessor]
    ) -> (any WindowedProcessor)? {
        Assemble(settings: self, processors: mapping + routing)
    }

    private static let longest = Duration.seconds(7 * 24 * 3600)
}
