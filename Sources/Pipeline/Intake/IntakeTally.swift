package import Journal
package import OTLP
import Synchronization

/// Counts what one pipeline accepted of one signal, refused and removed, for the ledger and `/metrics`.
package final class IntakeTally: Sendable {
    /// Why items were refused; the `reason` label.
    package enum RefusalReason: String, CaseIterable, Sendable {
        case invalid
        case journalFull = "journal_full"
        case journalFailed = "journal_failed"
        case overShare = "over_share"
        /// There is no memory for the request.
        case memory
        /// The request costs too much for its size.
        case cost
        /// The request can never fit the journal.
        case tooLarge = "too_large"
        /// Some of the request would go where its client may not send.
        case forbidden
        /// The exporter that the client would wait for (`answer_after`) is away, far behind, or about to stop.
        case destination
    }

    /// Where spans are counted by service.
    let services: ServiceActivity
    /// Where spans that come before a window are counted.
    let arrivals: ServiceActivity
    /// Where people watch requests.
    let tap: RequestTap
    private let accepted: Counter
    private let refused: [RefusalReason: Counter]
    private let meters: Meters
    private let signal: Signal
    private let labels: [String: String]
    private let processed = Mutex<[String: [ProcessorTally.Kind: Counter]]>([:])
    private let refusedTotal = Atomic<Int>(0)

    /// Registers the pipeline's counters.
    package init(_ meters: Meters, pipeline: String, receiver: String, signal: Signal) {
        let labels = ["pipeline": pipeline, "receiver": receiver, "signal": signal.name]
        accepted = meters.counter("millrace_receiver_accepted_\(signal.itemsName)_total", labels)
        refused = Dictionary(
            uniqueKeysWithValues: RefusalReason.allCases.map { reason in
                let labels = labels.merging(["reason": reason.rawValue]) { $1 }
                return (reason, meters.counter("millrace_receiver_refused_\(signal.itemsName)_total", labels))
            }
        )
        self.meters = meters
        (services, arrivals) = (meters.services, meters.arrivals)
        tap = meters.tap
        self.signal = signal
        self.labels = ["pipeline": pipeline, "signal": signal.name]
    }

    /// Items refused since the process started.
    package var refusedItems: Int { refusedTotal.load(ordering: .relaxed) }

    /// Counts items that are in the journal now.
    func accept(_ items: Int) {
        accepted.add(items)
    }

    /// Counts items that were turned away.
    func refuse(_ items: Int, _ reason: RefusalReason) {
        guard items > 0 else { return }
        refused[reason]?.add(items)
        refusedTotal.add(items, ordering: .relaxed)
    }

    /// Counts what processors did to one request's items.
    func process(_ tally: ProcessorTally) {
        guard !tally.entries.isEmpty else { return }
        processed.withLock { counters in
            for entry in tally.entries {
                let counter = counters[entry.processor]?[entry.kind] ?? counter(entry.kind, of: entry.processor)
                counters[entry.processor, default: [:]][entry.kind] = counter
                counter.add(entry.spans)
            }
        }
    }

    private func counter(_ kind: ProcessorTally.Kind, of processor: String) -> Counter {
        let labels = labels.merging(kind.labels.merging(["processor": processor]) { $1 }) { $1 }
        return meters.counter(kind.meter(signal), labels)
    }
}

/// The tallies of all pipelines, each kept for as long as the process lives, whatever pipeline files it takes.
///
/// Any thread.
package final class IntakeTallies: Sendable {
    private struct Key: Hashable {
        let log: LogID
        let receiver: String
    }

    private let meters: Meters
    private let tallies = Mutex<[Key: IntakeTally]>([:])

    package init(_ meters: Meters) {
        self.meters = meters
    }

    /// The tally of what one receiver brings one pipeline.
    package func tally(of pipeline: String, receiver: String, _ signal: Signal) -> IntakeTally {
        tallies.withLock { tallies in
            let key = Key(log: LogID(pipeline, signal), receiver: receiver)
            if let known = tallies[key] { return known }
            let tally = IntakeTally(meters, pipeline: pipeline, receiver: receiver, signal: signal)
            tallies[key] = tally
            return tally
        }
    }

    /// Items refused before a pipeline's log since the process started.
    package func refusedItems(before log: LogID) -> Int {
        tallies.withLock { $0.reduce(0) { $1.key.log == log ? $0 + $1.value.refusedItems : $0 } }
    }
}
