import Basics
import OTLP

/// What one window does, counted for `/metrics`.
package struct WindowMeters: Sendable {
    private let decided: [WindowDecision.Reason: Counter]
    let created: Counter
    let joined: Counter
    private let meters: Meters
    private let labels: [String: String]
    private let pipeline: String
    private let spent: SpentMeters

    /// Registers the window's counters.
    package init(_ meters: Meters, pipeline: String, processor: String) {
        let labels = ["pipeline": pipeline, "processor": processor]
        self.meters = meters
        self.labels = labels
        self.pipeline = pipeline
        spent = SpentMeters(meters, labels)
        decided = Dictionary(
            uniqueKeysWithValues: WindowDecision.Reason.allCases.map { reason in
                let labels = labels.merging(["reason": reason.rawValue]) { $1 }
                return (reason, meters.counter("millrace_window_decided_traces_total", labels))
            }
        )
        let spans = labels.merging(["signal": Signal.traces.name]) { $1 }
        created = meters.counter("millrace_processor_created_spans_total", spans)
        joined = meters.counter(
            "millrace_processor_joined_log_records_total",
            labels.merging(["signal": Signal.logs.name]) { $1 }
        )
    }

    /// Registers what is read when somebody asks.
    package func register(_ stage: WindowStage) {
        meters.gauge("millrace_window_traces", labels) { Double(stage.position.traces) }
        meters.gauge("millrace_window_bytes", labels) { Double(stage.position.bytes) }
    }

    /// Counts what was moved, and what processors did to it.
    func count(_ moved: [MovedTrace]) {
        for trace in moved {
            let services = trace.counted.flatMap(\.made.serviceCounts)
            meters.services.add(services, in: pipeline, at: trace.lastReceived)
        }
        count(moved.flatMap(\.counted))
    }

    private func count(_ traces: [(made: AssembledTrace, reasons: [WindowDecision.Reason])]) {
        var tally = ProcessorTally()
        for (trace, reasons) in traces {
            for reason in reasons { decided[reason]?.add() }
            created.add(trace.created)
            joined.add(trace.joined)
            if let totals = trace.totals { spent.add(totals) }
            for entry in trace.tally.entries { tally.add(entry.spans, entry.kind, by: entry.processor) }
        }
        for entry in tally.entries {
            let own = ["pipeline": pipeline, "processor": entry.processor, "signal": Signal.traces.name]
            let labels = own.merging(entry.kind.labels) { $1 }
            meters.counter(entry.kind.meter(.traces), labels).add(entry.spans)
        }
    }
}
