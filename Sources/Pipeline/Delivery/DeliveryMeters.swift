import Basics
import Journal
package import OTLP

/// What one exporter does, counted for `/metrics`.
package struct DeliveryMeters: Sendable {
    private let outcomes: [Outcome: Counter]
    private let attempts: [String: Counter]
    private let seconds: Histogram
    /// What went wrong last.
    let memory = DeliveryMemory()
    /// Told when the circuit opens or closes.
    let events: Timeline

    /// Registers the exporter's counters.
    package init(_ meters: Meters, pipeline: String, exporter: String, signal: Signal) {
        let labels = ["pipeline": pipeline, "exporter": exporter, "signal": signal.name]
        events = meters.events
        outcomes = Dictionary(
            uniqueKeysWithValues: [Outcome.delivered, .rejected, .deadLettered].map { outcome in
                (outcome, meters.counter("millrace_exporter_\(outcome.word)_\(signal.itemsName)_total", labels))
            }
        )
        seconds = meters.histogram("millrace_exporter_attempt_seconds", labels)
        attempts = Dictionary(
            uniqueKeysWithValues: DeliveryOutcome.names.map { name in
                let outcome = labels.merging(["outcome": name]) { $1 }
                return (name, meters.counter("millrace_exporter_attempts_total", outcome))
            }
        )
    }

    /// Counts one attempt and how long it took, and remembers what the destination said.
    func observe(
        _ outcome: DeliveryOutcome,
        of request: PendingRequest,
        at time: UnixTime,
        took duration: Duration
    ) {
        attempts[outcome.name]?.add(1)
        memory.note(outcome, of: request, at: time)
        seconds.observe(duration)
    }

    /// Counts the items of a batch that is done.
    func finished(_ batch: PendingBatch) {
        var counts = batch.outcomes
        counts[.delivered] = UInt64(batch.items) - min(counts.sum, UInt64(batch.items))
        for (outcome, counter) in outcomes { counter.add(Int(counts[outcome])) }
    }
}

extension DeliveryOutcome {
    fileprivate static let names = [
        "delivered", "unavailable", "timed_out", "failed", "too_large", "refused", "parked", "unsendable",
        "cancelled",
    ]

    /// The word for it in metrics and spans.
    var name: String {
        switch self {
        case .delivered: "delivered"
        case .unavailable: "unavailable"
        case .timedOut: "timed_out"
        case .failed: "failed"
        case .tooLarge: "too_large"
        case .refused: "refused"
        case .parked: "parked"
        case .unsendable: "unsendable"
        case .cancelled: "cancelled"
        }
    }
}
