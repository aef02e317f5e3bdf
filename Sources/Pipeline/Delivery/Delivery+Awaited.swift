import Basics
package import Journal
import Synchronization

/// What clients that wait for a delivery (`answer_after`) may expect of it.
extension Delivery {
    /// The log that it delivers.
    package var log: LogID? { logs[.pipeline]?.id }

    /// Why somebody would wait in vain from now on.
    ///
    /// A destination that is down is asked by what waits for it; where nothing does, the next request is let in to ask. What
    /// waits for parked routes holds up no others. Any thread, never blocks.
    ///
    /// - Parameter age: What has waited for longer shows that the next one would, too.
    /// - Returns: What is said of the exporter; nil where there is hope.
    func trouble(waitingOver age: Duration) -> String? {
        if flow.withLock({ $0.isPaused }) { return "is paused" }
        if isCircuitOpen, hasWork(countingParked: false) || !flow.withLock({ $0.mayProbe(now: clock.now()) }) {
            return "is down"
        }
        let aside = parked.withLock { $0.isEmpty ? [] : $0.ids(of: .pipeline) }
        guard let oldest = readers[.pipeline]?.oldestUnfinished(besides: aside), wallClock.now().since(oldest) > age
        else { return nil }
        return "is more than \(age.text) behind"
    }
}
