import Basics

/// What a group may be at most, whatever readers finish: known without a look at the disk.
struct GroupLimits: Sendable {
    /// Of all ordinary logs together, which share one budget.
    let maxBytes: ByteCount
    /// By log: the budget of dead letters; nil for an ordinary log.
    let deadLetters: [ByteCount?]

    init(_ settings: JournalSettings, _ cores: [LogCore]) {
        maxBytes = settings.maxBytes
        deadLetters = cores.map { $0.role.limits?.maxBytes }
    }

    /// Which limit a group would be over even in an empty journal, and by how much; nil for one that can fit.
    ///
    /// Entries must name logs that there are.
    func excess(of group: RecordGroup) -> String? {
        let partBytesMax = RecordHeader.partBytesMax
        guard group.entries.allSatisfy({ max($0.metadata.count, $0.payload.count) <= partBytesMax }) else {
            return "a record is larger than \(ByteCount(bytes: partBytesMax)), the largest that the journal holds"
        }
        var shared = 0
        for log in Set(group.entries.map(\.log)) {
            let needed = SegmentHeader.areaBytes + group.recordBytes(in: log)
            guard let limit = deadLetters[log] else {
                shared += needed
                continue
            }
            if needed > limit.bytes { return Self.text(needed, limit, "dead_letters.max_bytes") }
        }
        return shared > maxBytes.bytes ? Self.text(shared, maxBytes, "journal.max_bytes") : nil
    }

    private static func text(_ bytes: Int, _ limit: ByteCount, _ setting: String) -> String {
        "its records take \(bytes) bytes, more than \(setting), \(limit)"
    }
}

extension RecordGroup {
    /// What it takes of one log.
    func recordBytes(in log: Int) -> Int {
        entries.reduce(0) { sum, entry in
            guard entry.log == log else { return sum }
            return sum + RecordHeader.recordBytes(metadata: entry.metadata.count, payload: entry.payload.count)
        }
    }
}
