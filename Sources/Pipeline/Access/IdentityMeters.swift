import OTLP
import Synchronization

/// Counts what becomes of the items that each identity sends to one receiver.
///
/// Any thread. Of 256 identities each has series of its own; those that come later share series labelled `overflow="true"`.
package final class IdentityMeters: Sendable {
    private struct Key: Hashable {
        let label: IdentityLabels.Label
        let signal: Signal
        /// Why items were refused; nil for accepted ones.
        let reason: IntakeTally.RefusalReason?
    }

    private struct State {
        var labels = IdentityLabels()
        var counters: [Key: Counter] = [:]
    }

    private let meters: Meters
    private let receiver: String
    private let state = Mutex(State())

    /// - Parameters:
    ///   - meters: Where the series are registered, each when it is first needed.
    ///   - receiver: The receiver's key in the pipeline file.
    package init(_ meters: Meters, receiver: String) {
        self.meters = meters
        self.receiver = receiver
    }

    /// Counts items: those that are in the journal now, or with a reason those that were turned away.
    func add(_ items: Int, _ signal: Signal, of identity: String, refused reason: IntakeTally.RefusalReason? = nil) {
        counter(identity, signal, reason).add(items)
    }

    private func counter(_ identity: String, _ signal: Signal, _ reason: IntakeTally.RefusalReason?) -> Counter {
        state.withLock { state in
            let key = Key(label: state.labels.label(of: identity), signal: signal, reason: reason)
            if let known = state.counters[key] { return known }
            var labels = ["receiver": receiver, "signal": signal.name]
            labels[key.label.name] = key.label.value
            labels["reason"] = reason?.rawValue
            let kind = reason == nil ? "accepted" : "refused"
            let counter = meters.counter("millrace_receiver_identity_\(kind)_\(signal.itemsName)_total", labels)
            state.counters[key] = counter
            return counter
        }
    }
}

/// Who counts the items of one request: every pipeline that takes it, and the account of who sent it.
struct RequestTally: Sendable {
    let signal: Signal
    let fronts: [PipelineFront]
    let meters: IdentityMeters?
    /// The name of who sent it; nil without authentication.
    let identity: String?

    func accept(_ items: Int) {
        for front in fronts { front.tally.accept(items) }
        if let identity { meters?.add(items, signal, of: identity) }
    }

    func refuse(_ items: Int, _ reason: IntakeTally.RefusalReason) {
        guard items > 0 else { return }
        for front in fronts { front.tally.refuse(items, reason) }
        if let identity { meters?.add(items, signal, of: identity, refused: reason) }
    }
}
