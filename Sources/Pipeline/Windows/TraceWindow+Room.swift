import Basics

// Traces that do not wait any longer, because of the room that they take.

extension TraceWindow {
    /// Decides the oldest traces of those who hold most, some more than there must be, so that it is not done for each record.
    mutating func makeRoom() {
        let target = settings.memoryMax.bytes / 16 * 15
        var shares = senders.shares(of: memoryBytes - target)
        var next = lines.oldest
        while let number = next, memoryBytes > target {
            next = lines.next(after: number, traces)
            let sender = Int(traces[number].sender)
            guard shares[sender] > 0 else { continue }
            shares[sender] -= Int(traces[number].memory)
            decide(number, .memory)
        }
        while memoryBytes > settings.memoryMax.bytes, let oldest = lines.oldest { decide(oldest, .memory) }
    }

    /// Decides what has records with ids below these: what keeps them from being deleted.
    mutating func decide(spansBelow spans: UInt64, logsBelow logs: UInt64) {
        var next = lines.oldest
        while let number = next {
            next = lines.next(after: number, traces)
            let firstLog = traces[number].logs.first
            let isLogBelow = firstLog != noNumber && records[firstLog].id < logs
            // After a restart those that went ahead come before the others.
            let isAhead = traces[number].shownEnd > 0
            let ids = isAhead ? records.links(of: traces[number].records).map(\.id) : []
            let first = traces[number].records.first
            let lowest = ids.min() ?? (first == noNumber ? .max : records[first].id)
            guard lowest < spans || isLogBelow else { continue }
            decide(number, .journal)
        }
    }
}
