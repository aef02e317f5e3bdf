import Basics
import OTLP
import Settings

/// What the process sends about itself, and where.
package struct TelemetrySettings: Sendable {
    /// The share of traces whose requests and deliveries get spans, from 0 to 1.
    package var traces = 0.0
    /// The exporter that gets spans and metrics.
    package var exporter = ""
    /// Between two requests with metrics.
    package var interval = Duration.seconds(60)

    /// What there is to send.
    var signals: Set<Signal> { traces > 0 ? [.traces, .metrics] : [.metrics] }

    static let shape = Shape(
        "Spans of requests and delivery attempts, and what `/metrics` shows as OTLP metrics. They are sent from memory, 2,048 spans at most, past every pipeline and the journal; what does not fit is dropped, and counted as `millrace_telemetry_dropped_spans_total`. Nothing is recorded of their own deliveries.",
        TelemetrySettings(),
        [
            Field(
                "traces",
                \.traces,
                .number(0...1),
                "The share of traces of which spans are sent, by trace id: one for each request, which continues the client's `traceparent` (unless that is not sampled), and one for each attempt to deliver something of it."
            ),
            Field("to", \.exporter, .text, "Name of the exporter that gets them.", required: true),
            Field(
                "interval",
                \.interval,
                .duration(.seconds(1) ... .seconds(3600)),
                "Time between two requests with metrics; spans are sent as often, and every five seconds at least."
            ),
        ]
    )
}
