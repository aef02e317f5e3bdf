import Journal
import Synchronization

/// How many records answers wait for (`answer_after`), by log.
///
/// Until half of the places of a log are taken, everybody takes what there is. From then on a sender may have the places divided
/// by one more than there are senders that have some, so that a newcomer finds one; who has none is let in as long as there are
/// places at all. Any thread.
package final class AwaitedRecords: Sendable {
    private struct Places {
        var taken = 0
        var bySender: [Sender: Int] = [:]

        /// Changes what a sender has.
        mutating func add(_ count: Int, for sender: Sender) {
            taken += count
            let has = bySender[sender, default: 0] + count
            bySender[sender] = has > 0 ? has : nil
        }
    }

    /// What the journal follows of one log.
    package static let placesMax = SettlementNotice.recordsMax

    private let placesMax: Int
    private let state = Mutex<[LogID: Places]>([:])

    /// - Parameter placesMax: Records that are awaited at once of one log; no more than the journal follows.
    package init(placesMax: Int = AwaitedRecords.placesMax) {
        self.placesMax = placesMax
    }

    /// Takes places for one request.
    ///
    /// - Parameters:
    ///   - counts: Its records by log.
    ///   - sender: Who sends it.
    ///   - exporter: What it waits for, for the words of a refusal.
    /// - Returns: What gives them back with its last reference.
    /// - Throws: Where there is no room for it, or its sender has too many already; nothing is taken then.
    func take(
        _ counts: [LogID: Int],
        for sender: Sender,
        waitingFor exporter: String
    ) throws(Refused) -> AwaitedPlaces {
        let refusal = state.withLock { state -> Refused? in
            for (log, count) in counts {
                let places = state[log] ?? Places()
                if let refusal = self.refusal(of: count, places, for: sender, exporter) { return refusal }
            }
            for (log, count) in counts { state[log, default: Places()].add(count, for: sender) }
            return nil
        }
        if let refusal { throw refusal }
        return AwaitedPlaces(counts, of: sender, in: self)
    }

    private func refusal(of count: Int, _ places: Places, for sender: Sender, _ exporter: String) -> Refused? {
        guard count <= placesMax else {
            let reason =
                "its answer waits for \(exporter), and that for \(placesMax) records at most; it makes \(count)"
            return Refused(reason: .tooLarge, .tooLarge(reason))
        }
        if let has = places.bySender[sender], places.taken + count > placesMax / 2 {
            let share = placesMax / (places.bySender.count + 1)
            if has + count > share {
                let reason = "this client waits for \(exporter) to take more than its share of \(share) records"
                return Refused(reason: .overShare, .throttled(reason, retryAfter: .seconds(1)))
            }
        }
        guard places.taken + count > placesMax else { return nil }
        let reason = "answers wait for \(exporter) to take \(placesMax) records, as many as may be"
        return Refused(reason: .destination, .unavailable(reason, retryAfter: DeliveryAnswers.retryAfter))
    }

    fileprivate func giveBack(_ counts: [LogID: Int], of sender: Sender) {
        state.withLock { state in
            for (log, count) in counts { state[log]?.add(-count, for: sender) }
        }
    }
}

/// The places of one request, given back when the last reference goes.
final class AwaitedPlaces: Sendable {
    private let counts: [LogID: Int]
    private let sender: Sender
    private let records: AwaitedRecords

    fileprivate init(_ counts: [LogID: Int], of sender: Sender, in records: AwaitedRecords) {
        self.counts = counts
        self.sender = sender
        self.records = records
    }

    deinit {
        records.giveBack(counts, of: sender)
    }
}
