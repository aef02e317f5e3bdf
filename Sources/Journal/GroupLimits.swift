import Basics

/// What a group may be at most, whatever readers finish: known without a look at the disk.
struct GroupLimits: Sendable {
    /// Of all ordinary logs together, which share one budget.
    let maxBytes: ByteCount
    /// The budgets of dead letters; an ordinary log has none.
    let deadLetters: [LogID: ByteCount]

    init(_ settings: JournalSettings, _ cores: [LogCore]) {
        maxBytes = settings.maxBytes
        deadLetters = Dictionary(
            uniqueKeysWithValues: cores.compactMap { core in core.role.limits.map { (core.id, $0.maxBytes) } }
        )
    }

    /// Which limit a group would be over even in an empty journal, and by how much; nil for one that can fit.
    func excess(of group: RecordGroup) -> String? {
        let partBytesMax = RecordHeader.partBytesMax
        guard group.entries.allSatisfy({ max($0.metadata.count, $0.payload.count) <= partBytesMax }) else {
            return "a record is larger than \(ByteCount(bytes: partBytesMax)), the largest that the journal holds"
        }
        var shared = 0
        for part in group.parts {
            let needed = SegmentHeader.areaBytes + part.bytes
            guard let limit = deadLetters[part.log] else {
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
